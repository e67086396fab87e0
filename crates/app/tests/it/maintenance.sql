-- A row for each rule of upkeep, in Dagster's tables: what is marked go- is to go, everything else to stay.
insert into runs (run_id, status) values ('done', 'SUCCESS'), ('failed', 'FAILURE'), ('canceled', 'CANCELED'), ('live', 'STARTED'),
    ('queued', 'QUEUED'), ('tomorrow', 'OF_TOMORROW'), ('unsaid', null);

create function log(mark text, level int, age interval, run text) returns void language sql as $$
    insert into event_logs (run_id, event, timestamp, step_key) values (run,
        format('{"__class__": "EventLogEntry", "dagster_event": null, "error_info": null, "level": %s, "message": "", '
            '"user_message": "#%s# {\"level\": 10}"}', level, mark), (now() at time zone 'utc') - age, 'step')
$$;
create function event(mark text, type text, run text, age interval default '99 days', asset text default null, part text default null)
returns void language sql as $$
    insert into event_logs (run_id, event, dagster_event_type, timestamp, asset_key, partition) values (run,
        format('{"dagster_event": {"event_type_value": "%s"}, "level": 10, "user_message": "#%s#"}', type, mark), type,
        (now() at time zone 'utc') - age, asset, part)
$$;

-- Windows: seven days for debug, sixty for the others. A level that stands in a message is none.
select log('go-debug', 10, '8 days', 'done'), log('new-debug', 10, '6 days', 'done');
select log('go-info', 20, '61 days', 'done'), log('new-info', 20, '59 days', 'done');
select log('go-warning', 30, '61 days', 'done'), log('new-warning', 30, '59 days', 'done');
select log('error', 40, '999 days', 'done'), log('critical', 50, '999 days', 'done');
-- A run that is unknown has ended.
select log('go-orphan', 10, '99 days', 'deleted');
-- Runs that have not ended, or of which that is not known.
select log('live-debug', 10, '99 days', 'live'), log('queued-info', 20, '99 days', 'queued'),
    log('tomorrow-warning', 30, '99 days', 'tomorrow'), log('unsaid-debug', 10, '99 days', 'unsaid'), log('no-run', 10, '99 days', null);

select event('go-handled', 'HANDLED_OUTPUT', 'failed'), event('live-handled', 'HANDLED_OUTPUT', 'live'),
    event('new-handled', 'HANDLED_OUTPUT', 'done', '29 days');
select event('go-loaded', 'LOADED_INPUT', 'done'), event('live-loaded', 'LOADED_INPUT', 'queued');
-- A re-execution from the failure reads outputs, a crash is told by events of the engine.
select event('go-output', 'STEP_OUTPUT', 'done'), event('failed-output', 'STEP_OUTPUT', 'failed'),
    event('canceled-output', 'STEP_OUTPUT', 'canceled'), event('live-output', 'STEP_OUTPUT', 'live');
select event('go-engine', 'ENGINE_EVENT', 'done'), event('failed-engine', 'ENGINE_EVENT', 'failed');
-- The newest planned event of an asset and partition, whatever its age and its run.
select event('go-planned', 'ASSET_MATERIALIZATION_PLANNED', 'done', '99 days', '["a"]');
select event('newest-planned', 'ASSET_MATERIALIZATION_PLANNED', 'failed', '98 days', '["a"]');
select event('go-planned-of-part', 'ASSET_MATERIALIZATION_PLANNED', 'failed', '99 days', '["a"]', 'p1');
select event('newest-planned-of-part', 'ASSET_MATERIALIZATION_PLANNED', 'done', '98 days', '["a"]', 'p1');
select event('only-planned-of-part', 'ASSET_MATERIALIZATION_PLANNED', 'done', '99 days', '["a"]', 'p2');
select event('live-planned', 'ASSET_MATERIALIZATION_PLANNED', 'live', '99 days', '["b"]');
select event('newer-planned', 'ASSET_MATERIALIZATION_PLANNED', 'done', '9 days', '["b"]');
-- What came of it is no planned event, however new.
select event('only-planned', 'ASSET_MATERIALIZATION_PLANNED', 'done', '99 days', '["c"]'), event('never-of-c', 'ASSET_MATERIALIZATION', 'done',
    '98 days', '["c"]');
-- What never goes.
select event('never-' || lower(replace(type, '_', '-')), type, 'done', '999 days') from unnest(array[
    'PIPELINE_START', 'PIPELINE_SUCCESS', 'PIPELINE_FAILURE', 'STEP_START', 'STEP_SUCCESS', 'STEP_FAILURE', 'STEP_UP_FOR_RETRY',
    'STEP_RESTARTED', 'STEP_SKIPPED', 'RESOURCE_INIT_FAILURE', 'ASSET_MATERIALIZATION', 'ASSET_OBSERVATION', 'ASSET_CHECK_EVALUATION',
    'FRESHNESS_STATE_CHANGE', 'LOGS_CAPTURED']) type;
drop function log(text, int, interval, text);
drop function event;
