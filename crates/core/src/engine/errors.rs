//! Every way in which a job can fail, and the one table that says what each means to the operator:
//! exit code, HTTP status, and what to do now. Messages say what failed; hints stand apart.

use std::time::Duration;

use jiff::Timestamp;

use crate::backups::{Damage, LeaseError, ReadError};
use crate::engine::platform::PlatformError;
use crate::engine::standstill::StandstillError;
use crate::engine::start::Degraded;
use crate::names::{BackupId, Project, RunId, StoreName};
use crate::ports::job::WayOn;
use crate::ports::journal::JournalError;
use crate::ports::lock::LockError;
use crate::ports::power::{Intent, Job};
use crate::ports::{EngineError, RepositoryError};
use crate::stores::{MayBeCancelled, StoreError};

/// Why a job did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No platform, or more than one.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// The engine failed outside a standstill.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The repository failed outside a run.
    #[error("{place}: {cause}")]
    Repository {
        /// The repository.
        place: String,
        /// What went wrong.
        #[source]
        cause: RepositoryError,
    },
    /// Another run writes the repository, or two could not be kept apart.
    #[error("{place} {cause}")]
    Lease {
        /// The repository.
        place: String,
        /// Who holds it, or why it cannot be held.
        #[source]
        cause: LeaseError,
    },
    /// What others made cannot be taken over.
    #[error("{backup} cannot be adopted: {}", .reasons.join("; "))]
    NotAdopted {
        /// The directory.
        backup: BackupId,
        /// Why.
        reasons: Vec<String>,
    },
    /// Some of what was to be deleted is still there.
    #[error("not everything that was to go is gone: {}", .0.join("; "))]
    Pruned(Vec<String>),
    /// The backup cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The lock cannot be tried.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Another run holds the platform.
    #[error("platform {platform} is held{}", holder(.by.as_deref()))]
    Held {
        /// The platform.
        platform: Project,
        /// The holder, as far as it is known.
        by: Option<Box<Intent>>,
    },
    /// It could not succeed, so nothing was stopped.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// The run failed; everything that ran runs again, but for what `degraded` names.
    #[error("the run failed: {cause}{}", and_down(.degraded))]
    Run {
        /// Why.
        #[source]
        cause: Box<RunFailure>,
        /// What did not come back.
        degraded: Vec<Degraded>,
    },
    /// The backup cannot be restored here, so nothing was stopped.
    #[error("refused, nothing was changed: {}", .0.join("; "))]
    RestoreRefused(Vec<String>),
    /// No restore stands unfinished.
    #[error("no restore of platform {0} stands unfinished")]
    NothingUnfinished(Project),
    /// Nothing is kept that a restore has replaced.
    #[error("platform {0} keeps nothing that a restore has replaced")]
    NothingKept(Project),
    /// Some of what a restore has replaced is still there, and can no longer be brought back.
    #[error("not all old data could be freed: {}", .0.join("; "))]
    NotDiscarded(Vec<String>),
    /// A restore, or its undoing, failed after the stop.
    #[error("{} failed, and the platform is stopped on purpose: {cause}{}", .intent.described(), listed(.still_running))]
    StoppedOnPurpose {
        /// What was to be done.
        intent: Box<Intent>,
        /// What the claim says: the job of whoever stopped the platform first. What goes on goes on with that.
        claimed: Job,
        /// Why.
        #[source]
        cause: Box<RunFailure>,
        /// What could not be stopped.
        still_running: Vec<String>,
    },
    /// A restore left the platform stopped on purpose.
    #[error("platform {} is stopped on purpose since {}: {} (run {}) did not finish", .0.platform, .0.since, .0.described(), .0.run)]
    RestoreUnfinished(Box<Intent>),
    /// The backup is not what its manifest says.
    #[error("backup {backup} is damaged: {}", .damage.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Damaged {
        /// The backup.
        backup: BackupId,
        /// Where.
        damage: Vec<Damage>,
    },
    /// What a dead run left down did not come back.
    #[error("what run {run} had stopped is not all back{}", and_down(.degraded))]
    RecoveryIncomplete {
        /// The dead run.
        run: RunId,
        /// What did not come back.
        degraded: Vec<Degraded>,
    },
    /// Something that ran before an earlier run does not run.
    #[error("not all of platform {platform} that ran is back{}", and_down(.degraded))]
    StillMissing {
        /// The platform.
        platform: Project,
        /// What is missing, and how it comes back.
        degraded: Vec<Degraded>,
    },
    /// The operator asked to stop; what was done is undone.
    #[error("interrupted: the platform is back as it was")]
    Interrupted,
}

