//! What happens, told as it happens. Displays, logs and metrics listen; nothing that decides does.
//!
//! Facts are never lost and never throttled. Progress may be: at most four a second for each artifact.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{Instrument, debug, info_span, trace};

use crate::names::{Address, ArtifactName, BackupId, RunId, StoreName};
use crate::ports::Clock;

/// The shortest time between two progress events of one artifact.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// One thing that happened in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts from 1 within the run, without gaps.
    pub seq: u64,
    /// The run.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The kinds of event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A step of the run begins.
    StepBegan {
        /// Which.
        step: Step,
    },
    /// A step of the run ended.
    StepEnded {
        /// Which.
        step: Step,
        /// How long it took, in milliseconds.
        millis: u64,
        /// Whether it did what it was to do.
        ok: bool,
    },
    /// Jobs that run once are waited for before anything is stopped.
    WaitsForJobs {
        /// Which.
        jobs: Vec<Address>,
        /// How long at most.
        seconds: u64,
    },
    /// Work that would be cut is waited for before anything is stopped.
    WaitsForWork {
        /// What is at work, and whose.
        work: Vec<String>,
        /// How long at most.
        seconds: u64,
    },
    /// The first client is about to be stopped.
    ClientsGoDown {
        /// How many workloads will be stopped.
        workloads: usize,
    },
    /// The last client runs again.
    ClientsAreBack {
        /// Milliseconds since the first was stopped.
        millis: u64,
    },
    /// A workload was stopped.
    Stopped {
        /// Which.
        workload: Address,
        /// It had to be killed.
        killed: bool,
    },
    /// A workload was started.
    Started {
        /// Which.
        workload: Address,
    },
    /// An artifact is being written or read.
    Progress {
        /// The store it belongs to.
        store: StoreName,
        /// The artifact.
        artifact: ArtifactName,
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all, where known.
        total: Option<u64>,
    },
    /// An artifact was written, or read and found whole.
    ArtifactDone {
        /// The store it belongs to.
        store: StoreName,
        /// The artifact.
        artifact: ArtifactName,
        /// Its size.
        bytes: u64,
    },
    /// A store will need room for bytes on their way, for as long as the run lasts.
    Spools {
        /// Which.
        store: StoreName,
        /// Where they will lie.
        place: String,
        /// How many at most.
        bytes: u64,
    },
    /// Clients had to wait for a store while it was copied.
    ClientsWaited {
        /// Which.
        store: StoreName,
        /// Where in it.
        database: String,
        /// How long, in milliseconds.
        millis: u64,
        /// With what, shortened and without what is quoted in it.
        statement: String,
    },
    /// The backup is complete: it counts from now on.
    Sealed {
        /// Its id.
        backup: BackupId,
    },
    /// A backup, or what was left of one, is gone.
    Deleted {
        /// Its id.
        backup: BackupId,
    },
    /// Rows of a database are going; counted so far in this step.
    RowsDeleted {
        /// The database.
        database: String,
        /// The step.
        step: Step,
        /// How many are gone.
        rows: u64,
    },
    /// A long statement of a database goes on.
    StatementProgress {
        /// The database.
        database: String,
        /// What is done there, in words.
        doing: String,
        /// How much of it is done, of what its server counts.
        done: u64,
        /// How much there is.
        total: u64,
    },
    /// A table gave room back.
    Repacked {
        /// The database.
        database: String,
        /// The table.
        table: String,
        /// Its bytes before, with its indexes.
        before: u64,
        /// Its bytes now.
        after: u64,
    },
    /// Something that the operator should know.
    Warning {
        /// In a sentence.
        message: String,
    },
}

impl EventKind {
    /// Whether it is only how far something has come, which the next of its kind replaces.
    pub fn is_progress(&self) -> bool {
        matches!(
            self,
            Self::Progress { .. } | Self::RowsDeleted { .. } | Self::StatementProgress { .. }
        )
    }
}

