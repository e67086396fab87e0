//! What extensions own and no dump holds: tables of users that were added to an extension, with everything that depends on
//! them, an extension's own tables, the rows that it brings and somebody has edited. Part of the awkward server.

use anyhow::{Result, ensure};

use super::Server;
use super::awkward::in_database;

pub(super) const DATABASE: &str = "owned";

/// A table with something of everything is added to an extension, and others need it.
const ADDED: &str = r"
create extension hstore;
create type mood as enum ('a', 'b');
create sequence standalone;
create function doubled(integer) returns integer immutable language sql as 'select $1 * 2';
create table other (id integer primary key);
insert into other values (7);
create table added (
    id bigint generated always as identity primary key, s serial, m mood default 'b',
    st integer default nextval('standalone'), g integer generated always as (doubled(id::integer)) stored,
    o integer references other, t text default E'-- \n--\n-- TOC entry 1 (class 0 OID 0)\n', raw bytea, gone integer);
alter table added drop column gone;
create index added_t on added (t);
create function touched() returns trigger language plpgsql as 'begin new.t := new.t || ''!''; return new; end';
insert into added (o, t, raw) values (7, E'tab\t, \\ back, '' quote, \n\\.\nCOPY x FROM stdin;', '\x000a5c2e0aff'), (null, null, null);
insert into added (t) select 'row ' || n from generate_series(1, 1000) n;
create trigger touches before insert on added for each row execute function touched();
create policy own on added using (id > 0);
grant select on added to readers;
create table parts (n integer, t text) partition by range (n);
create table parts_low partition of parts for values from (0) to (10);
insert into parts values (1, 'one'), (2, 'two');
create table nothing ();
insert into nothing default values;
alter extension hstore add table added;
alter extension hstore add table parts;
alter extension hstore add table parts_low;
alter extension hstore add table nothing;
create sequence numbers;
select setval('numbers', 41);
alter extension hstore add sequence numbers;
create view a_view as select id, t from added;
create table a_reference (id bigint references added (id), whole added);
insert into a_reference select id, a from added a where id = 1;
create materialized view a_sum as select count(*) from added;
";

/// An extension that registers none of its own tables, one with a condition, and one into which it brings a row.
const LEDGER: &str = r"
create table ledger_state (id serial primary key, note text);
insert into ledger_state (note) values ('seeded'), ('seeded too');
create table ledger_names (name text primary key, value text, own boolean default false);
insert into ledger_names values ('one', 'default'), ('two', 'default');
select pg_catalog.pg_extension_config_dump('ledger_names', 'where own');
create table ledger_jobs (id integer primary key, what text);
insert into ledger_jobs values (1, 'seeded');
select pg_catalog.pg_extension_config_dump('ledger_jobs', '');
create function ledger_one() returns integer language sql as 'select 1';
";

/// Its next version registers them and brings more.
const LATER: &str = r"
select pg_catalog.pg_extension_config_dump('ledger_state', '');
alter table ledger_state add column since integer default 11;
insert into ledger_state (note) values ('seeded later');
";

const USED: &str = r"
create extension ledger;
delete from ledger_state where id = 1;
update ledger_state set note = 'edited';
insert into ledger_state (note) values ('new');
alter table ledger_state add column extra text;
update ledger_state set extra = 'x' where id = 3;
create view of_extra as select extra from ledger_state;
update ledger_names set value = 'edited' where name = 'one';
insert into ledger_names values ('three', 'own', true);
update ledger_jobs set what = 'edited';
insert into ledger_jobs values (2, 'new');
";