/// Why nothing was begun.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// The repository does not take data.
    #[error("{place}: {cause}")]
    Repository {
        /// The repository.
        place: String,
        /// What went wrong.
        #[source]
        cause: RepositoryError,
    },
    /// The repository holds another platform's backups.
    #[error("{place} is the repository of platform {owner}")]
    ForeignRepository {
        /// The repository.
        place: String,
        /// Whose it is.
        owner: Project,
    },
    /// Its clock and ours disagree: nobody knows how old a backup is.
    #[error("{place}: its clock says {theirs}, this host's says {ours}")]
    Clocks {
        /// The repository.
        place: String,
        /// This host's.
        ours: Timestamp,
        /// The repository's.
        theirs: Timestamp,
    },
    /// The backup would not fit.
    #[error("{place} has room for {room} bytes, the backup needs about {needed}")]
    NoRoom {
        /// The repository.
        place: String,
        /// Bytes that fit.
        room: u64,
        /// Bytes that the backup will have, from the last one.
        needed: u64,
    },
    /// What stores spool would not fit.
    #[error("{place} has room for {room} bytes, {needed} are needed there for a while: {}", .stores.join(", "))]
    NoSpool {
        /// Where.
        place: String,
        /// Bytes that fit.
        room: u64,
        /// Bytes that are needed at once.
        needed: u64,
        /// Which stores, and how much of it each.
        stores: Vec<String>,
    },
    /// What is about to be stopped could not be started again.
    #[error("not everything could be started again: {}", .0.join("; "))]
    Unstartable(Vec<String>),
    /// Jobs that run once have not ended.
    #[error("{} would be stopped and begun again: a job that runs once, and it still runs after {} s", .jobs.join(", "), .limit.as_secs())]
    JobsRun {
        /// Which.
        jobs: Vec<String>,
        /// How long they were waited for.
        limit: Duration,
    },
    /// A store does not run.
    #[error("store {store} is {state}: its data cannot be dumped")]
    StoreDown {
        /// Which.
        store: StoreName,
        /// What it is instead.
        state: String,
    },
    /// A store cannot be backed up.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a run failed once it had begun.
#[derive(Debug, thiserror::Error)]
pub enum RunFailure {
    /// The platform did not stand still.
    #[error(transparent)]
    Standstill(#[from] StandstillError),
    /// A store failed.
    #[error("store {store}: {cause}")]
    Store {
        /// Which.
        store: StoreName,
        /// Why.
        #[source]
        cause: StoreError,
    },
    /// The repository failed.
    #[error("{place}: {cause}")]
    Repository {
        /// The repository.
        place: String,
        /// What went wrong.
        #[source]
        cause: RepositoryError,
    },
    /// The repository is another run's by now.
    #[error("{place} {cause}")]
    Lease {
        /// The repository.
        place: String,
        /// Who holds it.
        #[source]
        cause: LeaseError,
    },
    /// After the restore, a store holds something else than the backup.
    #[error("store {store} does not hold what was backed up: {}", .differences.join("; "))]
    Inventory {
        /// Which.
        store: StoreName,
        /// One line for each difference.
        differences: Vec<String>,
    },
    /// Somebody wrote into a store while no client should have run.
    #[error("the point in time is void: somebody wrote into store {store} inside the standstill: {}{}", .moved.join("; "), connected(.connected_clients, .outside))]
    Written {
        /// Which.
        store: StoreName,
        /// What was written.
        moved: Vec<String>,
        /// Who is connected.
        connected_clients: Vec<String>,
        /// Who outside the platform can reach it.
        outside: Vec<String>,
    },
    /// The operator asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl RunFailure {
    /// The failure of a store; one that was only told to stop is an interruption.
    pub fn of(store: &StoreName, cause: StoreError) -> Self {
        match cause {
            StoreError::Cancelled => Self::Interrupted,
            cause => Self::Store {
                store: store.clone(),
                cause,
            },
        }
    }
}

impl MayBeCancelled for RunFailure {
    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Interrupted)
    }
}

