//! Somebody writes into a store from outside the platform while it stands still: the backup fails and says
//! where, and who is connected. What moves a server's marks and is nobody's write does not. On real engines.

use crate::common::{half_way, hold_dumps, is_back, let_go, on_mini, standing};
use anyhow::Result;
use stillpoint_testkit::product::{Product, Ran};
use stillpoint_testkit::testbed::Testbed;

/// A backup, and what happens while its dumps are held.
fn meanwhile(testbed: &Testbed, product: &Product, deed: impl FnOnce() -> Result<()>) -> Result<Ran> {
    hold_dumps(testbed)?;
    let mut running = product.start(&["backup"])?;
    half_way(testbed, &mut running)?;
    deed()?;
    let_go(testbed)?;
    running.end()
}

#[test]
fn a_writer_from_outside_voids_the_backup_and_is_named() -> Result<()> {
    on_mini("written", |testbed, product| {
        let before = standing(testbed)?;
        let ran = meanwhile(testbed, product, || {
            testbed
                .psql("langfuse", "create table outside as select 1 as n")
                .map(drop)
        })?;
        ran.must_end_with(1)?
            .must_say("somebody wrote into store postgres-main inside the standstill")?
            .must_say("database `langfuse`")?
            .must_say("stop whoever writes from outside")?;
        assert_eq!(product.backups()?, Vec::<String>::new());
        is_back(testbed, &before)
    })
}

#[test]
fn upkeep_of_the_server_and_an_idle_visitor_do_not() -> Result<()> {
    on_mini("upkeep", |testbed, product| {
        let ran = meanwhile(testbed, product, || {
            for database in ["langfuse", "dagster"] {
                testbed.psql(database, "analyze; checkpoint; vacuum; select count(*) from pg_class")?;
            }
            Ok(())
        })?;
        ran.must_end_with(0)?;
        assert_eq!(product.backups()?.len(), 1);
        Ok(())
    })
}
