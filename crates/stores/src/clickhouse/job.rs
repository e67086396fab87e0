//! A `BACKUP` or `RESTORE` of ours that the server carries out by itself: how far it is, its end, and how it is ended. Each bears an
//! id with the name of its run, by which it is found after a death.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::names::RunId;
use stillpoint_core::ports::{Overdue, gateway};
use stillpoint_core::stores::{Cx, StoreError};
use tokio_util::sync::CancellationToken;

use super::ClickhouseStore;
use super::http::words;
use super::session::{Session, Trouble, cell, comment, number};
use super::sql::{destination, hidden, literal};
use crate::toolbox::guarded;

/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LOOK_SOON: Duration = Duration::from_millis(25);

/// How long it may take to end when it was told to.
const ENDS: Duration = Duration::from_secs(10);

/// What the server is told for every one: an endpoint that does not answer is given up after a few attempts (its own defaults go on
/// for hours), and every byte goes through our hands.
pub(super) const SETTINGS: &str = "backup_restore_s3_retry_attempts = 5, allow_s3_native_copy = 0";

/// The states in which a server is at work.
const AT_WORK: [&str; 2] = ["CREATING_BACKUP", "RESTORING"];

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Backup,
    Restore,
}

/// One that was begun.
#[derive(Clone, Debug)]
pub(super) struct Job {
    id: String,
    what: What,
    /// Of its endpoint: no error tells it.
    secret: SecretString,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) status: String,
    /// How many files there are to move, and their bytes: known when its planning is done.
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Whatever rises while it works.
    pub(super) moved: u64,
    /// Bytes of what it has written.
    pub(super) written: u64,
    pub(super) error: String,
}

impl State {
    fn of(row: &[String]) -> Self {
        let rising = [3, 4, 5, 6].into_iter();
        Self {
            status: cell(row, 0).to_owned(),
            files: number(row, 1),
            bytes: number(row, 2),
            moved: rising.fold(0, |sum, at| sum.saturating_add(number(row, at))),
            written: number(row, 4),
            error: cell(row, 7).to_owned(),
        }
    }

    pub(super) fn is_at_work(&self) -> bool {
        AT_WORK.contains(&self.status.as_str())
    }

    /// Whether it has ended well.
    pub(super) fn is_done(&self) -> bool {
        ["BACKUP_CREATED", "RESTORED"].contains(&self.status.as_str())
    }
}

/// Looks for what has moved, and gives up when nothing has for too long.
pub(super) struct Watch {
    seen: u64,
    since: Duration,
}

impl Watch {
    pub(super) fn new(cx: &Cx) -> Self {
        Self {
            seen: 0,
            since: cx.clock.elapsed(),
        }
    }

    pub(super) fn must_move(&mut self, cx: &Cx, what: &str, moved: u64) -> Result<(), StoreError> {
        let now = cx.clock.elapsed();
        if moved != self.seen {
            (self.seen, self.since) = (moved, now);
        } else if now.saturating_sub(self.since) > cx.idle_limit {
            let limit = cx.idle_limit;
            let what = format!("{what} (nothing moved)");
            return Err(Overdue { what, limit }.into());
        }
        Ok(())
    }
}

/// A call's surroundings in which nothing is cancelled: for what has to be ended.
pub(super) fn undisturbed(cx: &Cx) -> Cx {
    Cx {
        cancel: CancellationToken::new(),
        ..cx.clone()
    }
}

impl Job {
    /// Begins one: `BACKUP <elements> TO`, `RESTORE <elements> FROM`. It goes on by itself.
    pub(super) async fn begin(
        store: &ClickhouseStore,
        session: &Session<'_>,
        what: What,
        elements: &str,
        access: &gateway::Access,
        more: &str,
    ) -> Result<Self, StoreError> {
        let cx = session.cx;
        let id = format!("{}-{}", comment(&cx.owner), cx.clock.now().as_microsecond());
        let (verb, way, doing) = match what {
            What::Backup => ("BACKUP", "TO", "beginning its BACKUP"),
            What::Restore => ("RESTORE", "FROM", "beginning its RESTORE"),
        };
        let place = destination(access);
        let statement = format!(
            "{verb} {elements} {way} {} SETTINGS id = {}, {SETTINGS}{more} ASYNC",
            place.expose_secret(),
            literal(&id)
        );
        let secret = &access.secret_access_key;
        let job = Self {
            id,
            what,
            secret: secret.clone(),
        };
        match session.ask_secretly(cx.idle_limit, &statement, secret).await {
            Ok(_) => Ok(job),
            Err(trouble) => {
                // An answer that was lost: it may have begun.
                if !matches!(trouble, Trouble::Refused { .. }) {
                    job.end(store, session.cx).await;
                }
                Err(store.failed(doing, trouble))
            }
        }
    }

