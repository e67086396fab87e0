//! What to do about each failure, in one place: the sentence after `help:`.

use super::errors::{Error, PreflightError, RunFailure};
use super::platform::PlatformError;
use super::start::Degraded;
use crate::backups::{LeaseError, ReadError};
use crate::command_line::quoted;
use crate::findings::Finding;
use crate::ports::job::WayOn;
use crate::ports::power::{Intent, Job};
use crate::ports::{EngineError, RepositoryError};
use crate::stores::StoreError;

impl Error {
    /// What to do now.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Platform(error) => platform_hint(error),
            Self::Engine(error) => engine_hint(error),
            Self::Repository { cause, .. } | Self::Read(ReadError::Repository(cause)) => repository_hint(cause),
            Self::Lease { cause, .. } => lease_hint(cause),
            Self::NotAdopted { .. } => "only a finished backup that Stillpoint has not written can be adopted".into(),
            Self::Pruned(_) => "mend what is named, then run `stillpoint prune`: it goes on where it stopped".into(),
            Self::NotRemoved(_) => "do what is named, or leave that one out".into(),
            Self::NoStore { .. } => "name one of those".into(),
            Self::InTheWay { .. } => "move it away, or name another directory".into(),
            Self::Upkeep(_) => {
                "what was done stays done; mend what is named, then ask for the same again: it goes on from there"
                    .into()
            }
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
            Self::Preflight(refusals) => refusals.hint(),
            Self::Run { cause, degraded } => run_hint(cause, degraded),
            Self::RestoreRefused(findings) => refused_hint(findings),
            Self::StoppedOnPurpose {
                intent, claimed, cause, ..
            } => stopped_hint(intent, *claimed, &cause.parts()),
            Self::RestoreUnfinished(intent) => stopped_hint(intent, intent.job, &[]),
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

impl PreflightError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Repository { cause, .. } => repository_hint(cause),
            Self::ForeignRepository { .. } => {
                "give every platform a place of its own: --repository DIR (STILLPOINT_REPOSITORY), or BACKUP_S3_PREFIX \
                 in a bucket"
                    .into()
            }
            Self::Clocks { .. } => {
                "set both clocks right (NTP): how old a backup is decides which one is deleted".into()
            }
            Self::NoRoom { .. } => {
                "free space there, or keep fewer backups (BACKUP_RETENTION_DAYS, `stillpoint prune`)".into()
            }
            Self::NoSpool { .. } => {
                "free space there, or set STILLPOINT_STATE_DIR to a place with more".into()
            }
            Self::Unstartable(_) => {
                "make again what is named (`docker compose up -d` makes containers again), or leave the container out with \
                 STILLPOINT_KEEP"
                    .into()
            }
            Self::JobsRun { .. } => {
                "wait until it has ended, raise standstill.jobs_seconds (BACKUP_JOBS_SECONDS), or leave it out of the stop \
                 with platform.keep (STILLPOINT_KEEP)"
                    .into()
            }
            Self::Busy { .. } => {
                "wait until it has ended, raise standstill.busy_seconds (BACKUP_BUSY_SECONDS), or cut it with \
                 standstill.when_busy = \"go-on\" (BACKUP_WHEN_BUSY)"
                    .into()
            }
            Self::StoreDown { .. } => "start it, then run the backup again".into(),
            Self::Store(error) => unopened_hint(error),
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
        RepositoryError::NoConditions { .. } => CONDITIONS.into(),
        RepositoryError::Exists { .. } => {
            "run it again; if it is there again, look whether this host's clock was set back".into()
        }
        RepositoryError::Unreachable { .. } => {
            "look at BACKUP_S3_ENDPOINT, at the server, and at BACKUP_S3_CA_FILE if its certificate is your own".into()
        }
        _ => "look at the repository's disk or server, then try again".into(),
    }
}

const CONDITIONS: &str = "use a server that supports conditional writes; BACKUP_S3_CONDITIONAL_WRITES=false goes on without them, and \
     then you must see to it that no two runs write at the same time";

fn lease_hint(error: &LeaseError) -> String {
    match error {
        LeaseError::Held(_) => {
            "wait until that run has ended; if it died, its lease ends by itself after BACKUP_LEASE_SECONDS".into()
        }
        LeaseError::Lost(_) => "find out what froze this run, then run it again".into(),
        LeaseError::Careless => CONDITIONS.into(),
        LeaseError::Repository(error) => repository_hint(error),
    }
}

/// For several reasons it stands with each.
fn refused_hint(findings: &[Finding]) -> String {
    match findings {
        [
            Finding {
                remedy: Some(remedy), ..
            },
        ] => remedy.clone(),
        _ => "nothing was stopped; mend what is named, or choose another backup".into(),
    }
}

pub(super) fn store_hint(error: &StoreError) -> String {
    match error {
        StoreError::Credential { remedy, .. } => remedy.clone(),
        StoreError::Repository(error) => repository_hint(error),
        StoreError::Engine(error) => engine_hint(error),
        StoreError::Silent { .. } => "look at the store's log (`docker logs`), then try again".into(),
        StoreError::Server { .. } => {
            "mend what it names, then try again; the store's log (`docker logs`) may tell more".into()
        }
        StoreError::Unfit(_) | StoreError::Several(_) | StoreError::Tool { .. } | StoreError::Parts { .. } => {
            "mend what is named, then try again".into()
        }
        StoreError::Damaged(_) => "choose another backup (`stillpoint backups ls`)".into(),
        StoreError::Spool(_) => "free space there, or set STILLPOINT_STATE_DIR to a place with more".into(),
        _ => "try again; `-v` tells what is waited for".into(),
    }
}

/// What is taken for a store and cannot be opened may be none.
fn unopened_hint(error: &StoreError) -> String {
    let hint = store_hint(error);
    match error {
        StoreError::Credential { .. } | StoreError::Silent { .. } | StoreError::Engine(_) => {
            format!(
                "{hint}; if it is not a store to back up, say so: kind = \"none\" in [stores.<container>], or the label \
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

/// `parts` is what cannot be loaded, of which what can be is had by accepting that.
fn stopped_hint(intent: &Intent, claimed: Job, parts: &[&str]) -> String {
    let again = match (intent.job.declaration().way_on, claimed.declaration().way_on) {
        (WayOn::Again(command), _) => format!("run `{command}` again"),
        // There is no restore to go on with: the claim is another job's.
        (_, WayOn::Again(back)) => format!("restore it again, go back with `{back}`"),
        _ if intent.no_way_back => format!("run `stillpoint restore resume`{}", accepting(parts)),
        _ => format!(
            "run `stillpoint restore resume`{}, go back with `stillpoint restore undo`",
            accepting(parts)
        ),
    };
    format!(
        "mend the cause and {again}, restore another backup, or start the platform as it is with `stillpoint \
         containers start`"
    )
}

fn accepting(parts: &[&str]) -> String {
    if parts.is_empty() {
        return String::new();
    }
    let accept: Vec<String> = parts.iter().map(|part| format!("--accept {}", quoted(part))).collect();
    format!(
        ", go on without what of it cannot be loaded with `stillpoint restore resume {}`",
        accept.join(" ")
    )
}
