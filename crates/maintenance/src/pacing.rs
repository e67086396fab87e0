//! Keeps a cleanup from writing more WAL than a disk or a replica can take.

use std::time::Duration;

use stillpoint_core::maintenance::Pace;

use crate::Failed;
use crate::work::{SHORT, Work, number};

/// A replica that does not come nearer for so long is a matter for its operator.
const PATIENCE: Duration = Duration::from_mins(10);
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// WAL written so far, and how far behind the slowest replica is: as far as the role may see that.
const WAL: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, \
    (SELECT coalesce(max(greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)), 0)::bigint FROM pg_stat_replication)";

/// Where the server is.
#[derive(Clone, Copy)]
pub(crate) struct Wal {
    pub(crate) written: u64,
    pub(crate) lag: u64,
}

/// Asks for it.
pub(crate) async fn wal(work: &Work<'_>) -> Result<Wal, Failed> {
    let rows = work.rows(SHORT, "asking how much WAL there is", WAL).await?;
    let row = rows.first().cloned().unwrap_or_default();
    Ok(Wal {
        written: number(&row, 0),
        lag: number(&row, 1),
    })
}

/// Waits until no replica is too far behind.
pub(crate) async fn await_replicas(work: &Work<'_>, pace: &Pace) -> Result<(), Failed> {
    let began = work.cx.clock.elapsed();
    loop {
        let lag = wal(work).await?.lag;
        if !pace.is_behind(lag) {
            return Ok(());
        }
        if work.cx.clock.elapsed().saturating_sub(began) >= PATIENCE {
            return Err(Failed::Unfit(format!(
                "a replica is {lag} bytes of WAL behind for {} s: nothing more is deleted until it follows \
                 (DAGSTER_CLEANUP_MAX_LAG_BYTES is {})",
                PATIENCE.as_secs(),
                pace.max_lag
            )));
        }
        work.sleep(LOOK_EVERY).await?;
    }
}
