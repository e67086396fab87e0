-- What Dagster's documentation proposes (deployment, troubleshooting, database tuning): two indexes, and statements without a limit.
create index concurrently idx_clear_event_logs_user_logs on event_logs ((event::jsonb ->> 'level'), timestamp)
    where dagster_event_type is null;
create index concurrently idx_clear_event_logs_system_events on event_logs (dagster_event_type, timestamp)
    where dagster_event_type is not null;
-- delete
with gone as (delete from event_logs where dagster_event_type is null and event::jsonb ->> 'level' = '10'
    and timestamp < current_date - interval '7 days' returning 1) select count(*) from gone;
with gone as (delete from event_logs where dagster_event_type is null and event::jsonb ->> 'level' in ('20', '30')
    and timestamp < current_date - interval '60 days' returning 1) select count(*) from gone;
with gone as (delete from event_logs where dagster_event_type in ('HANDLED_OUTPUT', 'LOADED_INPUT', 'ENGINE_EVENT', 'STEP_OUTPUT',
    'ASSET_MATERIALIZATION_PLANNED') and timestamp < current_date - interval '30 days' returning 1) select count(*) from gone;
