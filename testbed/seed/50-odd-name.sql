-- Every name needs quoting; the owner is no superuser and no default one.
\connect "we ""ird' db #1%"
set client_min_messages = warning;
create schema ext;
grant usage on schema ext to public;
create extension pg_trgm with schema ext;
set role "Ana ""Lyst"" O'Neil";
create schema "Sch ema %s";
create table "Sch ema %s"."ta""ble'" ("col umn" integer generated always as identity, "SELECT" text default 'a''b', primary key ("col umn"));
insert into "Sch ema %s"."ta""ble'" ("SELECT") select 'value '' " \ $$ ' || g from generate_series(1, 100 * :scale) g;
create index "in ""dex" on "Sch ema %s"."ta""ble'" using gin ("SELECT" ext.gin_trgm_ops);
create view "Sch ema %s"."vi ew" as select "col umn" + 1 as "a b" from "Sch ema %s"."ta""ble'";
create sequence "Sch ema %s"."se quence" start -10 increment -1 minvalue -100 maxvalue -1;
select nextval('"Sch ema %s"."se quence"') \g /dev/null
comment on table "Sch ema %s"."ta""ble'" is E'two\nlines';
select lo_from_bytea(800001, '\xdeadbeef00ff') \g /dev/null
reset role;
