//! Jobs of `pg_cron` write from inside the server: held off until all stores are pinned, they run while it is dumped. On a
//! real engine.

use crate::common::{HOLD, half_way, hold_dumps, let_go, on_mini, until};
use anyhow::Result;
use stillpoint_testkit::testbed::Testbed;

const WAITING: &str = "select count(*) from pg_stat_activity \
    where backend_type = 'pg_cron launcher' and wait_event_type = 'Lock'";

/// A job that is due ten seconds after every start of the server.
fn schedule(testbed: &Testbed) -> Result<()> {
    for setting in ["shared_preload_libraries = 'pg_cron'", "cron.database_name = 'dagster'"] {
        testbed.psql("postgres", &format!("alter system set {setting}"))?;
    }
    testbed.docker(&["restart", &testbed.container("postgres-main")?])?;
    until("the server is back", || {
        Ok(testbed.psql("postgres", "select 1").is_ok())
    })?;
    testbed.psql(
        "dagster",
        "create extension pg_cron; create table ticked(n int); \
         select cron.schedule('tick', '10 seconds', 'insert into public.ticked values (1)')",
    )?;
    until("the job runs", || {
        Ok(testbed.psql("dagster", "select count(*) > 0 from ticked")? == "t")
    })
}

#[test]
fn a_job_that_is_due_while_the_server_is_dumped_runs() -> Result<()> {
    on_mini("cronpin", |testbed, product| {
        schedule(testbed)?;
        hold_dumps(testbed)?;
        let mut running = product.start(&["backup"])?;
        half_way(testbed, &mut running)?;
        let ticked = testbed.psql("dagster", "select count(*) from ticked")?;
        until("the job runs", || {
            Ok(testbed.psql("dagster", "select count(*) from ticked")? != ticked)
        })?;
        let_go(testbed)?;
        running.end()?.must_end_with(0)?;
        assert_eq!(product.backups()?.len(), 1);
        Ok(())
    })
}

#[test]
fn a_job_that_is_due_during_the_standstill_waits() -> Result<()> {
    on_mini("cron", |testbed, product| {
        schedule(testbed)?;
        hold_dumps(testbed)?;
        let mut running = product.start(&HOLD)?;
        half_way(testbed, &mut running)?;
        until("the job waits", || Ok(testbed.psql("postgres", WAITING)? == "1"))?;
        let ticked = testbed.psql("dagster", "select count(*) from ticked")?;
        let_go(testbed)?;
        running.end()?.must_end_with(0)?;
        assert_eq!(product.backups()?.len(), 1);
        until("the job runs again", || {
            Ok(testbed.psql("dagster", "select count(*) from ticked")? != ticked)
        })
    })
}
