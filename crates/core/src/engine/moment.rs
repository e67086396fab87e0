//! The second after which a run's directory in the repository is named. Two runs may begin within one: the later one
//! begins anew in the next. It never touches what lies there.

use std::time::Duration;

use super::errors::Error;
use super::limits::SECONDS_TAKEN;
use super::site::{Run, Site};
use crate::names::BackupId;

impl Site {
    /// The same run, beginning in a second that names no directory yet. Where all seconds up to the limit are taken, or
    /// the repository does not answer, the run stays as it is: what follows meets the same, and says so. The caller holds
    /// the platform's lock and has noted nothing yet.
    pub(super) async fn in_a_second_of_its_own(&self, run: &Run) -> Result<Run, Error> {
        let clock = &self.machine.clock;
        let mut moved = run.clone();
        let since = clock.elapsed();
        while clock.elapsed().saturating_sub(since) < SECONDS_TAKEN {
            if !matches!(self.backups.is_begun(BackupId::at(moved.began)).await, Ok(true)) {
                return Ok(moved);
            }
            let rest = 1_000 - clock.now().as_millisecond().rem_euclid(1_000);
            let rest = Duration::from_millis(rest.unsigned_abs());
            run.unless_cancelled(clock.sleep(rest)).await?;
            moved.began = clock.now();
        }
        Ok(run.clone())
    }
}
