//! What is known of a platform and of what is around it, before anybody says what of it is wrong. Plain data.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::backups::Verified;
use crate::engine::errors::{Error, PreflightError};
use crate::engine::plan::Plan;
use crate::engine::start::Degraded;
use crate::findings::Finding;
use crate::manifest::Manifest;
use crate::names::{Address, BackupId, StoreName, WorkloadId};
use crate::ports::{EngineVersion, Lost, Neighbour};

/// What engine, stores and repository say.
pub struct SiteFacts {
    /// When they were asked.
    pub now: Timestamp,
    /// The engine, or why it cannot be asked.
    pub engine: Result<EngineVersion, Finding>,
    /// The platform, or why there is none; nothing where no engine answers.
    pub platform: Option<Result<PlatformFacts, Finding>>,
    /// The repository.
    pub repository: RepositoryFacts,
    /// The files of the engine's host are seen from here.
    pub sees_host: bool,
    /// What could not be looked at, and why.
    pub unseen: Vec<String>,
}

/// A platform.
pub struct PlatformFacts {
    /// What a backup would do with it.
    pub plan: Plan,
    /// A run that is at work on it now, in words: what that has stopped is no finding.
    pub at_work: Option<String>,
    /// What a run has left that is nobody's work now.
    pub left: Option<Finding>,
    /// What earlier runs did not bring back.
    pub missing: Vec<Degraded>,
    /// What refuses a backup.
    pub refusals: Vec<PreflightError>,
    /// What stores tell of themselves.
    pub told: Vec<(StoreName, String)>,
    /// The version of each store that answers.
    pub versions: BTreeMap<StoreName, String>,
    /// Bytes of live data.
    pub live: u64,
    /// What containers were made with and the engine no longer has.
    pub lost: BTreeMap<WorkloadId, Vec<Lost>>,
    /// Every container of the engine that runs.
    pub around: Vec<Neighbour>,
    /// Why the newest backup could not be restored here.
    pub unrestorable: Vec<Finding>,
    /// What of it would not come back as it was.
    pub altered: Vec<String>,
}

/// A repository.
pub struct RepositoryFacts {
    /// What and where it is.
    pub place: String,
    /// Why it cannot be used.
    pub refusals: Vec<PreflightError>,
    /// Why it keeps two writers not apart.
    pub careless: Option<Error>,
    /// Bytes that still fit, where it can tell.
    pub room: Option<u64>,
    /// Why what is deleted goes on taking room.
    pub keeps: Option<String>,
    /// What it holds; nothing where it cannot be read.
    pub backups: Option<Known>,
    /// The container of this engine, or the name of this host, that serves it.
    pub served_here: Option<String>,
}

/// The backups that there are.
#[derive(Default)]
pub struct Known {
    /// Complete ones, oldest first, without the copies that restores make.
    pub complete: Vec<(Manifest, Option<Verified>)>,
    /// Those whose manifest cannot be used, and why.
    pub unreadable: Vec<(BackupId, String)>,
}

impl Known {
    /// The newest that is complete.
    pub fn newest(&self) -> Option<&Manifest> {
        self.complete.last().map(|(manifest, _)| manifest)
    }
}

/// What the program knows beside: its history, its settings, its host.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// The jobs that come by themselves.
    pub schedules: Vec<ScheduleFacts>,
    /// Where they meet each other or the windows of others, a sentence each.
    pub meetings: Vec<String>,
    /// The last backups that ran, the newest first.
    pub runs: Vec<PastBackup>,
    /// Who is told, and who watches.
    pub receivers: Vec<Receiver>,
    /// The directory that holds the backups, where it is on a disk of this host.
    pub directory: Option<String>,
    /// What begins when the host starts; nothing where it is not seen from here.
    pub boot: Option<Boot>,
    /// Jobs of the host that remove what does not run; nothing where they are not seen from here.
    pub prunes: Option<Vec<PruneJob>>,
    /// What is accepted: the name of a check, or that and a service: `left-out:webui`.
    pub accepted: Vec<String>,
    /// What could not be looked at, and why.
    pub unseen: Vec<String>,
}

/// A job that comes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleFacts {
    /// The job.
    pub job: String,
    /// It is switched on.
    pub on: bool,
    /// Who switched it off.
    pub switched_by: Option<String>,
    /// Somebody heeds it.
    pub heeded: bool,
    /// Since when it is overdue, and why.
    pub overdue: Option<(Timestamp, String)>,
}

/// A backup that ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PastBackup {
    /// What it is called.
    pub called: String,
    /// What it stopped, and whether that had to be killed.
    pub stopped: Vec<(Address, bool)>,
    /// What did not come back as it was, and why.
    pub degraded: Vec<(Address, String)>,
}

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// What it is called; no secret.
    pub name: String,
    /// It watches, and is told of every run.
    pub watches: bool,
    /// Why it was not reached the last time.
    pub failed: Option<String>,
}

/// What begins when the host starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// The service.
    pub service: bool,
    /// What brings back what died.
    pub recover: bool,
    /// What makes backups without a service.
    pub timer: bool,
}

/// A job of the host that removes what does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneJob {
    /// The file, and the line in it.
    pub place: String,
    /// What it runs: `docker system prune`.
    pub command: String,
}
