//! What moves a server's marks while it stands still and is nobody's write voids no backup. On real engines. Who does
//! write from outside is named: `conformance`.

use crate::common::{HOLD, half_way, hold_dumps, let_go, on_mini};
use anyhow::Result;
use stillpoint_testkit::product::{Product, Ran};
use stillpoint_testkit::testbed::Testbed;

/// A backup, and what happens while its dumps are held and the clients wait for them.
fn meanwhile(testbed: &Testbed, product: &Product, deed: impl FnOnce() -> Result<()>) -> Result<Ran> {
    hold_dumps(testbed)?;
    let mut running = product.start(&HOLD)?;
    half_way(testbed, &mut running)?;
    deed()?;
    let_go(testbed)?;
    running.end()
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
