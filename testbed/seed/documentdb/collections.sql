-- Collections with every awkward name and content that the catalog and the documents can hold. Fixed numbers: the same scale gives the
-- same documents. Jobs that build indexes are paused, so that what waits to be built waits.
\set ON_ERROR_STOP on
\set VERBOSITY terse
set client_min_messages = warning;

create role ferret login password 'ferret-secret';
create role "Ana ""Lyst"" O'Neil" login password 'quote''d \secret"';
create role readers nologin;
grant documentdb_admin_role to ferret, "Ana ""Lyst"" O'Neil";
grant documentdb_readonly_role to readers;
grant readers to ferret with admin option;
alter role ferret set statement_timeout = '66s';

-- Jobs are edited, and one is somebody's own. What builds indexes rests, so that what waits to be built waits.
select count(cron.alter_job(jobid, active => false)) from cron.job where command like '%build_index%' \g /dev/null
select count(cron.alter_job(jobid, schedule => '30 3 1 1 *')) from cron.job where schedule = '* * * * *' \g /dev/null
select cron.schedule('it''s "mine"', '7 seconds', 'select 1 /* tab	and \backslash */') \g /dev/null

create function pg_temp.json(n bigint) returns bytea language sql as $$
    select convert_to(json_build_object('n', n, 'name', 'agent ' || n, 'at', '2100-01-01T00:00:00Z',
        'text', repeat(encode(sha256(n::text::bytea), 'hex'), 12))::text, 'UTF8')
$$;
select count(documentdb_api.insert_one('hub', 'agents', convert_to(n::text, 'UTF8'), pg_temp.json(n)))
from generate_series(1, 2000 * :scale) n \g /dev/null

-- Names, and bytes that a text format has to quote.
select count(documentdb_api.insert_one(d, c, '\x00'::bytea || convert_to(c, 'UTF8') || bytes, bytes)) from (values
    ('we "ird'' db', 'quote"d ''name'''), ('we "ird'' db', E'tab\tand\nline break'), ('Grüße ✓', 'back\slash'),
    ('\.', 'COPY x FROM stdin;'), ('\N', ''), (' ', '-- Stillpoint: rows'), ('$$', ':scale')) as names (d, c),
    (values ('\x000102090a0d5c2e0a5c4e27225c5c80feff'::bytea), (''::bytea)) as contents (bytes) \g /dev/null
select documentdb_api.insert_one('hub', 'bytes', convert_to('all', 'UTF8'),
    (select string_agg(set_byte('\x00', 0, b), ''::bytea order by b) from generate_series(0, 255) b)) \g /dev/null
select documentdb_api.create_collection('hub', 'empty') \g /dev/null

-- A view, a validator, a shard key: no documents, and in the catalog alone.
insert into documentdb_api_catalog.collections (database_name, collection_name, view_definition)
values ('hub', 'of_agents', '\x0d00000002766965770000006100'::bytea);
update documentdb_api_catalog.collections set validator = '\x0500000000'::bytea, validation_level = 'strict', validation_action = 'warn',
    shard_key = '\x00ff00'::bytea where collection_name = 'bytes';

-- Indexes: built (one of them unique, one that expires), and waiting to be, for two roles, one of whose numbers will be another's.
select documentdb_api.create_index('hub', 'agents', 'number', convert_to('n', 'UTF8'), true, null) \g /dev/null
select documentdb_api.create_index('hub', 'agents', 'expires', convert_to('at', 'UTF8'), false, 3600) \g /dev/null
call documentdb_api_internal.build_index_concurrently(1);
call documentdb_api_internal.build_index_concurrently(2);
call documentdb_api_internal.build_index_concurrently(1);
call documentdb_api_internal.build_index_concurrently(2);
set session authorization ferret;
select documentdb_api.create_index('hub', 'agents', 'waits', convert_to('name', 'UTF8'), false, null) \g /dev/null
set session authorization "Ana ""Lyst"" O'Neil";
select documentdb_api.create_index('we "ird'' db', 'quote"d ''name''', 'waits "too"', convert_to('it''s', 'UTF8'), false, null) \g /dev/null
reset session authorization;
update documentdb_api_catalog.documentdb_index_queue set index_cmd_status = 2, global_pid = 4711, start_time = '2025-01-01 00:00:00+00'
where index_cmd like '%it''''s%';

-- What was dropped has taken its numbers along: the next ones are not the largest plus one.
select documentdb_api.create_collection('hub', 'dropped') \g /dev/null
do $$
declare
    id bigint;
begin
    delete from documentdb_api_catalog.collections where collection_name = 'dropped' returning collection_id into id;
    delete from documentdb_api_catalog.collection_indexes where collection_id = id;
    execute format('drop table documentdb_data.documents_%s, documentdb_data.retry_%1$s', id);
end $$;

-- A database beside it, for whom documents are not enough.
create database beside owner ferret;
\connect beside
create table notes (id integer primary key, note text);
insert into notes select n, 'note ' || n from generate_series(1, 100) n;
\connect postgres

-- The witness's place, then the mark that the seed is whole.
select documentdb_api.create_collection('witness', 'ticks') \g /dev/null
create table public.seeded (scale integer primary key);
insert into public.seeded values (:scale);
checkpoint;
