-- A server with at least one object of every class that a CREATE command makes, rows that are easily spoilt, and what is
-- known to trip a dump or a restore. For PostgreSQL 15 and later; run by psql as a superuser, once.
\set ON_ERROR_STOP on
\set VERBOSITY terse
set client_min_messages = warning;
select current_setting('server_version_num')::int >= 170000 as v17 \gset

-- == The server =========================================================================================================
create role owner1 login password 'owner-secret' connection limit 7 valid until '2031-05-01 00:00:00+00';
create user "Röle ""q"" 'a' %" with createrole password 'quote''d \ "secret"';
create group readers;
create role auditor nologin noinherit bypassrls replication;
create role replicator superuser;
grant readers to owner1 with admin option;
grant readers to "Röle ""q"" 'a' %" granted by owner1;
grant pg_read_all_stats to auditor;
grant set, alter system on parameter log_min_duration_statement to auditor;
alter role owner1 set work_mem = '8MB';
-- Whoever trusts a session's defaults meets these.
alter role auditor set default_transaction_read_only = on;
alter role all set log_statement = 'none';
comment on role readers is 'may read; it''s for people';
create tablespace "fast disk" owner owner1 location '/srv/fast disk' with (random_page_cost = 1.1);
comment on tablespace "fast disk" is 'an own disk';
grant create on tablespace "fast disk" to readers;

create database every owner owner1 tablespace "fast disk" connection limit 40;
comment on database every is 'one of everything';
alter database every set statement_timeout = '77s';
alter database every set search_path = "$user", app, public;
revoke connect, temporary on database every from public;
grant connect on database every to readers with grant option;
alter role auditor in database every set work_mem = '5MB';

-- == Schemas, privileges, extensions ====================================================================================
\connect every
set client_min_messages = warning;
set statement_timeout = 0;
create schema app authorization owner1;
create schema "We ird.""schema'" authorization "Röle ""q"" 'a' %";
comment on schema app is 'the application''s';
grant usage on schema app to readers;
revoke all on schema public from public;
alter default privileges for role owner1 in schema app grant select on tables to readers;
alter default privileges for role owner1 in schema app grant usage on sequences to readers with grant option;
alter default privileges for role owner1 revoke execute on functions from public;
alter default privileges for role owner1 grant usage on types to readers;
alter default privileges for role owner1 grant usage on schemas to readers;
-- Privileges on what is the server's own are in a dump, as far as they were changed.
revoke execute on function pg_catalog.pg_sleep(double precision) from public;
grant execute on function pg_catalog.pg_stat_file(text) to auditor;

create extension hstore schema app;
create extension pg_trgm version '1.3' schema public;
create extension btree_gin schema public;
create extension file_fdw;
create extension postgres_fdw;
create extension citext schema "We ird.""schema'";
grant execute on function public.similarity(text, text) to auditor;

set role owner1;
set search_path = app, public;

-- == Types, domains, collations =========================================================================================
create type mood as enum ('sad', 'ok', 'it''s "fine"');
alter type mood add value 'between' before 'ok';
create type pair as (a integer, "B c" text collate "C", at timestamptz);
alter type pair add attribute gone integer;
alter type pair drop attribute gone;
comment on type pair is 'two and a time';
reset role;
create type shell;
create type whole;
create function whole_in(cstring) returns whole language internal immutable strict as 'int4in';
create function whole_out(whole) returns cstring language internal immutable strict as 'int4out';
create type whole (input = whole_in, output = whole_out, like = pg_catalog.int4, category = 'N', default = '7');
set role owner1;
create function whole_minus(double precision, double precision) returns double precision language sql immutable strict
    return $1 - $2;
create type span as range (subtype = double precision, subtype_diff = whole_minus, multirange_type_name = spans);
create domain positive as numeric(20, 5) default 1 constraint above_zero check (value > 0);
create domain nonempty as text collate "C" not null check (value <> '');
alter domain nonempty add constraint "short!" check (length(value) < 1000) not valid;
comment on constraint above_zero on domain positive is 'zero is not positive';
create collation german (provider = icu, locale = 'de-u-co-phonebk');
create collation blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create collation c_like from "C";
grant usage on type mood to readers;
revoke usage on type pair from public;

