//! Every way in which a job can fail, and the one table that says what each means to the operator:
//! exit code, HTTP status, and what to do now. Messages say what failed; hints stand apart.

use std::time::Duration;

use jiff::Timestamp;

use crate::backups::{Damage, LeaseError, ReadError};
use crate::engine::platform::PlatformError;
use crate::engine::standstill::StandstillError;
use crate::engine::start::Degraded;
use crate::findings::Finding;
use crate::names::{BackupId, Project, RunId, StoreName};
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
    /// Some of the upkeep could not be done.
    #[error("not all of the maintenance could be done: {}", one_a_line(.0))]
    Upkeep(Vec<String>),
    /// Some of what was to be deleted is still there.
    #[error("not everything could be deleted: {}", .0.join("; "))]
    Pruned(Vec<String>),
    /// Of what was named something must stay, so nothing was deleted.
    #[error("nothing was deleted: {}", one_a_line(.0))]
    NotRemoved(Vec<String>),
    /// There is no such store.
    #[error("there is no store {store} in {of} (there are: {})", .there.iter().map(StoreName::as_str).collect::<Vec<_>>().join(", "))]
    NoStore {
        /// What was named.
        store: StoreName,
        /// Where it was looked for.
        of: String,
        /// Those that there are.
        there: Vec<StoreName>,
    },
    /// Something else is there already, so nothing was copied.
    #[error("nothing was copied into {place}: what is there already is not the same: {}", one_a_line(.objects))]
    InTheWay {
        /// The place.
        place: String,
        /// What is there.
        objects: Vec<String>,
    },
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
    Preflight(#[from] Refusals),
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
    #[error("{}", refused(.0))]
    RestoreRefused(Vec<Finding>),
    /// No restore stands unfinished.
    #[error("platform {0} has no unfinished restore")]
    NothingUnfinished(Project),
    /// Nothing is kept that a restore has replaced.
    #[error("platform {0} holds no data that a restore has replaced")]
    NothingKept(Project),
    /// Some of what a restore has replaced is still there, and can no longer be brought back.
    #[error("not all old data could be freed: {}", one_a_line(.0))]
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
    #[error("not everything that run {run} stopped is running again{}", and_down(.degraded))]
    RecoveryIncomplete {
        /// The dead run.
        run: RunId,
        /// What did not come back.
        degraded: Vec<Degraded>,
    },
    /// Something that ran before an earlier run does not run.
    #[error("not everything that ran on platform {platform} is running again{}", and_down(.degraded))]
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

impl From<PreflightError> for Error {
    fn from(error: PreflightError) -> Self {
        Self::Preflight(error.into())
    }
}

/// All reasons why nothing was begun, the most important first; at least one.
#[derive(Debug)]
pub struct Refusals(Vec<PreflightError>);

impl Refusals {
    /// These reasons; none if there are none.
    pub fn of(reasons: Vec<PreflightError>) -> Option<Self> {
        (!reasons.is_empty()).then_some(Self(reasons))
    }

    /// What to do: for several reasons it stands with each.
    pub(super) fn hint(&self) -> String {
        match self.0.as_slice() {
            [one] => one.remedy(),
            _ => "nothing was stopped; mend what is named".into(),
        }
    }

    /// As an operator reads them.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.0.iter().map(Finding::from)
    }
}

impl From<PreflightError> for Refusals {
    fn from(reason: PreflightError) -> Self {
        Self(vec![reason])
    }
}

impl std::fmt::Display for Refusals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_slice() {
            [one] => one.fmt(f),
            several => {
                write!(f, "refused for {} reasons:", several.len())?;
                self.findings().try_for_each(|finding| write!(f, "\n{finding}"))
            }
        }
    }
}

impl std::error::Error for Refusals {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.first().and_then(std::error::Error::source)
    }
}