    /// How far it is. An error if it has failed.
    pub(super) async fn state(&self, store: &ClickhouseStore, session: &Session<'_>) -> Result<State, StoreError> {
        let ask = format!(
            "SELECT toString(status), num_files, total_size, num_entries, uncompressed_size, files_read, bytes_read, error \
             FROM system.backups WHERE id = {} ORDER BY start_time DESC LIMIT 1",
            literal(&self.id)
        );
        let doing = match self.what {
            What::Backup => "looking at its BACKUP",
            What::Restore => "looking at its RESTORE",
        };
        let rows = store.asked(session, doing, &ask).await?;
        let Some(row) = rows.first() else {
            return Err(store.unfit("it has forgotten what it was told to do: it was restarted meanwhile"));
        };
        let state = State::of(row);
        if state.is_at_work() || state.is_done() {
            return Ok(state);
        }
        Err(StoreError::Server {
            doing: format!("its list of backups says {}", state.status),
            cause: hidden(&words(&state.error), &self.secret).into(),
        })
    }

    pub(super) async fn wait(cx: &Cx) -> Result<(), StoreError> {
        guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await
    }

    /// The same while the clients wait.
    pub(super) async fn wait_shortly(cx: &Cx) -> Result<(), StoreError> {
        guarded(cx, "waiting", cx.clock.sleep(LOOK_SOON)).await
    }

    /// Ends it, whatever became of the run, and waits until it has ended.
    pub(super) async fn end(&self, store: &ClickhouseStore, cx: &Cx) {
        let cx = undisturbed(cx);
        let which = format!("id = {}", literal(&self.id));
        if let Err(error) = store.end_jobs(&cx, &which).await {
            cx.report.warn(format!(
                "{}: its BACKUP or RESTORE may still be at work: {error}",
                store.name
            ));
        }
    }
}

impl ClickhouseStore {
    /// Ends what a dead run has left at work in the server.
    pub(super) async fn end_work_of(&self, cx: &Cx, owner: &RunId) -> Result<(), StoreError> {
        let session = self.open(cx).await?;
        session.end_ours(owner).await;
        let prefix = format!("{}-", comment(owner));
        self.end_jobs(cx, &format!("startsWith(id, {})", literal(&prefix)))
            .await
    }

    /// Ends the jobs of `system.backups` that are at work, and waits for their end.
    async fn end_jobs(&self, cx: &Cx, which: &str) -> Result<(), StoreError> {
        let session = self.open(cx).await?;
        let at_work =
            format!("SELECT query_id FROM system.backups WHERE {which} AND status IN ('CREATING_BACKUP', 'RESTORING')");
        let kill = format!("KILL QUERY WHERE query_id IN ({at_work}) ASYNC");
        let began = cx.clock.elapsed();
        loop {
            if self
                .asked(&session, "looking at what is at work", &at_work)
                .await?
                .is_empty()
            {
                return Ok(());
            }
            self.asked(&session, "ending what is at work", &kill).await?;
            if cx.clock.elapsed().saturating_sub(began) > ENDS {
                return Err(Overdue {
                    what: format!("{} ending a BACKUP or RESTORE", self.name),
                    limit: ENDS,
                }
                .into());
            }
            Job::wait(cx).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_servers_list_is_understood() {
        let row = |status: &str| {
            let texts = [status, "112", "18803", "50", "9000", "0", "1", ""];
            State::of(&texts.map(ToOwned::to_owned))
        };
        let state = row("CREATING_BACKUP");
        assert!(state.is_at_work() && !state.is_done());
        assert_eq!(
            (state.files, state.bytes, state.moved, state.written),
            (112, 18803, 9051, 9000)
        );
        assert!(row("RESTORED").is_done() && row("BACKUP_CREATED").is_done());
        for status in ["BACKUP_FAILED", "RESTORE_CANCELLED", ""] {
            let state = row(status);
            assert!(!state.is_at_work() && !state.is_done(), "{status}");
        }
    }
}
