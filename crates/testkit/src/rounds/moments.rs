//! Backups at random moments of a platform whose witness ticks by itself, and what each of them holds: all stores at one and the
//! same tick, the one after which the witness was stopped.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Random;
use crate::product::Product;
use crate::testbed::{Stop, Testbed};

/// Longer than a tick with its pause: every moment of both is met.
const TICK: Duration = Duration::from_secs(1);

/// A backup, and the stop of the witness for it.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The backup.
    pub id: String,
    /// What it must hold, and whether the stop came in the middle of that tick.
    pub stop: Stop,
}

/// A backup at a random moment between two ticks or inside of one. It must succeed, and the witness must tick by itself again.
pub fn back_up(testbed: &Testbed, product: &Product, mode: &str, random: &mut Random) -> Result<Moment> {
    testbed.await_ticks(1)?;
    let before = testbed.witness_stops()?.len();
    sleep(random.moment(TICK));
    let id = product.backup_with(&["--mode", mode])?;
    let stops = testbed.witness_stops()?;
    ensure!(
        stops.len() == before + 1,
        "backup {id}: the witness was to be stopped once, in good order:\n{}",
        testbed.witness_log()?
    );
    let stop = *stops.last().context("the witness was never stopped")?;
    testbed.await_ticks(1)?;
    Ok(Moment { id, stop })
}

/// Restores the backup and looks into every store. The witness rests afterwards.
pub fn must_be_one(testbed: &Testbed, product: &Product, moment: &Moment) -> Result<()> {
    // What it would write after the restore is not what was restored.
    testbed.rest()?;
    product.restore(&moment.id)?;
    let resumed = testbed.rest()?;
    let shown = testbed
        .one_tick()
        .with_context(|| format!("backup {} ({:?})", moment.id, moment.stop))?;
    ensure!(
        shown == moment.stop.tick && resumed == shown,
        "backup {} shows tick {shown}, the witness resumed after {resumed}, and was stopped: {:?}",
        moment.id,
        moment.stop
    );
    Ok(())
}
