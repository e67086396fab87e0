//! What a server may hold that a plain dump, our own sessions or a load stumble over: each is backed up and comes back, or is
//! named. One server, one backup, one restore.

use anyhow::{Context, Result};
use stillpoint_testkit::product::Ran;

use super::{Server, on_server, owned, timescale};

/// Each comes back as it was.
const COMES_BACK: &str = r"
-- a database whose name looks like one that a restore has set aside
create database sp_20261126;
\connect sp_20261126
create table kept (n integer);
insert into kept select generate_series(1, 7);
\connect postgres

-- settings of roles and databases that our own sessions and tools must not take over
create role app nologin;
comment on role app is 'größe';
create database latin encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0;
create database set_oddly;
alter database set_oddly set default_transaction_read_only = on;
alter database set_oddly set search_path = odd, public;
alter database set_oddly set client_encoding = 'LATIN1';
\connect latin
comment on role app is 'größe';
\connect set_oddly
set default_transaction_read_only = off;
create schema odd;
create table odd.rows (n integer);
insert into odd.rows select generate_series(1, 11);
-- what that encoding has no sign for
\encoding UTF8
create table odd.signs (t text);
insert into odd.signs values ('日本');
comment on table odd.signs is '日本';

-- an index on an expression whose function calls another without its schema
create database indexed;
\connect indexed
create function halved(n integer) returns integer immutable language sql as 'select n / 2';
create function quartered(n integer) returns integer immutable language sql as 'select halved(halved(n))';
create table numbers (n integer);
insert into numbers select generate_series(1, 100);
create index on numbers (quartered(n));
create statistics fine on (quartered(n)), n from numbers;
-- statistics that cannot be computed: ANALYZE fails, the data is good
create table zeros (n integer);
insert into zeros values (0);
create statistics broken on (1 / n), n from zeros;

-- rows move from partition to partition: the numbers of an enum's values hash otherwise in every server
create database partitioned;
\connect partitioned
create type colour as enum ('red', 'green', 'blue', 'white', 'black', 'grey', 'pink', 'gold');
create table paints (c colour, n integer) partition by hash (c);
create table paints_0 partition of paints for values with (modulus 3, remainder 0);
create table paints_1 partition of paints for values with (modulus 3, remainder 1);
create table paints_2 partition of paints for values with (modulus 3, remainder 2) partition by range (n);
create table paints_2_low partition of paints_2 for values from (0) to (50);
create table paints_2_high partition of paints_2 for values from (50) to (101);
insert into paints select c, n from unnest(enum_range(null::colour)) c, generate_series(1, 100) n;

