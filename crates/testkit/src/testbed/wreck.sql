-- The disaster: no database, no role of the platform is left, and rubbish under the old names takes their place.
\set ON_ERROR_STOP on
set client_min_messages = error;
drop table if exists public.seeded;
select format('alter database %I is_template false', datname) from pg_database where datistemplate and datname !~ '^template[01]$' \gexec
select format('drop database %I with (force)', datname) from pg_database where datname !~ '^(template[01]|postgres)$' \gexec
-- 16384 is the first oid that is not the server's own.
select format('revoke %I from %I granted by %I cascade', r.rolname, m.rolname, g.rolname)
from pg_auth_members a join pg_roles r on r.oid = a.roleid join pg_roles m on m.oid = a.member join pg_roles g on g.oid = a.grantor
where r.oid >= 16384 or m.oid >= 16384 \gexec
select format('drop owned by %I cascade; drop role %I', rolname, rolname) from pg_roles where oid >= 16384 \gexec
create database openwebui;
create database dagster;
\connect openwebui
create table public.chat (id integer, rubbish text);
insert into public.chat select g, 'not what you remember' from generate_series(1, 500) g;
\connect dagster
create schema dagster_ops;
create table public.runs (id serial primary key);
select nextval('public.runs_id_seq') \g /dev/null
