-- Dagster's storage: the big event log, run and tick tables, pg_repack, autovacuum settings, an event trigger, an unlogged table.
\connect dagster
set client_min_messages = warning;
create extension pg_repack;
create schema dagster_ops authorization dagster;
set role dagster;
set search_path = public;

create table runs (
    id bigserial primary key, run_id varchar(255) unique, snapshot_id text, pipeline_name text, mode text, status varchar(63),
    run_body text, partition text, partition_set text, create_timestamp timestamp not null, update_timestamp timestamp not null,
    start_time double precision, end_time double precision);
insert into runs (run_id, pipeline_name, mode, status, run_body, create_timestamp, update_timestamp, start_time, end_time)
select md5(g::text), 'nightly', 'default', (array['SUCCESS', 'FAILURE', 'CANCELED'])[1 + g % 3],
       '{"__class__":"DagsterRun","n":' || g || ',"body":"' || repeat(md5((g * 3)::text), 8) || '"}',
       timestamp '2026-01-01' + g * interval '1 min', timestamp '2026-01-01' + g * interval '90 s', g * 1.5, g * 1.75
from generate_series(1, 180 * :scale) g;
create index idx_run_status on runs (status, update_timestamp);

create table run_tags (id bigserial primary key, run_id varchar(255) references runs (run_id) on delete cascade, key text, value text);
insert into run_tags (run_id, key, value) select run_id, k, k || id from runs, unnest(array['dagster/partition', 'team']) k;

create table event_logs (
    id bigserial primary key, run_id varchar(255), event text not null, dagster_event_type text, timestamp timestamp, step_key text,
    asset_key text, partition text);
insert into event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key)
select md5((g / 50)::text),
       '{"__class__":"EventLogEntry","dagster_event":{"__class__":"DagsterEvent","event_specific_data":{"metadata":"' || md5(g::text)
       || md5((g * 7)::text) || '"},"event_type_value":"STEP_OUTPUT","logging_tags":{"job":"nightly","run":"' || md5((g / 50)::text)
       || '"},"message":"Finished execution of step op_' || (g % 97) || ' in ' || (g % 1000) || 'ms.","pid":' || (g % 32768)
       || ',"step_key":"op_' || (g % 97) || '"},"error_info":null,"level":10,"user_message":"'
       || repeat('Loaded input from upstream using io manager. ', 4) || '"}',
       (array['STEP_OUTPUT', 'LOADED_INPUT', 'ENGINE_EVENT', 'STEP_SUCCESS'])[1 + g % 4],
       timestamp '2026-01-01' + g * interval '1 s', 'op_' || (g % 97), 'asset_' || (g % 31)
from generate_series(1, 9000 * :scale) g;
create index idx_event_run on event_logs (run_id, id);
create index idx_event_type on event_logs (dagster_event_type, id);
alter table event_logs set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 1);
alter index idx_event_type set (fillfactor = 90);
-- Gaps, as a cleanup leaves them.
delete from event_logs where id % 10 = 0;

create table job_ticks (id bigserial primary key, job_origin_id varchar(255), status varchar(63), type varchar(63), timestamp timestamp,
    tick_body text, selector_id text);
insert into job_ticks (job_origin_id, status, type, timestamp, tick_body)
select md5((g % 5)::text), 'SUCCESS', 'SCHEDULE', timestamp '2026-01-01' + g * interval '30 s', repeat(md5(g::text), 4)
from generate_series(1, 500 * :scale) g;

create sequence dagster_ops.ticket as integer minvalue -5 maxvalue 900 start 7 increment 3 cycle cache 4;
select nextval('dagster_ops.ticket'), nextval('dagster_ops.ticket') \g /dev/null
create sequence dagster_ops.untouched start 42;
create unlogged table dagster_ops.heartbeat (id integer primary key, daemon text);
insert into dagster_ops.heartbeat values (1, 'SCHEDULER'), (2, 'SENSOR');
create function dagster_ops.level(event text, fallback integer default 10) returns integer
    language sql immutable strict parallel safe as $$ select coalesce((event::jsonb ->> 'level')::integer, fallback) $$;
create index event_level on event_logs (dagster_ops.level(event, 10)) where id < 1000;
revoke execute on function dagster_ops.level from public;
grant execute on function dagster_ops.level to reporting;
reset role;

create function public.on_ddl() returns event_trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
    raise debug 'ddl %', tg_tag;
end $$;
create event trigger audit_ddl on ddl_command_end when tag in ('CREATE TABLE', 'DROP TABLE') execute function public.on_ddl();
alter event trigger audit_ddl enable always;
comment on event trigger audit_ddl is 'listens to DDL';
set client_min_messages = error;
create publication all_tables for all tables;
