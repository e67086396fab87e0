//! Keeps a cleanup from writing more WAL than a disk or a replica can take, and faster than others who commit can bear.

use std::time::Duration;

use stillpoint_core::maintenance::{Follow, Pace};

use crate::work::{SHORT, Work, number, text};
use crate::{Dagster, Failed, room};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Replicas are looked at when so many bytes of WAL were written since.
const LOOK_AT_REPLICAS: u64 = 16 << 20;
/// The same for the disk: far less than what has to be free.
const LOOK_AT_DISK: u64 = 512 << 20;
/// How long what was committed may take to the disk: the server writes it a few times a second.
const FLUSH: Duration = Duration::from_secs(10);
const LOOK_AT_FLUSH: Duration = Duration::from_millis(100);

/// Batches wait for no disk. What a server that fails takes back the next run deletes again: nothing is lost by it. Each commit of
/// ours that waits would be in the way of those of others.
const WAITS_FOR_NO_DISK: &str = "SET synchronous_commit = off";

/// WAL written so far, and how far behind the slowest replica is: as far as the role may see that.
const WAL: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, \
    (SELECT coalesce(max(greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)), 0)::bigint FROM pg_stat_replication)";

/// Where the server is.
#[derive(Clone, Copy)]
pub(crate) struct Wal {
    pub(crate) written: u64,
    lag: u64,
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

/// The pace of one handler.
pub(crate) struct Flow<'a> {
    dagster: &'a Dagster,
    pace: &'a Pace,
    /// Without its index a batch reads the whole table, so it is to be worth that.
    indexed: bool,
    rows: u64,
    /// WAL that was written when it was looked; none: it was not yet.
    replicas_seen: Option<u64>,
    disk_seen: Option<u64>,
}

impl<'a> Flow<'a> {
    pub(crate) async fn begin(
        work: &Work<'_>,
        dagster: &'a Dagster,
        pace: &'a Pace,
        indexed: bool,
    ) -> Result<Self, Failed> {
        work.run(SHORT, "preparing a session", WAITS_FOR_NO_DISK).await?;
        Ok(Self {
            dagster,
            pace,
            indexed,
            rows: if indexed { pace.first() } else { Pace::MOST },
            replicas_seen: None,
            disk_seen: None,
        })
    }

    /// How many rows the next batch may have.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Before a batch: waits until no replica is too far behind, and fails where the disk has no room. `written` is the WAL so far.
    pub(crate) async fn may_go_on(&mut self, work: &Work<'_>, written: u64) -> Result<(), Failed> {
        if is_due(self.disk_seen, written, LOOK_AT_DISK) {
            room::must_be_there(work, self.dagster.server.workload()).await?;
            self.disk_seen = Some(written);
        }
        if is_due(self.replicas_seen, written, LOOK_AT_REPLICAS) {
            self.await_replicas(work).await?;
            self.replicas_seen = Some(written);
        }
        Ok(())
    }

    /// After a batch of so many rows, and so many bytes of WAL. Whether there was a pause, in which others may have written.
    pub(crate) async fn pause(
        &mut self,
        work: &Work<'_>,
        rows: u64,
        wal: u64,
        lasted: Duration,
    ) -> Result<bool, Failed> {
        if self.indexed {
            self.rows = self.pace.next(rows, wal, lasted);
        }
        let pause = self.pace.pause(wal, lasted);
        if pause.is_zero() {
            return Ok(false);
        }
        work.sleep(pause).await?;
        Ok(true)
    }

    async fn await_replicas(&self, work: &Work<'_>) -> Result<(), Failed> {
        let began = work.cx.clock.elapsed();
        loop {
            let lag = wal(work).await?.lag;
            let waited = work.cx.clock.elapsed().saturating_sub(began);
            let (store, most) = (&self.dagster.store, self.pace.max_lag);
            match self.pace.follow(lag, waited) {
                Follow::GoOn => return Ok(()),
                Follow::Wait => work.cx.report.warn(format!(
                    "{store}: a replica is more than {most} bytes of WAL behind (DAGSTER_CLEANUP_MAX_LAG_BYTES): the cleanup waits \
                     for it"
                )),
                Follow::GiveUp => {
                    return Err(Failed::Unfit(format!(
                        "a replica is {lag} bytes of WAL behind and has not come near in {} s: nothing more is deleted until it \
                         follows (DAGSTER_CLEANUP_MAX_LAG_BYTES is {most})",
                        waited.as_secs(),
                    )));
                }
            }
            work.sleep(LOOK_EVERY).await?;
        }
    }
}

fn is_due(seen: Option<u64>, written: u64, every: u64) -> bool {
    seen.is_none_or(|seen| written.saturating_sub(seen) >= every)
}

/// Waits until what was committed so far is on the server's disk: only then is it told. A server that does not get there in time
/// says nothing against the deletion.
pub(crate) async fn await_disk(work: &Work<'_>) -> Result<(), Failed> {
    let ask = "SELECT pg_current_wal_insert_lsn()";
    let wanted = work.value(SHORT, "asking how much WAL there is", ask).await?;
    let sql = format!("SELECT pg_current_wal_flush_lsn() >= '{wanted}'::pg_lsn");
    let began = work.cx.clock.elapsed();
    while work.value(SHORT, "asking how much WAL is on the disk", &sql).await? != "t" {
        if work.cx.clock.elapsed().saturating_sub(began) > FLUSH {
            break;
        }
        work.sleep(LOOK_AT_FLUSH).await?;
    }
    Ok(())
}

/// What is said of slots whose replica is not connected: WAL is kept for it, however much is written.
pub(crate) async fn left_slots(work: &Work<'_>, pace: &Pace) -> Result<Vec<String>, Failed> {
    if pace.max_lag == 0 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT slot_name, kept FROM (SELECT slot_name, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)::bigint AS kept \
         FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL) slots WHERE kept > {} ORDER BY 1",
        pace.max_lag
    );
    let rows = work.rows(SHORT, "looking at replication slots", &sql).await?;
    let told = |row: &Vec<Option<String>>| {
        format!(
            "nobody is connected to the replication slot `{}`, and the server keeps {} bytes of WAL for it: what a cleanup writes stays \
             on the disk too until its replica is back or `SELECT pg_drop_replication_slot(...)` gives it up",
            text(row, 0),
            number(row, 1)
        )
    };
    Ok(rows.iter().map(told).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_at_first_and_then_by_what_is_written() {
        assert!(is_due(None, 0, 10));
        assert!(!is_due(Some(5), 14, 10));
        assert!(is_due(Some(5), 15, 10));
        // A server that has started anew from a backup may be behind.
        assert!(!is_due(Some(50), 14, 10));
    }
}
