-- The runs from :first to :last of :runs, over 120 days, each with a hundred rows in the shares and lengths that a real instance shows.
insert into runs (run_id, pipeline_name, status, run_body)
select 'run-' || r, 'job', case when r > :runs - 5 then 'STARTED' when r % 10 = 0 then 'FAILURE' else 'SUCCESS' end, repeat('b', 900)
from generate_series(:first, :last) r;

insert into job_ticks (job_origin_id, status, type, tick_body)
select 'origin-' || r % 20, 'SKIPPED', 'SENSOR', repeat('t', 400) from generate_series(:first, :last) r, generate_series(1, 5);

insert into event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key)
select 'run-' || r,
    case when kind is null
        then format('{"__class__": "EventLogEntry", "dagster_event": null, "error_info": null, "level": %s, "message": "", "user_message": "%s"}',
            case when n < 20 then 10 when n < 40 then 20 when n < 43 then 30 else 40 end, repeat('m', 180))
        else format('{"dagster_event": {"event_type_value": "%s"}, "level": 10, "message": "%s"}', kind, repeat('e', 900)) end,
    kind,
    (now() at time zone 'utc') - make_interval(secs => 120 * 86400.0 * (:runs - r) / :runs) + make_interval(secs => n),
    'step_' || n % 7,
    case when kind like 'ASSET_MATERIALIZATION%' then '["asset_' || r % 200 || '"]' end
from generate_series(:first, :last) r, generate_series(0, 99) n,
    lateral (select case when n < 45 then null when n < 50 then 'HANDLED_OUTPUT' when n < 55 then 'LOADED_INPUT'
        when n < 63 then 'ENGINE_EVENT' when n < 68 then 'STEP_OUTPUT' when n < 72 then 'ASSET_MATERIALIZATION_PLANNED'
        when n < 75 then 'ASSET_MATERIALIZATION' else 'STEP_SUCCESS' end) kinds (kind);