-- == Functions, aggregates, operators, casts ============================================================================
create function add_up(a integer, b integer default 2, variadic more integer[] default '{}') returns integer
    language sql immutable parallel safe cost 3 set work_mem = '4MB' as $q$ select a + b + coalesce(sum(m), 0)::int from unnest(more) m $q$;
create function rows_of(n integer, out i integer, out t text) returns setof record language plpgsql rows 42 security definer as $$
begin
    -- a dollar $1, a quote ', a backslash \, and a tag $q$
    for i in 1..n loop t := 'r' || i; return next; end loop;
end $$;
create function modern(x integer) returns integer language sql begin atomic select x + 1; end;
comment on function modern(integer) is 'a body that is parsed';
create procedure put(inout n integer) language plpgsql as $$ begin n := n + 1; commit; end $$;
grant execute on function add_up(integer, integer, integer[]) to readers;
create aggregate longest(text) (sfunc = pg_catalog.text_larger, stype = text, combinefunc = pg_catalog.text_larger, parallel = safe);
comment on aggregate longest(text) is 'the last one';
create function mood_after(mood, mood) returns boolean language sql immutable return $1 > $2;
create function mood_before(mood, mood) returns boolean language sql immutable return $1 < $2;
create operator <<< (procedure = mood_before, leftarg = mood, rightarg = mood, commutator = >>>);
create operator >>> (procedure = mood_after, leftarg = mood, rightarg = mood, commutator = <<<);
comment on operator <<< (mood, mood) is 'sadder than';
reset role;
create aggregate percent(double precision order by anyelement) (sfunc = pg_catalog.ordered_set_transition, stype = internal,
    finalfunc = pg_catalog.percentile_disc_final, finalfunc_extra, finalfunc_modify = read_write);
create function whole_less(whole, whole) returns boolean language internal immutable strict as 'int4lt';
create function whole_equal(whole, whole) returns boolean language internal immutable strict as 'int4eq';
create function whole_hash(whole) returns integer language internal immutable strict as 'hashint4';
create operator < (function = whole_less, leftarg = whole, rightarg = whole, restrict = scalarltsel, join = scalarltjoinsel);
create operator = (function = whole_equal, leftarg = whole, rightarg = whole, commutator = =, hashes, restrict = eqsel, join = eqjoinsel);
create operator family whole_family using hash;
create operator class whole_class default for type whole using hash family whole_family as operator 1 =, function 1 whole_hash(whole);
alter operator family whole_family using hash add function 1 (integer, integer) pg_catalog.hashint4(integer);
comment on operator class whole_class using hash is 'hashes like integers';
create cast (whole as integer) without function as implicit;
create cast (integer as whole) without function as assignment;
create cast (mood as integer) with inout;
comment on cast (whole as integer) is 'the same bits';
create default conversion latin1_again for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
create transform for integer language sql (from sql with function pg_catalog.prsd_lextype(internal), to sql with function pg_catalog.int4recv(internal));
create function odd_handler() returns language_handler language c as '$libdir/plpgsql', 'plpgsql_call_handler';
create function odd_inline(internal) returns void language c strict as '$libdir/plpgsql', 'plpgsql_inline_handler';
create function odd_validator(oid) returns void language c strict as '$libdir/plpgsql', 'plpgsql_validator';
create trusted language plodd handler odd_handler inline odd_inline validator odd_validator;
comment on language plodd is 'PL/pgSQL by another name';
grant usage on language plodd to readers;
create function in_odd() returns integer language plodd as $$ begin return 1; end $$;
create access method heap2 type table handler heap_tableam_handler;
create access method hash2 type index handler hashhandler;
create operator class int_hash2 default for type integer using hash2 as operator 1 =, function 1 pg_catalog.hashint4(integer);
comment on access method heap2 is 'a heap';

-- == Text search ========================================================================================================
create text search parser words (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype, headline = prsd_headline);
create text search template plain (init = dsimple_init, lexize = dsimple_lexize);
create text search dictionary lower_only (template = plain, stopwords = english, accept = false);
create text search configuration notes (parser = words);
alter text search configuration notes add mapping for asciiword, word with lower_only, simple;
comment on text search configuration notes is 'few words';

