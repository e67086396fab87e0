"""A code location with one of each: what leaves traces in Dagster's database that its pages show. Nothing in it hangs on today's date."""

import datetime
import os
import signal
import time

import dagster as dg

# Made by a test: what failed before can succeed now, and what is held goes on.
MENDED = "/tmp/mended"
GO_ON = "/tmp/go-on"

days = dg.DailyPartitionsDefinition(start_date="2024-03-01", end_date="2024-03-07")
backups = dg.DynamicPartitionsDefinition(name="backups")


# Fresh for as long as any test lasts, whatever age a test gives to its runs.
always_fresh = dg.FreshnessPolicy.time_window(fail_window=datetime.timedelta(days=3650))


@dg.asset(freshness_policy=always_fresh)
def spoken(context):
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(context.log, level)(f"a line of level {level}")
    context.log_event(dg.AssetObservation("seen_outside", metadata={"x": 1}))
    return dg.MaterializeResult(metadata={"rows": 42, "place": "a bucket", "size": 3.25})


@dg.asset_check(asset=spoken)
def passes():
    return dg.AssetCheckResult(passed=True)


@dg.asset_check(asset=spoken)
def warns():
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)


@dg.asset
def made() -> int:
    return 7


@dg.asset
def used(made: int) -> int:
    return made + 1


@dg.asset
def fails():
    raise ValueError("boom")


@dg.asset(deps=[fails])
def after_fails(): ...


@dg.asset
def dies():
    os.kill(os.getpid(), signal.SIGKILL)


@dg.asset
def tries_twice(context):
    if context.retry_number == 0:
        raise dg.RetryRequested(max_retries=1, seconds_to_wait=0.1)


@dg.asset(partitions_def=days)
def by_day(context):
    if context.partition_key == "2024-03-03":
        raise ValueError("a bad day")


@dg.asset(partitions_def=backups)
def restored(context):
    context.log.info(f"restores {context.partition_key}")
    if context.partition_key == "held":
        while not os.path.exists(GO_ON):
            time.sleep(1)


@dg.observable_source_asset
def source():
    return dg.DataVersion("1")


@dg.asset(check_specs=[dg.AssetCheckSpec("restorable", asset="reported")])
def reported(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient):
    command = ["python3", "/srv/dagster/pipes_worker.py"]
    return pipes.run(command=command, context=context, extras={"mode": "backup"}).get_results()


@dg.op
def begins():
    return 5


@dg.op
def goes_on(x):
    if not os.path.exists(MENDED):
        raise ValueError("not yet")
    return x


@dg.job
def two_steps():
    goes_on(begins())


@dg.op(out=dg.DynamicOut())
def fans_out():
    for i in range(3):
        yield dg.DynamicOutput(i, mapping_key=f"k{i}")


@dg.op
def works(x):
    if x == 1 and not os.path.exists(MENDED):
        raise ValueError("the second fails")
    return x


@dg.op
def gathers(context, xs):
    context.log.info(f"gathered {xs}")


@dg.job
def fan():
    gathers(fans_out().map(works).collect())


@dg.op
def says(context):
    context.log.info("hello")


@dg.job
def tiny():
    says()


@dg.sensor(job=tiny, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def looks(context):
    seen = int(context.cursor or 0) + 1
    # A sensor that raises is asked again with the same cursor: it fails until it is stopped.
    if seen == 3:
        raise ValueError("the sensor fails")
    context.update_cursor(str(seen))
    return dg.RunRequest(run_key="second") if seen == 2 else dg.SkipReason(f"skips {seen}")


@dg.schedule(job=tiny, cron_schedule="* * * * *", execution_timezone="Europe/Zurich", default_status=dg.DefaultScheduleStatus.RUNNING)
def every_minute(context):
    return dg.RunRequest(run_key="once")


defs = dg.Definitions(
    assets=[spoken, made, used, fails, after_fails, dies, tries_twice, by_day, restored, source, reported],
    asset_checks=[passes, warns],
    jobs=[two_steps, fan, tiny],
    sensors=[looks],
    schedules=[every_minute],
    executor=dg.in_process_executor,
    resources={"pipes": dg.PipesSubprocessClient()},
)