const EXPECTED: [(&str, &str); 16] = [
    ("select string_agg(extra, ',') from of_extra", "x"),
    ("select count(*), count(t), sum(g) from added", "1002|1001|1005006"),
    (
        "select md5(string_agg(a::text, ',' order by id)) = (select whole from before) from added a",
        "t",
    ),
    (
        "select id > 1002, s > 1002, m, st > 1002, t from (insert_one()) x",
        "t|t|b|t|new!",
    ),
    ("select count(*) from pg_indexes where tablename = 'added'", "2"),
    (
        "select polname from pg_policy where polrelid = 'added'::regclass",
        "own",
    ),
    ("select has_table_privilege('readers', 'added', 'select')", "t"),
    (
        "select conname from pg_constraint where contype = 'f' order by 1",
        "a_reference_id_fkey\nadded_o_fkey",
    ),
    ("select (whole).raw from a_reference", "\\x000a5c2e0aff"),
    (
        "select tableoid::regclass, t from parts order by n",
        "parts_low|one\nparts_low|two",
    ),
    ("select count(*) from nothing", "1"),
    ("select nextval('numbers')", "42"),
    ("select * from a_sum", "1002"),
    (
        "select e.extname, count(*) from pg_depend d join pg_extension e on e.oid = d.refobjid where d.deptype = 'e' and \
         d.objid in ('added'::regclass, 'parts'::regclass, 'parts_low'::regclass, 'nothing'::regclass, 'numbers'::regclass) \
         group by 1",
        "hstore|5",
    ),
    (
        "select name, value from ledger_names order by name collate \"C\"",
        "one|edited\nthree|own\ntwo|default",
    ),
    ("select * from ledger_jobs order by 1", "1|edited\n2|new"),
];

const STATE: &str = "select id, note from ledger_state order by 1; select nextval('ledger_state_id_seq')";

pub(super) fn make(server: &Server) -> Result<()> {
    server.psql("create role readers; create database owned;")?;
    offer(server, "1.0", LEDGER)?;
    run(server, ADDED)?;
    run(server, USED)?;
    // What is compared afterwards is no table of an extension.
    run(
        server,
        "create table before as select md5(string_agg(a::text, ',' order by id)) as whole from added a",
    )
    .map(drop)
}

pub(super) fn is_back(server: &Server) -> Result<()> {
    for (query, expected) in EXPECTED {
        let query = match query.split_once("(insert_one())") {
            Some((select, from)) => {
                format!("with inserted as (insert into added (t) values ('new') returning *) {select}inserted{from}")
            }
            None => query.to_owned(),
        };
        let said = run(server, &query)?;
        ensure!(said == expected, "{query}: `{said}`, not `{expected}`");
    }
    assert_eq!(run(server, STATE)?, "2|edited\n3|new\n4");
    Ok(())
}

/// The version that the server installs by now registers what it did not, and brings more rows.
pub(super) fn comes_back_with_a_later_version(server: &Server, id: &str) -> Result<()> {
    offer(server, "1.1", &format!("{LEDGER}{LATER}"))?;
    let restore = ["restore", id, "--confirm", id, "--discard-old"];
    let restore = server.product.run(&restore)?.must_end_with(0)?;
    restore.must_say("extension `ledger` was in version 1.0, the server installs 1.1")?;
    assert_eq!(run(server, STATE)?, "2|edited\n3|new\n4");
    assert_eq!(run(server, "select distinct since from ledger_state")?, "11");
    Ok(())
}

/// The server's system offers `ledger` in this version alone.
fn offer(server: &Server, version: &str, script: &str) -> Result<()> {
    offer_extension(server, "ledger", &[(version, script)])
}

/// The server's system offers an extension in these versions alone; the last is what it installs.
pub(super) fn offer_extension(server: &Server, name: &str, versions: &[(&str, &str)]) -> Result<()> {
    let begin = format!("cd \"/usr/share/postgresql/$PG_MAJOR/extension\" && rm -f {name}*\n");
    let each = versions.iter().map(|(version, script)| {
        format!(
            "cat >{name}--{version}.sql <<'END'\n{script}\nEND\n\
             printf '%s\\n' \"default_version = '{version}'\" >{name}.control\n"
        )
    });
    let install: Vec<String> = [begin].into_iter().chain(each).collect();
    server.exec(&["sh", "-euc", &install.concat()]).map(drop)
}

fn run(server: &Server, script: &str) -> Result<String> {
    in_database(server, DATABASE, &format!("\\set ON_ERROR_STOP on\n{script}"))
}
