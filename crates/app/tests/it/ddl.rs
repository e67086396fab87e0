//! Clients that change definitions the moment they are back, while PostgreSQL is still being dumped. On a real engine.

use std::collections::BTreeMap;

use crate::common::{half_way, hold_dumps, let_go, on_mini, until};
use anyhow::Result;
use stillpoint_testkit::testbed::Testbed;

/// One object for each statement of [`CHANGES`].
const BEFORE: &str = "create schema d; set search_path = d;
    create table truncated as select g n from generate_series(1, 100) g;
    create table rewritten as select g n from generate_series(1, 100) g;
    create table dropped as select g n from generate_series(1, 100) g;
    create table renamed as select g n from generate_series(1, 100) g;
    create table narrowed as select g n, g x from generate_series(1, 100) g;
    create table indexed as select g n from generate_series(1, 100) g;
    create table counted (n serial primary key); insert into counted select from generate_series(1, 7);
    create view gone as select n from indexed;
    create view replaced as select n from indexed;
    create materialized view computed as select n from indexed;
    create sequence lone start 5; create sequence moved; select nextval('moved') from generate_series(1, 3);
    create function used() returns int language sql as 'select 1';
    create type sort as enum ('a');";

/// What a client does, each in a session of its own.
const CHANGES: [&str; 13] = [
    "truncate d.truncated",
    "alter table d.rewritten alter n type text",
    "drop table d.dropped",
    "alter table d.renamed rename to called_otherwise",
    "alter table d.narrowed drop column x",
    "create index on d.indexed (n)",
    "truncate d.counted restart identity",
    "drop view d.gone",
    "create or replace view d.replaced as select n, 1 as more from d.indexed",
    "drop materialized view d.computed",
    "drop sequence d.lone",
    "alter table d.indexed add column late int default 3",
    "alter sequence d.moved restart with 90",
];

/// Everything of the above as it must come back, by name.
const AFTER: &str = "select 'truncated', count(*) from d.truncated
    union all select 'rewritten', sum(n) from d.rewritten union all select 'dropped', count(*) from d.dropped
    union all select 'renamed', count(*) from d.renamed union all select 'narrowed', sum(x) from d.narrowed
    union all select 'counted', count(*) from d.counted
    union all select 'counted_seq', last_value from d.counted_n_seq
    union all select 'gone', count(*) from d.gone union all select 'computed', count(*) from d.computed
    union all select 'replaced', count(*) from information_schema.columns where table_schema = 'd' and table_name = 'replaced'
    union all select 'indexes', count(*) from pg_indexes where schemaname = 'd' and tablename = 'indexed'
    union all select 'lone', last_value + is_called::int from d.lone
    union all select 'moved', last_value + is_called::int * 1000 from d.moved
    union all select 'used', d.used() union all select 'sort', count(*) from pg_type where typname = 'sort'";

fn facts(testbed: &Testbed) -> Result<BTreeMap<String, String>> {
    let rows = testbed.psql("langfuse", AFTER)?;
    let fact = |row: &str| row.split_once('|').map(|(name, is)| (name.to_owned(), is.to_owned()));
    Ok(rows.lines().filter_map(fact).collect())
}

/// A client's statement in a session of its own, which nobody waits for.
fn client(testbed: &Testbed, statement: &str) -> Result<()> {
    let store = testbed.container("postgres-main")?;
    let psql = ["psql", "-U", "postgres", "-d", "langfuse", "-c", statement];
    let all: Vec<&str> = ["exec", "-d", "-e", "PGAPPNAME=migration", &store]
        .into_iter()
        .chain(psql)
        .collect();
    testbed.docker(&all).map(drop)
}

fn waiting(testbed: &Testbed, at_least: usize) -> Result<bool> {
    let sql = "select count(*) from pg_stat_activity where application_name = 'migration' and wait_event_type = 'Lock'";
    Ok(testbed.psql("postgres", sql)?.parse::<usize>()? >= at_least)
}

#[test]
fn what_a_client_changes_while_it_is_dumped_neither_breaks_nor_empties_the_backup() -> Result<()> {
    on_mini("ddl", |testbed, product| {
        testbed.psql("langfuse", BEFORE)?;
        let before = facts(testbed)?;
        assert_eq!(before.len(), 15, "{before:?}");
        hold_dumps(testbed)?;
        let mut running = product.start(&["backup"])?;
        half_way(testbed, &mut running)?;
        for statement in CHANGES {
            client(testbed, statement)?;
        }
        testbed.psql("langfuse", "select nextval('d.moved') from generate_series(1, 50)")?;
        until("the clients wait", || waiting(testbed, 11))?;
        // What no lock protects, and no dump looks at once it has begun: refused or missing, never wrong.
        let_go(testbed)?;
        let ran = running.end()?.must_end_with(0)?;
        ran.must_print("Clients of postgres-main waited while it was copied")?;
        until("the clients are done", || {
            let sql = "select count(*) from pg_stat_activity where application_name = 'migration'";
            Ok(testbed.psql("postgres", sql)? == "0")
        })?;
        assert_eq!(testbed.psql("langfuse", "select count(*) from d.truncated")?, "0");
        let backup = product.backups()?.pop().unwrap_or_default();
        product.restore(&backup)?.must_end_with(0)?;
        assert_eq!(facts(testbed)?, before);
        Ok(())
    })
}

#[test]
fn a_client_that_waits_too_long_goes_first() -> Result<()> {
    on_mini("givesway", |testbed, product| {
        let product = product
            .clone()
            .with("STILLPOINT_POSTGRES_MAIN_MAX_BLOCKED_SECONDS", "3");
        testbed.psql("langfuse", "create table waited (n int)")?;
        hold_dumps(testbed)?;
        let mut running = product.start(&["backup"])?;
        half_way(testbed, &mut running)?;
        client(testbed, "alter table waited add column t text default 'secret'")?;
        until("the client waits", || waiting(testbed, 1))?;
        until("the client is done", || {
            let sql = "select count(*) from pg_attribute where attrelid = 'waited'::regclass and attname = 't'";
            Ok(testbed.psql("langfuse", sql)? == "1")
        })?;
        let ran = running.end()?;
        ran.must_say("gave way to `alter table waited add column t text default '…'`")?
            .must_say("mode = \"hold\"")?;
        assert_eq!(product.backups()?.len(), 0);
        Ok(())
    })
}