/// The steps of the jobs, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Look whether it can succeed.
    Preflight,
    /// Read the backup and compare it with its manifest.
    Verify,
    /// Take the platform.
    Claim,
    /// Stop what is managed.
    Stop,
    /// Fix every store's point in time.
    Pin,
    /// Copy the pinned stores.
    Drain,
    /// Copy what is about to be replaced and cannot be set aside.
    Copy,
    /// Bring the backup's data back.
    Load,
    /// Put back what a restore had replaced.
    PutBack,
    /// Compare what is there with what was.
    Compare,
    /// Try the logins that clients hold.
    LogIn,
    /// Start what ran.
    Start,
    /// Make the backup count.
    Seal,
    /// Free what a restore had replaced.
    Discard,
    /// Delete what retention lets go.
    Prune,
    /// Read and describe what others made.
    Adopt,
    /// See to the indexes and settings that a cleanup needs.
    Prepare,
    /// Delete old logs of level debug.
    DebugLogs,
    /// Delete old logs of level info.
    InfoLogs,
    /// Delete old warnings.
    WarningLogs,
    /// Delete old framework events.
    FrameworkEvents,
    /// Give the room of deleted rows back.
    Repack,
}

/// Takes events. Must return at once: a slow display must not slow a backup.
pub trait Listener: Send + Sync {
    /// Called for each event, in order.
    fn hear(&self, event: &Event);
}

/// Reports the events of one run.
#[derive(Clone)]
pub struct Reporter {
    run: RunId,
    seq: Arc<AtomicU64>,
    /// What the operator has been told.
    warned: Arc<Mutex<BTreeSet<String>>>,
    clock: Arc<dyn Clock>,
    listener: Arc<dyn Listener>,
}

impl Reporter {
    /// Reports the events of `run` to one listener.
    pub fn new(run: RunId, clock: Arc<dyn Clock>, listener: Arc<dyn Listener>) -> Self {
        Self {
            run,
            seq: Arc::new(AtomicU64::new(0)),
            warned: Arc::default(),
            clock,
            listener,
        }
    }

    /// The run it speaks for.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Tells that something happened now.
    pub fn tell(&self, kind: EventKind) {
        if kind.is_progress() {
            trace!(target: "stillpoint::run", event = ?kind, "event");
        } else {
            debug!(target: "stillpoint::run", event = ?kind, "event");
        }
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        self.listener.hear(&Event {
            seq,
            run: self.run.clone(),
            at: self.clock.now(),
            kind,
        });
    }

    /// Tells something the operator should know, once a run.
    pub fn warn(&self, message: impl Into<String>) {
        let message = message.into();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(message.clone()) {
            drop(warned);
            self.tell(EventKind::Warning { message });
        }
    }

    /// Runs one step between its two events.
    pub async fn step<T, E>(&self, step: Step, act: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.tell(EventKind::StepBegan { step });
        let began = self.clock.elapsed();
        let span = info_span!(target: "stillpoint::run", "step", step = ?step);
        let outcome = act.instrument(span).await;
        let millis = millis(self.clock.elapsed().saturating_sub(began));
        self.tell(EventKind::StepEnded {
            step,
            millis,
            ok: outcome.is_ok(),
        });
        outcome
    }

    /// A counter that tells an artifact's progress, no more often than [`PROGRESS_EVERY`].
    pub fn meter(&self, store: StoreName, artifact: ArtifactName, total: Option<u64>) -> Meter {
        Meter {
            report: self.clone(),
            store,
            artifact,
            total,
            bytes: 0,
            told: None,
        }
    }
}

/// Whole milliseconds, saturating.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Counts the bytes of one artifact.
pub struct Meter {
    report: Reporter,
    store: StoreName,
    artifact: ArtifactName,
    total: Option<u64>,
    bytes: u64,
    told: Option<Duration>,
}

impl Meter {
    /// So many bytes more.
    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        let now = self.report.clock.elapsed();
        if self.told.is_none_or(|told| now.saturating_sub(told) >= PROGRESS_EVERY) {
            self.told = Some(now);
            self.report.tell(EventKind::Progress {
                store: self.store.clone(),
                artifact: self.artifact.clone(),
                bytes: self.bytes,
                total: self.total,
            });
        }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The artifact is whole.
    pub fn done(self) {
        self.report.tell(EventKind::ArtifactDone {
            store: self.store,
            artifact: self.artifact,
            bytes: self.bytes,
        });
    }
}
