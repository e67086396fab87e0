-- Dagster's tables as far as maintenance reads them, with their indexes, of Dagster 1.13.
create table alembic_version (version_num varchar(32) not null);
insert into alembic_version values ('7e2f3204cf8e');
create table runs (
    id bigserial primary key, run_id varchar(255) unique, pipeline_name text, status varchar(63), run_body text,
    create_timestamp timestamp default now(), update_timestamp timestamp default now());
create index idx_run_status on runs (status);
create table event_logs (
    id bigserial primary key, run_id varchar(255), event text not null, dagster_event_type text, timestamp timestamp, step_key text,
    asset_key text, partition text);
create index idx_event_type on event_logs (dagster_event_type, id);
create index idx_events_by_asset on event_logs (asset_key, dagster_event_type, id) where asset_key is not null;
create index idx_events_by_asset_partition on event_logs (asset_key, dagster_event_type, partition, id)
    where asset_key is not null and partition is not null;
create index idx_events_by_run_id on event_logs (run_id, id);
create index idx_step_key on event_logs (step_key);
create table job_ticks (
    id bigserial primary key, job_origin_id varchar(255), status varchar(63), type varchar(63), timestamp timestamp default now(),
    tick_body text);
create index idx_job_tick_status on job_ticks (job_origin_id, status);
create index idx_job_tick_timestamp on job_ticks (job_origin_id, timestamp);