impl From<&PreflightError> for Finding {
    fn from(reason: &PreflightError) -> Self {
        Self::refuses(reason.to_string(), reason.remedy())
    }
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
    #[error("{place} has room for {room} bytes, {needed} are needed there temporarily: {}", .stores.join(", "))]
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
    #[error("{0}")]
    Unstartable(String),
    /// Jobs that run once have not ended.
    #[error("{} would be stopped and begun again: a job that runs once, and it still runs after {} s", .jobs.join(", "), .limit.as_secs())]
    JobsRun {
        /// Which.
        jobs: Vec<String>,
        /// How long they were waited for.
        limit: Duration,
    },
    /// Work that the backup would cut has not ended.
    #[error("{}; after {} s the backup was skipped, as configured", .work.join("; "), .limit.as_secs())]
    Busy {
        /// What, and whose.
        work: Vec<String>,
        /// How long it was waited for.
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
    #[error("store {store} does not hold what was backed up: {}", one_a_line(.differences))]
    Inventory {
        /// Which.
        store: StoreName,
        /// One line for each difference.
        differences: Vec<String>,
        /// The databases that differ, where it has such.
        parts: Vec<String>,
    },
    /// Somebody wrote into a store while no client should have run.
    #[error("the point in time is void: store {store} was written to during the standstill: {}{}", .moved.join("; "), connected(.connected_clients, .outside))]
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

impl RunFailure {
    /// The parts of a store without which a restore could go on.
    pub(super) fn parts(&self) -> Vec<&str> {
        match self {
            Self::Store {
                cause: StoreError::Parts { failed, .. },
                ..
            } => failed.iter().map(|(part, _)| part.as_str()).collect(),
            Self::Inventory { parts, .. } => parts.iter().map(String::as_str).collect(),
            _ => Vec::new(),
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

impl Exit {
    const ALL: [Self; 12] = [
        Self::Ok,
        Self::RunFailed,
        Self::Usage,
        Self::Degraded,
        Self::NotFound,
        Self::Held,
        Self::Preflight,
        Self::RestoreRefused,
        Self::StoppedOnPurpose,
        Self::Damaged,
        Self::RecoveryIncomplete,
        Self::Interrupted,
    ];

    /// The exit with this code.
    pub fn of(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| *exit as u8 == code)
    }
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

    /// What refused it, each with what to do about it; none where it was begun.
    pub fn findings(&self) -> Vec<Finding> {
        match self {
            Self::Preflight(refusals) => refusals.findings().collect(),
            Self::RestoreRefused(findings) => findings.clone(),
            _ => Vec::new(),
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
            | Self::NoStore { .. }
            | Self::NothingKept(_)
            | Self::NothingUnfinished(_) => (Exit::NotFound, 404),
            Self::Engine(EngineError::Unreachable { .. } | EngineError::Forbidden { .. }) => (Exit::NotFound, 503),
            Self::Engine(_) => (Exit::RunFailed, 502),
            Self::Held { .. }
            | Self::Lease {
                cause: LeaseError::Held(_) | LeaseError::Lost(_),
                ..
            } => (Exit::Held, 409),
            Self::Lease { .. } | Self::NotAdopted { .. } | Self::NotRemoved(_) | Self::InTheWay { .. } => {
                (Exit::Preflight, 422)
            }
            Self::Repository { .. } | Self::Read(ReadError::Repository(_)) => (Exit::Preflight, 502),
            Self::Read(ReadError::Unreadable { .. } | ReadError::Incomplete(..)) | Self::Damaged { .. } => {
                (Exit::Damaged, 422)
            }
            Self::Run { degraded, .. } if !degraded.is_empty() => (Exit::RecoveryIncomplete, 500),
            Self::Run { cause, .. } if matches!(**cause, RunFailure::Interrupted) => (Exit::Interrupted, 499),
            Self::Run { .. } | Self::Pruned(_) | Self::NotDiscarded(_) | Self::Upkeep(_) => (Exit::RunFailed, 500),
            Self::RecoveryIncomplete { .. } | Self::StillMissing { .. } => (Exit::RecoveryIncomplete, 500),
            Self::RestoreRefused(_) => (Exit::RestoreRefused, 422),
            Self::StoppedOnPurpose { .. } | Self::RestoreUnfinished(_) => (Exit::StoppedOnPurpose, 409),
            Self::Interrupted => (Exit::Interrupted, 499),
        }
    }
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

/// So many reasons are told.
const REASONS: usize = 20;

/// All reasons why nothing was changed; of very many the first.
fn refused(findings: &[Finding]) -> String {
    if let [only] = findings {
        return format!("refused, nothing was changed: {}", only.what);
    }
    let mut lines: Vec<String> = findings.iter().take(REASONS).map(ToString::to_string).collect();
    if findings.len() > REASONS {
        lines.push(format!("  and {} more", findings.len() - REASONS));
    }
    let count = findings.len();
    format!(
        "refused for {count} reasons, nothing was changed:\n{}",
        lines.join("\n")
    )
}

/// One reason stands behind what it is for, of many each on a line of its own; of very many the first.
fn one_a_line(reasons: &[String]) -> String {
    if let [only] = reasons {
        return only.clone();
    }
    let mut lines: Vec<String> = reasons
        .iter()
        .take(REASONS)
        .map(|reason| format!("\n  {reason}"))
        .collect();
    if reasons.len() > REASONS {
        lines.push(format!("\n  and {} more", reasons.len() - REASONS));
    }
    lines.concat()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_reasons_stand_on_lines_of_their_own_and_very_many_are_counted() {
        let reasons = |count: usize| (0..count).map(|n| format!("r{n}")).collect::<Vec<_>>();
        assert_eq!(one_a_line(&reasons(1)), "r0");
        assert_eq!(one_a_line(&reasons(2)), "\n  r0\n  r1");
        assert!(one_a_line(&reasons(REASONS + 3)).ends_with("\n  r19\n  and 3 more"));
        let findings = |count: usize| -> Vec<Finding> {
            let reasons = reasons(count).into_iter();
            reasons.map(|reason| Finding::refuses(reason, "mend it")).collect()
        };
        assert_eq!(refused(&findings(1)), "refused, nothing was changed: r0");
        assert_eq!(
            refused(&findings(2)),
            "refused for 2 reasons, nothing was changed:\n  refused: r0\n     help: mend it\n  refused: r1\n     help: mend it"
        );
        assert!(refused(&findings(REASONS + 3)).ends_with("\n  and 3 more"));
    }
}
