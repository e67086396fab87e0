-- The disaster: no collection, no role of the platform is left; the extension is there anew, with its own seeded jobs, and rubbish under
-- old names and numbers takes the collections' place.
\set ON_ERROR_STOP on
set client_min_messages = error;
drop table if exists public.seeded;
select format('drop database %I with (force)', datname) from pg_database where datname !~ '^(template[01]|postgres)$' \gexec
drop extension documentdb cascade;
drop extension pg_cron cascade;
drop schema if exists documentdb_data cascade;
select format('drop owned by %I cascade', rolname) from pg_roles where oid >= 16384 \gexec
select format('drop role %I', rolname) from pg_roles where oid >= 16384 \gexec
create extension documentdb cascade;
select cron.schedule('rubbish', '3 seconds', 'select 2') \g /dev/null
select documentdb_api.insert_one('hub', 'agents', 'not', 'what you remember') \g /dev/null
select documentdb_api.insert_one('rubbish', 'x', '1', '2') \g /dev/null