/// The codes with which the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Ok = 0,
    /// The run failed, the platform is back as it was.
    RunFailed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The backup is good, the platform is degraded.
    Degraded = 3,
    /// Engine, platform or backup not found, or ambiguous.
    NotFound = 10,
    /// Another run holds it.
    Held = 11,
    /// Refused before anything began.
    Preflight = 12,
    /// The restore was refused, nothing was changed.
    RestoreRefused = 13,
    /// Stopped on purpose.
    StoppedOnPurpose = 14,
    /// Verification found damage.
    Damaged = 15,
    /// Recovery is incomplete.
    RecoveryIncomplete = 16,
    /// Interrupted, undone.
    Interrupted = 130,
}

/// What an error means to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The program's exit code.
    pub exit: Exit,
    /// The API's status.
    pub http: u16,
    /// What to do now.
    pub hint: String,
}

impl Error {
    /// The row of the table.
    pub fn class(&self) -> Class {
        let (exit, http) = self.codes();
        Class {
            exit,
            http,
            hint: self.hint(),
        }
    }

    fn codes(&self) -> (Exit, u16) {
        match self {
            Self::Platform(PlatformError::Store(_) | PlatformError::SameName { .. })
            | Self::Preflight(_)
            | Self::Lock(_)
            | Self::Journal(_) => (Exit::Preflight, 422),
            Self::Platform(_)
            | Self::Read(ReadError::Unknown(_))
            | Self::NothingKept(_)
            | Self::NothingUnfinished(_) => (Exit::NotFound, 404),
            Self::Engine(EngineError::Unreachable { .. } | EngineError::Forbidden { .. }) => (Exit::NotFound, 503),
            Self::Engine(_) => (Exit::RunFailed, 502),
            Self::Held { .. }
            | Self::Lease {
                cause: LeaseError::Held(_) | LeaseError::Lost(_),
                ..
            } => (Exit::Held, 409),
            Self::Lease { .. } | Self::NotAdopted { .. } => (Exit::Preflight, 422),
            Self::Repository { .. } | Self::Read(ReadError::Repository(_)) => (Exit::Preflight, 502),
            Self::Read(ReadError::Unreadable { .. } | ReadError::Incomplete(..)) | Self::Damaged { .. } => {
                (Exit::Damaged, 422)
            }
            Self::Run { degraded, .. } if !degraded.is_empty() => (Exit::RecoveryIncomplete, 500),
            Self::Run { cause, .. } if matches!(**cause, RunFailure::Interrupted) => (Exit::Interrupted, 499),
            Self::Run { .. } | Self::Pruned(_) | Self::NotDiscarded(_) => (Exit::RunFailed, 500),
            Self::RecoveryIncomplete { .. } | Self::StillMissing { .. } => (Exit::RecoveryIncomplete, 500),
            Self::RestoreRefused(_) => (Exit::RestoreRefused, 422),
            Self::StoppedOnPurpose { .. } | Self::RestoreUnfinished(_) => (Exit::StoppedOnPurpose, 409),
            Self::Interrupted => (Exit::Interrupted, 499),
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Platform(error) => platform_hint(error),
            Self::Engine(error) => engine_hint(error),
            Self::Repository { cause, .. }
            | Self::Read(ReadError::Repository(cause))
            | Self::Preflight(PreflightError::Repository { cause, .. }) => repository_hint(cause),
            Self::Lease { cause, .. } => lease_hint(cause),
            Self::NotAdopted { .. } => "only a finished backup that Stillpoint has not written can be adopted".into(),
            Self::Pruned(_) => "mend what is named, then run `stillpoint prune`: it goes on where it stopped".into(),
            Self::Read(ReadError::Unknown(_)) => "`stillpoint backups ls` lists the backups there are".into(),
            Self::Read(ReadError::Unreadable { .. } | ReadError::Incomplete(..)) | Self::Damaged { .. } => {
                "choose another backup (`stillpoint backups ls`); look after the repository's disk".into()
            }
            Self::Lock(_) | Self::Journal(_) => {
                "set STILLPOINT_STATE_DIR to a directory that this user may write".into()
            }
            Self::Held { .. } => {
                "wait until that run has ended; if it died on a host that is gone, `stillpoint containers start` \
                 brings the platform back and ends its claim"
                    .into()
            }
            Self::Preflight(PreflightError::ForeignRepository { .. }) => {
                "give every platform a place of its own: --repository DIR (STILLPOINT_REPOSITORY), or BACKUP_S3_PREFIX \
                 in a bucket"
                    .into()
            }
            Self::Preflight(PreflightError::Clocks { .. }) => {
                "set both clocks right (NTP): how old a backup is decides which one is deleted".into()
            }
            Self::Preflight(PreflightError::NoRoom { .. }) => {
                "free space there, or keep fewer backups (BACKUP_RETENTION_DAYS, `stillpoint prune`)".into()
            }
            Self::Preflight(PreflightError::NoSpool { .. }) => {
                "free space there, or set STILLPOINT_STATE_DIR to a place with more".into()
            }
            Self::Preflight(PreflightError::Unstartable(_)) => {
                "make again what is named (`docker compose up -d` makes containers again), or leave the container out with \
                 STILLPOINT_KEEP"
                    .into()
            }
            Self::Preflight(PreflightError::JobsRun { .. }) => {
                "wait until it has ended, raise standstill.jobs_seconds (BACKUP_JOBS_SECONDS), or leave it out of the stop \
                 with platform.keep (STILLPOINT_KEEP)"
                    .into()
            }
            Self::Preflight(PreflightError::StoreDown { .. }) => "start it, then run the backup again".into(),
            Self::Preflight(PreflightError::Store(error)) => unopened_hint(error),
            Self::Run { cause, degraded } => run_hint(cause, degraded),
            Self::RestoreRefused(_) => "nothing was stopped; mend what is named, or choose another backup".into(),
            Self::StoppedOnPurpose { intent, claimed, .. } => stopped_hint(intent, *claimed),
            Self::RestoreUnfinished(intent) => stopped_hint(intent, intent.job),
            Self::NothingKept(_) => {
                "a restore keeps it until `stillpoint restore discard-old`, unless it was told --discard-old".into()
            }
            Self::NotDiscarded(_) => {
                "mend what is named, then run `stillpoint containers recover`: it goes on where this stopped".into()
            }
            Self::RecoveryIncomplete { .. } => {
                "mend what is named, then run `stillpoint containers start` until it ends with 0".into()
            }
            Self::StillMissing { .. } => {
                "do what is named; what is not to come back is forgotten by `stillpoint containers start --forget`"
                    .into()
            }
            Self::NothingUnfinished(_) | Self::Interrupted => "nothing needs to be done".into(),
        }
    }
}