-- == Tables =============================================================================================================
set role owner1;
create table parent (
    id bigint generated always as identity (start 1000 increment -5 minvalue -9000000 maxvalue 1000 cycle) primary key,
    "user" text not null default current_user,
    gone_first integer,
    mood mood default 'ok',
    amount positive,
    doubled numeric generated always as (amount * 2) stored,
    note text compression pglz collate "C",
    big text,
    constraint "a ""check""" check (length(note) < 100000),
    constraint no_pairs exclude using gist (int8range(id, id, '[]') with &&) deferrable initially deferred
) with (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_vacuum_threshold = 99);
alter table parent drop column gone_first;
alter table parent add column late integer default 42;
alter table parent alter column big set storage external, alter column note set statistics 500, alter column late set (n_distinct = -0.5);
comment on table parent is E'two\nlines; and ''quotes''';
comment on column parent."user" is 'who';
comment on constraint "a ""check""" on parent is 'not too long';
insert into parent ("user", mood, amount, note, big)
select 'u' || g, (array['sad', 'between', 'it''s "fine"'])[1 + g % 3]::mood, g, repeat('n', g), repeat(md5(g::text), 300) from generate_series(1, 50) g;
update parent set late = 7 where id % 2 = 0;
delete from parent where amount = 50;

create table child (extra integer) inherits (parent);
insert into child (id, "user", amount, extra) values (1, 'child', 3, 1);
create table refers (
    id serial,
    parent bigint references parent on delete set null on update cascade deferrable initially deferred,
    self integer,
    unique nulls not distinct (self),
    primary key (id) include (self)
);
insert into refers (parent, self) select id, row_number() over () from only parent limit 5;
alter table refers add constraint self_ref foreign key (self) references refers (id) match full not valid;
insert into refers (id, parent, self) select 77, null, 77;
alter table refers add constraint never check (id < 5) not valid;
alter table refers replica identity using index refers_pkey;
alter table refers cluster on refers_self_key;

create unlogged table scratch (id integer, t text);
insert into scratch values (1, 'unlogged rows too');
create table typed of pair (a primary key, "B c" with options default 'typed');
insert into typed values (1, default, '2026-01-02 03:04:05.678901+02');
create table as_made as select g as n, 'made' as how from generate_series(1, 10) g;
create table nothing ();
insert into nothing default values;
create table "Odd.""tab'le %s" ("Co lumn""'" integer, "SELECT" text);
insert into "Odd.""tab'le %s" values (1, E'tab\t newline\n cr\r bs\\ nul-less \\. \\N end');
create table empty (id integer primary key) with (autovacuum_enabled = off);
reset role;
create table other_method (id integer) using heap2;
insert into other_method select generate_series(1, 3);
create table elsewhere (id integer) tablespace pg_default;
create table whole_numbers (w whole, h hstore, c "We ird.""schema'".citext) with (toast_tuple_target = 256);
insert into whole_numbers values (5::whole, 'a=>1, "b \"q\""=>NULL', 'CiText');
create table "We ird.""schema'".inside (id integer default nextval('app.refers_id_seq'));
insert into "We ird.""schema'".inside values (1);

create table parts (id integer, at date not null, k text) partition by range (at);
create table parts_1 partition of parts for values from (minvalue) to ('2026-01-01');
create table parts_2 partition of parts for values from ('2026-01-01') to ('2027-01-01') partition by list (k);
create table parts_2_a partition of parts_2 for values in ('a', null);
create table parts_2_rest partition of parts_2 default;
create table parts_3 (k text, dropped integer, at date not null, id integer);
alter table parts_3 drop column dropped;
alter table parts attach partition parts_3 for values from ('2027-01-01') to (maxvalue);
create table hashed (id integer primary key, v text) partition by hash (id);
create table hashed_0 partition of hashed for values with (modulus 2, remainder 0);
create table hashed_1 partition of hashed for values with (modulus 2, remainder 1) with (fillfactor = 50);
insert into parts select g, '2025-06-01'::date + g * 30, (array['a', 'b', null])[1 + g % 3] from generate_series(1, 40) g;
insert into hashed select g, 'v' || g from generate_series(1, 20) g;
alter table parts owner to owner1;

grant select, insert (id, self), update (self) on refers to readers;
grant all on parent to auditor;
revoke all on as_made from owner1;
grant select on as_made to owner1 with grant option;