-- a CHECK that works only with the search path of the database's users
create database checked;
\connect checked
create function positive(n integer) returns boolean language sql as 'select n > 0';
create function guard(n integer) returns boolean language plpgsql as 'begin return positive(n); end';
create table guarded (n integer check (guard(n)), t text default $$
COPY nothing FROM stdin;
SELECT pg_catalog.set_config('search_path', '', false);
$$);
insert into guarded select generate_series(1, 5);
create table texts (t text);
insert into texts values ('SELECT pg_catalog.set_config(''search_path'', '''', false);');

-- the same in databases whose clients set their search path themselves
create database pathless;
\connect pathless
create schema app;
set search_path = app;
create function positive(n integer) returns boolean language sql as 'select n > 0';
create function guard(n integer) returns boolean language plpgsql as 'begin return positive(n); end';
create table guarded (n integer check (guard(n)), list integer[]);
insert into guarded select generate_series(1, 6), array[1, null];
create database pathless_too template pathless;
alter database pathless set search_path = '';
alter database pathless set array_nulls = off;

-- the same in an encoding in which names are other bytes, with a view to fill and what an extension owns
\connect latin
\encoding UTF8
create function positive(n integer) returns boolean language sql as 'select n > 0';
create function guard(n integer) returns boolean language plpgsql as 'begin return positive(n); end';
create table guarded (n integer check (guard(n)));
insert into guarded select generate_series(1, 9);
create materialized view größe as select sum(n) as summe from guarded;
create extension hstore;
create table besitz (größe integer);
insert into besitz values (13);
alter extension hstore add table besitz;

-- names that the encoding of its clients does not have
create database narrow;
alter database narrow set client_encoding = 'LATIN1';
\connect narrow
set client_encoding = 'UTF8';
create schema 日本;
create table 日本.日 (n integer);
insert into 日本.日 select generate_series(1, 8);

-- an index that is built in parallel needs more shared memory than a container has
create database vectors;
alter database vectors set maintenance_work_mem = '256MB';
\connect vectors
create extension vector;
create table vectors (v vector(3)) with (parallel_workers = 2);
insert into vectors select array[n % 7, n % 5, 1]::vector from generate_series(1, 500) n;
set max_parallel_maintenance_workers = 0;
create index on vectors using hnsw (v vector_l2_ops);

-- a partition in a file that is gone, and a view that was computed while it was there
create database filed;
\connect filed
create extension file_fdw;
create server files foreign data wrapper file_fdw;
create table logs (n integer) partition by list (n);
create table logs_1 partition of logs for values in (1);
create foreign table logs_2 partition of logs for values in (2) server files options (filename '/tmp/gone');
copy (select 2) to '/tmp/gone';
insert into logs values (1), (1);
create materialized view seen as select count(*) from logs;
copy (select 1) to program 'rm /tmp/gone';

-- settings of all roles
alter role all set log_min_duration_statement = '9min';
alter role all set temp_tablespaces = '';

-- a materialised view over another database of this server
create role afar login superuser password 'x';
create database remote;
\connect remote
create extension postgres_fdw;
create server here foreign data wrapper postgres_fdw options (host '127.0.0.1', dbname 'sp_20261126');
create user mapping for boss server here options (user 'afar', password 'x');
create foreign table far (n integer) server here options (schema_name 'public', table_name 'kept');
create materialized view near as select * from far;
create materialized view nearer as select count(*) from near;
";

/// Each is named, and the rest comes back.
const IS_NAMED: &str = r"
create database named;
\connect named
create extension hstore;
create or replace function akeys(hstore) returns text[] language sql as 'select null::text[]';
create view added_view as select 1;
alter extension hstore add view added_view;
grant execute on function avals(hstore) to app;
create table parent (a integer);
create table child (own integer) inherits (parent);
alter table parent add column late integer;
create table target (id integer primary key);
create table pointing (id integer references target) partition by list (id);
create table pointing_1 (id integer, constraint own_name foreign key (id) references target);
alter table pointing attach partition pointing_1 for values in (1);
create function pg_catalog.hidden() returns integer language sql as 'select 1';
create schema repack;
create table packed (id integer primary key, t text);
insert into packed values (1, 'a');
create type repack.pk_16500 as (id integer);
create table repack.log_16500 (id bigserial primary key, pk repack.pk_16500, row packed);
create function repack.repack_trigger() returns trigger language plpgsql as
    $$ begin execute format('insert into repack.log_%s default values', tg_argv[0]); return new; end $$;
create trigger repack_trigger after insert on packed for each row execute procedure repack.repack_trigger('16500');
create publication there for table packed;
create subscription feed connection 'dbname=nowhere' publication there with (connect = false, slot_name = none);
\connect template1
create table in_template (n integer);
";

/// The role that we log in as is another after the login, and in a hurry.
const ODD_ROLE: &str = "
alter role boss set role = 'app';
alter role boss set statement_timeout = '1ms';
alter role boss set default_transaction_isolation = 'serializable';
alter role boss set client_encoding = 'LATIN1';
create role 日本 nologin;
";

/// What undoes that for a session of the test, from its first moment on.
const EVEN: &str = "-c role=none -c statement_timeout=0 -c default_transaction_read_only=off -c client_encoding=UTF8";

const COUNTS: [(&str, &str, &str); 20] = [
    ("sp_20261126", "select count(*) from kept", "7"),
    ("set_oddly", "select count(*) from odd.rows", "11"),
    ("indexed", "select count(*) from numbers where quartered(n) = 3", "4"),
    ("indexed", "select count(*) from zeros", "1"),
    ("set_oddly", "select md5(t) = md5(U&'\\65e5\\672c') from odd.signs", "t"),
    ("partitioned", "select count(*) from paints", "800"),
    ("partitioned", "select count(*) from paints where c = 'gold'", "100"),
    ("checked", "select count(*) from guarded", "5"),
    ("checked", "select length(t) from texts", "55"),
    ("pathless", "select sum(n), count(list[2]) from app.guarded", "21|0"),
    ("pathless_too", "select sum(n), count(list[2]) from app.guarded", "21|0"),
    ("latin", "select summe from größe", "45"),
    ("latin", "select größe from besitz", "13"),
    ("narrow", "select sum(n) from 日本.日", "36"),
    ("remote", "select count(*) from near", "7"),
    ("remote", "select * from nearer", "7"),
    (
        "vectors",
        "select count(*) from pg_indexes where tablename = 'vectors'",
        "1",
    ),
    ("filed", "select count(*) from logs_1", "2"),
    (
        "postgres",
        "select setconfig from pg_db_role_setting where setdatabase = 0 and setrole = 0",
        r#"{log_min_duration_statement=9min,"temp_tablespaces=\"\""}"#,
    ),
    ("named", "insert into packed values (2, 'b') returning id", "2"),
];

#[test]
fn what_is_awkward_comes_back_or_is_named() -> Result<()> {
    on_server("awkward", "POSTGRES", |server| {
        server.psql(COMES_BACK)?;
        owned::make(server)?;
        server.psql(IS_NAMED)?;
        server.psql(ODD_ROLE)?;
        let backup = server.product.run(&["backup"])?.must_end_with(0)?;
        is_named_before_the_stop(backup)?;
        let id = server.product.backups()?.pop().context("there is no backup")?;
        for database in [
            "sp_20261126",
            "set_oddly",
            "indexed",
            "partitioned",
            "checked",
            "pathless",
            "pathless_too",
            "latin",
            "narrow",
            "remote",
            "named",
            "vectors",
            "filed",
            owned::DATABASE,
        ] {
            wreck(server, database)?;
        }
        server.psql("alter role all reset all")?;
        let restore = server
            .product
            .run(&["restore", &id, "--confirm", &id, "--discard-old"])?;
        is_named_by_the_restore(restore.must_end_with(0)?)?;
        for (database, query, expected) in COUNTS {
            assert_eq!(in_database(server, database, query)?, expected, "{database}: {query}");
        }
        owned::is_back(server)?;
        owned::comes_back_with_a_later_version(server, &id)
    })
}

const NEEDS_A_SERVER: &str = "
\\connect boss
create extension pg_cron;
create role readers;
create role reader in role readers;
";

#[test]
fn what_the_server_lacks_is_said_before_the_stop() -> Result<()> {
    on_server("needs", "POSTGRES", |server| {
        server.restart_with(&["shared_preload_libraries = pg_cron", "cron.database_name = boss"])?;
        server.psql(NEEDS_A_SERVER)?;
        timescale::make(server)?;
        server.product.run(&["backup"])?.must_end_with(0)?;
        let id = server.product.backups()?.pop().context("there is no backup")?;
        let restore = ["restore", &id, "--confirm", &id, "--discard-old"];
        let refused = |reasons: &[&str]| {
            let ran = server.product.run(&restore)?.must_end_with(13)?;
            reasons
                .iter()
                .try_fold(ran, |ran, reason| ran.must_say(reason))
                .map(drop)
        };

        server.replace_by_one_of("admin", "POSTGRES")?;
        timescale::offer_the_later(server)?;
        // Whatever is the matter is said at once.
        refused(&[
            "the backup has `timescaledb` 2.1, which can be restored in that version alone",
            "add it to `shared_preload_libraries` (empty now) and restart the server",
            "the backup has `pg_cron` in database `boss`: set `cron.database_name = 'boss'` and restart the server",
        ])?;
        timescale::offer_both(server)?;
        server.restart_with(&["shared_preload_libraries = pg_cron"])?;
        refused(&[
            "this server allows it in `postgres` alone: set `cron.database_name = 'boss'` and restart the server",
        ])?;
        server.restart_with(&["cron.database_name = boss"])?;
        server.product.run(&restore)?.must_end_with(0)?;
        assert_eq!(
            server.psql("select pg_has_role('reader', 'readers', 'member')")?.trim(),
            "t"
        );
        timescale::is_back(server)
    })
}

fn is_named_before_the_stop(backup: Ran) -> Result<()> {
    backup
        .must_say("`named`: function hidden() in pg_catalog")?
        .must_say("function public.akeys(public.hstore), altered since it was made by extension hstore, view public.added_view, added to extension hstore",
        )?
        .must_say("`named`: the name of foreign key own_name of public.pointing_1, which is inherited and comes back as pointing_id_fkey")?
        .must_say("`named`: the order of the columns of public.child: inherited ones come first")?
        .must_say("`template1`: table public.in_template")?
        .must_say("a pg_repack that was killed has left its trigger on public.packed")?;
    Ok(())
}

fn is_named_by_the_restore(restore: Ran) -> Result<()> {
    restore
        .must_say(
            "the backup does not hold: `template1`: table public.in_template; `named`: function hidden() in pg_catalog",
        )?
        .must_say("database `checked` was loaded with its own search path and after the others")?
        .must_say("what a killed pg_repack had left behind is not restored")?
        .must_say("database `vectors` was loaded with its own search path")?
        .must_say("a materialised view is empty until `REFRESH MATERIALIZED VIEW public.seen` succeeds")?
        .must_say("the planner has no statistics of public.logs: ")?
        .must_say("subscriptions came back disabled, so that nothing is fetched twice: feed")?
        .must_say("the planner has no statistics of public.zeros: division by zero")?;
    Ok(())
}

/// What is in it is lost.
fn wreck(server: &Server, database: &str) -> Result<()> {
    let anew = format!("drop database {database} with (force);\ncreate database {database};");
    in_database(server, "postgres", &anew).map(drop)
}

pub(super) fn in_database(server: &Server, database: &str, script: &str) -> Result<String> {
    let said = server.psql(&format!(
        "\\connect -reuse-previous=on \"dbname={database} options='{EVEN}'\"\n{script}"
    ))?;
    Ok(said.trim().to_owned())
}