fn platform_hint(error: &PlatformError) -> String {
    match error {
        PlatformError::None { .. } => {
            "start the platform with `docker compose up`; a store of unusual image is named by `kind` in [stores.<container>] of stillpoint.toml, or by the label stillpoint.kind".into()
        }
        PlatformError::Unknown { .. } | PlatformError::Ambiguous { .. } => {
            "name one with --platform NAME (or STILLPOINT_PLATFORM)".into()
        }
        PlatformError::SameName { .. } => {
            "give one of them another `name` in [stores.<container>] of stillpoint.toml, or by the label stillpoint.name".into()
        }
        PlatformError::Store(error) => store_hint(error),
    }
}

fn engine_hint(error: &EngineError) -> String {
    match error {
        EngineError::Unreachable { .. } => "start Docker, or set DOCKER_HOST=unix:///path/to/docker.sock".into(),
        EngineError::Forbidden { .. } => "run as root, or as a user of the group that owns the socket".into(),
        _ => "look at the engine's own log, then try again".into(),
    }
}

fn repository_hint(error: &RepositoryError) -> String {
    match error {
        RepositoryError::Full { .. } => "free space, or choose another place with --repository DIR".into(),
        RepositoryError::Denied { .. } => {
            "give this user (BACKUP_S3_ACCESS_KEY_ID) the right to read, write, list and delete there, set its \
             BACKUP_S3_SECRET_ACCESS_KEY right, or choose another place; `stillpoint config show --origin` tells what is used"
                .into()
        }
        RepositoryError::NoBucket { .. } => {
            "make the bucket, or name another one with BACKUP_S3_BUCKET".into()
        }
        RepositoryError::Unreachable { .. } => {
            "look at BACKUP_S3_ENDPOINT, at the server, and at BACKUP_S3_CA_FILE if its certificate is your own".into()
        }
        _ => "look at the repository's disk or server, then try again".into(),
    }
}

