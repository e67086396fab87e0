-- The disaster on a server that lives on: databases gone, emptied, and some that cannot simply be dropped.
\set ON_ERROR_STOP on
set client_min_messages = error;
drop database "Bytes" with (force);
alter database bare is_template true;
update pg_database set datconnlimit = -2 where datname = 'dbname=postgres host=nowhere.invalid -x 45678901234567890123456';
alter role owner1 reset work_mem;
alter role auditor superuser;
revoke readers from owner1 cascade;
\connect every
set client_min_messages = error;
drop schema "We ird.""schema'" cascade;
drop publication everything;
alter table app.refers drop column self cascade;
truncate app.awkward, app.hashed, app.member;
drop table app.scratch;
select lo_unlink(700001) \g /dev/null
create table public.rubbish as select 'not what you remember' as t;