-- == Content that is easily spoilt ======================================================================================
create table awkward (
    id integer primary key, b boolean, i2 smallint, i8 bigint, f4 real, f8 double precision, n numeric, m money, t text, c char(5),
    vc varchar(9), by bytea, d date, ti time, tz time with time zone, ts timestamp, tstz timestamptz, iv interval, u uuid, j json, jb jsonb,
    x xml, ia integer[], ta text[][], r int4range, mr datemultirange, sp span, bits bit(5), vb bit varying, net inet, ci cidr,
    mac macaddr, p point, po polygon, ci2 circle, tv tsvector, tq tsquery, o oid, rc regclass, lsn pg_lsn, jp jsonpath, pr pair, md mood, q "char"
);
insert into awkward (id, b, i2, i8, f4, f8, n, m, t, c, vc, by) values
    (1, true, -32768, 9223372036854775807, 'NaN', '-Infinity', 'NaN', -12.34, '', 'ab', '', ''),
    (2, false, 32767, -9223372036854775808, 1.17549435e-38, 4.9406564584124654e-324, 'Infinity', 0, '\N', '', E'\\.', '\x00ff5c270a0d09'),
    (3, null, null, null, 3.4028235e38, 0.1::float8 + 0.2::float8, 0.000000000000000000000000000001234567890, null, E'\\N\t\\t\r\n"''$$%', null, null, sha256('x')),
    (4, null, null, null, '-0', 1e300, 10::numeric ^ 1000, null, U&'\0001\007f\00a0\200d\d83d\de00 Grüße', null, null, decode(repeat('deadbeef', 5000), 'hex'));