fn lease_hint(error: &LeaseError) -> String {
    match error {
        LeaseError::Held(_) => {
            "wait until that run has ended; if it died, its lease ends by itself after BACKUP_LEASE_SECONDS".into()
        }
        LeaseError::Lost(_) => "find out what froze this run, then run it again".into(),
        LeaseError::Careless => {
            "use a server that knows conditional writes; BACKUP_S3_CONDITIONAL_WRITES=false goes on without them, and \
             then you must see to it that no two runs write at the same time"
                .into()
        }
        LeaseError::Repository(error) => repository_hint(error),
    }
}

fn store_hint(error: &StoreError) -> String {
    match error {
        StoreError::Credential { remedy, .. } => remedy.clone(),
        StoreError::Repository(error) => repository_hint(error),
        StoreError::Engine(error) => engine_hint(error),
        _ => "look at the store's log (`docker logs`), then try again".into(),
    }
}

/// What is taken for a store and cannot be opened may be none.
fn unopened_hint(error: &StoreError) -> String {
    let hint = store_hint(error);
    match error {
        StoreError::Credential { .. } | StoreError::Silent { .. } | StoreError::Engine(_) => {
            format!(
                "{hint}; if it is no store that is to be backed up, say so: kind = \"none\" in [stores.<container>], or the label \
             stillpoint.kind: none"
            )
        }
        _ => hint,
    }
}

fn run_hint(cause: &RunFailure, degraded: &[Degraded]) -> String {
    if !degraded.is_empty() {
        return "look at the logs of what is named and start it; then run it again".into();
    }
    match cause {
        RunFailure::Store { cause, .. } => store_hint(cause),
        RunFailure::Repository { cause, .. } => repository_hint(cause),
        RunFailure::Lease { cause, .. } => lease_hint(cause),
        RunFailure::Standstill(_) => "find out who started or blocked what is named, then run it again".into(),
        RunFailure::Written { .. } => {
            "stop whoever writes from outside the platform while it is backed up, then run it again".into()
        }
        RunFailure::Inventory { .. } | RunFailure::Interrupted => "run it again".into(),
    }
}

fn stopped_hint(intent: &Intent, claimed: Job) -> String {
    let again = match (intent.job.declaration().way_on, claimed.declaration().way_on) {
        (WayOn::Again(command), _) => format!("run `{command}` again"),
        // There is no restore to go on with: the claim is another job's.
        (_, WayOn::Again(back)) => format!("restore it again, go back with `{back}`"),
        _ if intent.no_way_back => "run `stillpoint restore resume`".to_owned(),
        _ => "run `stillpoint restore resume`, go back with `stillpoint restore undo`".to_owned(),
    };
    format!(
        "mend the cause and {again}, restore another backup, or start the platform as it is with `stillpoint \
         containers start`"
    )
}

fn holder(by: Option<&Intent>) -> String {
    by.map_or_else(
        || " by another process".to_owned(),
        |intent| {
            format!(
                " since {} by run {} (process {} on {})",
                intent.since, intent.run, intent.process, intent.host
            )
        },
    )
}

fn and_down(degraded: &[Degraded]) -> String {
    if degraded.is_empty() {
        return String::new();
    }
    format!(
        "; not as before: {}",
        degraded.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )
}

fn connected(connected_clients: &[String], outside: &[String]) -> String {
    let connected = if connected_clients.is_empty() {
        "; nobody is connected any more".to_owned()
    } else {
        format!("; connected: {}", connected_clients.join("; "))
    };
    if outside.is_empty() {
        connected
    } else {
        format!(
            "{connected}; outside the platform, and able to reach it: {}",
            outside.join(", ")
        )
    }
}

fn listed(still_running: &[String]) -> String {
    if still_running.is_empty() {
        String::new()
    } else {
        format!("; still running: {}", still_running.join("; "))
    }
}