insert into awkward (id, d, ti, tz, ts, tstz, iv, u) values
    (11, '-infinity', '24:00:00', '00:00:00.000001+15:59:59', 'infinity', '-infinity', '-1 years -2 mons +3 days -04:05:06.789', '00000000-0000-0000-0000-000000000000'),
    (12, '4713-01-01 BC', '00:00', '12:00-15:59', '294276-12-31 23:59:59.999999', '0044-03-15 12:00:00 BC', '178000000 years', 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
    (13, '5874897-12-31', null, null, '2026-03-29 02:30:00', '2026-10-25 02:30:00 Europe/Zurich', '1 mon -1 day', null);
insert into awkward (id, j, jb, x, ia, ta, r, mr, sp) values
    (21, E'{"a" : 1,\n "a": 2, "n": 1.0e400, "u": "\\u00e9"}', '{"a": 1.10, "b": [null, {}], "": "\u00e9"}', '<?xml version="1.0"?><a b="1">&lt;ü</a>', '[-1:1]={1,null,3}',
         '{{"with \"q\"",NULL},{"NULL","{}"}}', 'empty', '{[2026-01-01,2026-02-01),(,2020-01-01)}', '[1.5,)'),
    (22, 'null', 'null', 'only a <b/> fragment', '{}', '{""}', '(,)', '{}', '(-infinity,infinity)'),
    (23, '"\ud83d\ude00"', '1e100', null, '{{{1}}}', null, '[1,2)', null, 'empty');
insert into awkward (id, bits, vb, net, ci, mac, p, po, ci2, tv, tq, o, rc, lsn, jp, pr, md, q) values
    (31, B'10101', B'', '::ffff:1.2.3.4/100', '10.0.0.0/8', '08:00:2b:01:02:03', '(1e-300,NaN)', '((0,0),(1,1),(1,0))', '<(1,2),3>', '''it''''s'':1A,2B a:3',
         '!a <2> ''b c''', 4294967295, 'app.parent', 'FFFFFFFF/FFFFFFFF', '$.a[*] ? (@ > 1)', '(1,"a ""b"", c","2026-01-01 00:00:00+00")', 'between', E'\\377');

-- == Sequences ==========================================================================================================
create sequence odd as smallint increment -3 minvalue -300 maxvalue 30 start 15 cache 5 cycle;
alter sequence odd owner to owner1;
alter sequence odd owned by refers.self;
select setval('odd', -299, true) \g /dev/null
create sequence fresh start 17;
create sequence full_up maxvalue 5;
select setval('full_up', 5, true) \g /dev/null
create unlogged sequence lost start 3;
grant usage on sequence odd to auditor;

-- == Indexes and statistics =============================================================================================
create index on parent ((lower("user")), amount desc nulls last) where mood <> 'sad';
create unique index parent_partial on parent (late, id) include (note) with (fillfactor = 60) where late > 3;
create index parent_trgm on parent using gin (note gin_trgm_ops) with (fastupdate = off);
create index awkward_gin on awkward using gin (jb jsonb_path_ops, ia);
create index awkward_gist on awkward using gist (r, p);
create index awkward_spgist on awkward using spgist (t text_ops) tablespace pg_default;
create index awkward_brin on awkward using brin (i8 int8_minmax_multi_ops (values_per_range = 16)) with (pages_per_range = 2);
create index awkward_hash on awkward using hash (u);
create index other_am on refers using hash2 (self);
create index whole_hash on whole_numbers using hash (w);
create index blind_idx on parent ("user" collate blind);
create index expr_stat on parent ((amount + late));
alter index expr_stat alter column 1 set statistics 77;
create index parts_at on parts (at);
create index parts_alone on only parts (id);
create statistics parent_stat (ndistinct, dependencies, mcv) on mood, late from parent;
create statistics parent_expr on (lower("user")), (amount + 1) from parent;
alter statistics parent_stat set statistics 55;
comment on index parent_trgm is 'for search';
alter table hashed replica identity full;
alter table empty replica identity nothing;

-- == Views, rules, triggers, policies ===================================================================================
create view barrier with (security_barrier, security_invoker) as select id, "user" from parent where late > 0;
create recursive view counting (n) as values (1) union all select n + 1 from counting where n < 5;
create view checked as select id, self from refers where id < 100 with cascaded check option;
create view depends as select parent.*, 'const' as k, (select count(*) from child) as children from parent group by parent.id;
alter view checked alter column self set default 9;
grant select on barrier to readers;
create temporary view passing as select 1;
create materialized view stale as select count(*) as n, max(amount) as top from parent;
create materialized view stale_rows with (fillfactor = 90) tablespace pg_default as select id, note from only parent;
create materialized view never_filled as select 1 as one with no data;
create unique index on stale_rows (id);
-- What it was computed from has changed since.
delete from only parent where amount > 40;
create rule keep as on delete to as_made do instead nothing;
create rule also as on insert to as_made do also notify "as_made", 'it''s big';
alter table as_made disable rule keep;
create function touch() returns trigger language plpgsql as $$ begin new.late := coalesce(new.late, 0) + 1; return new; end $$;
create trigger touch before insert or update of note, amount on parent for each row when (new.amount > 1) execute function touch('arg', E'b\\a''d');
create trigger after_all after delete on parts referencing old table as old_rows for each statement execute function touch();
create constraint trigger late_check after update on refers deferrable initially deferred for each row execute function touch();
create trigger off before update on refers for each row execute function touch();
create trigger always before update on refers for each row execute function touch();
create trigger of_view instead of insert on barrier for each row execute function touch();
alter table refers disable trigger off;
alter table refers enable always trigger always;
comment on trigger touch on parent is 'counts';
alter table parent enable row level security, force row level security;
create policy own on parent as restrictive for update to readers, auditor using ("user" = current_user) with check (amount < 9);
create policy see on parent for select using (true);
comment on policy own on parent is 'one''s own';

-- == Foreign data, publications, subscriptions ==========================================================================
create foreign data wrapper dummy options (debug 'true');
create foreign data wrapper another handler postgres_fdw_handler validator postgres_fdw_validator;
create server "file's" type 'files' version '1' foreign data wrapper file_fdw;
create server remote foreign data wrapper postgres_fdw options (host 'nowhere.invalid', dbname 'x=y''z', fetch_size '7');
create user mapping for owner1 server remote options (user 'them', password 's''ecret');
create user mapping for public server remote options (user 'anybody');
grant usage on foreign server remote to owner1;
grant usage on foreign data wrapper dummy to auditor;
create foreign table far (id integer options (column_name 'ID'), t text collate "C" not null) server remote options (schema_name 's', table_name 't');
create foreign table passwd (line text) server "file's" options (filename '/etc/passwd', format 'text', delimiter E'\x01');
comment on foreign table far is 'not here';
create publication chosen for table only refers (id, self) where (id > 3), table hashed with (publish = 'insert, update', publish_via_partition_root);
create publication of_schema for tables in schema "We ird.""schema'";
create publication everything for all tables;
create subscription feed connection 'host=127.0.0.1 port=1 dbname=nowhere password=''s ecret''' publication there, "and there"
    with (connect = false, slot_name = 'feed_slot', binary, streaming, synchronous_commit = 'on');
create subscription unslotted connection 'dbname=nowhere' publication there with (connect = false, slot_name = none);
alter subscription feed enable;
alter subscription feed owner to replicator;

-- == Large objects ======================================================================================================
select lo_from_bytea(700001, '\x00ff0a'), lo_from_bytea(700002, convert_to(repeat(md5('x'), 4000), 'UTF8')), lo_create(700003) \g /dev/null
alter large object 700002 owner to owner1;
grant select on large object 700001 to readers;
comment on large object 700002 is 'the second';

-- == What only newer servers have =======================================================================================
\if :v17
grant maintain on parent to readers;
create collation built_in (provider = builtin, locale = 'C.UTF-8');
create table identities (id integer generated by default as identity, k integer) partition by range (k);
create table identities_1 partition of identities for values from (1) to (10);
insert into identities (k) values (1), (2);
create group maintainers;
grant maintainers to owner1 with inherit false, set false;
create table login_log (who text);
create function log_login() returns event_trigger language plpgsql as $$ begin insert into app.login_log values (session_user); end $$;
create event trigger logs_login on login execute function log_login();
\else
-- Before 16 anybody who could grant a role was noted as its grantor, and need not have its ADMIN OPTION.
create group granted;
set role "Röle ""q"" 'a' %";
grant granted to auditor;
reset role;
\endif

-- == What a dump leaves out =============================================================================================
create table twice (n integer);
insert into twice values (1), (1);
\set ON_ERROR_STOP off
\set QUIET on
create unique index concurrently invalid on twice (n);
\set ON_ERROR_STOP on
comment on function pg_catalog.now() is 'a comment on what is the server''s own';
comment on operator public.% (text, text) is 'a comment on what is an extension''s';

-- == Event triggers: last, they see what follows ========================================================================
create table ddl_log (n integer generated always as identity, tag text);
create function log_ddl() returns event_trigger language plpgsql as $$ begin insert into app.ddl_log (tag) values (tg_tag); end $$;
create function forbid() returns event_trigger language plpgsql as $$ begin raise 'no % here', tg_tag; end $$;
create event trigger logs on ddl_command_end execute function log_ddl();
create event trigger forbids on ddl_command_start when tag in ('CREATE SERVER', 'REFRESH MATERIALIZED VIEW') execute function forbid();
create event trigger off on sql_drop execute function forbid();
create event trigger always on table_rewrite execute function forbid();
alter event trigger off disable;
alter event trigger always enable always;
comment on event trigger logs is 'who did what';
create table logged (n integer);

-- == Other databases ====================================================================================================
\connect template1
create database "od""d 'db #1%/ä $x \ =" owner "Röle ""q"" 'a' %";
\connect -reuse-previous=on "dbname='od""d \'db #1%/ä $x \\ ='"
create table t as select 1 as n;

-- Of the longest length, and what libpq takes for a connection string.
create database "dbname=postgres host=nowhere.invalid -x 45678901234567890123456" template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C';
\connect -reuse-previous=on "dbname='dbname=postgres host=nowhere.invalid -x 45678901234567890123456'"
\encoding UTF8
create table "Größe" ("Maß" text);
insert into "Größe" values ('äöü ÿ');

create database "Bytes" template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C';
\connect "Bytes"
\encoding SQL_ASCII
create table t (b text);
insert into t values (E'no UTF-8: \xff\xfe\x80');
-- A database that writes to itself only when it is told to.
alter database "Bytes" set default_transaction_read_only = on;
alter database "Bytes" set datestyle = 'German, DMY';
alter database "Bytes" set intervalstyle = 'sql_standard';

create database bare template template0;
\connect bare
drop schema public cascade;
drop extension plpgsql;

\connect template1
create database closed allow_connections false;
create database own_template is_template true;
create database broken;
-- What an interrupted DROP DATABASE leaves.
update pg_database set datconnlimit = -2 where datname = 'broken';
