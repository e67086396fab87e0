//! The power to stop and start production containers, and the claim that says who does so.
//! Held by `engine::standstill` alone: no store is ever handed one.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::EngineError;
use super::store::Passwords;
use crate::names::{Address, BackupId, Project, RunId, WorkloadId};
use crate::workload::{RestartPolicy, State};

/// How a stop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// By itself, within its grace.
    Cleanly,
    /// The engine killed it when its grace was over: whatever it held in memory is lost.
    Killed,
}

/// Stopping and starting. Every method may be repeated: what is already so is a success.
#[async_trait]
pub trait Power: Send + Sync {
    /// Asks the workload to stop, kills it after `grace`, and returns when its process is gone.
    async fn stop(&self, id: &WorkloadId, grace: Duration) -> Result<Stopped, EngineError>;

    /// Starts the workload, or thaws it, and returns when its process runs, not when it is ready.
    async fn start(&self, id: &WorkloadId) -> Result<(), EngineError>;

    /// Freezes a running workload.
    async fn pause(&self, id: &WorkloadId) -> Result<(), EngineError>;

    /// Sets what the engine does when the workload ends, or when the engine itself starts.
    async fn set_restart(&self, id: &WorkloadId, policy: &RestartPolicy) -> Result<(), EngineError>;

    /// Takes the platform for one run, atomically: of two callers exactly one succeeds. The intent
    /// is kept by the engine itself, so it outlives this process, this host's reboot and our own
    /// files, and is visible to every other process that talks to the same engine.
    ///
    /// `image` is one that the engine already has. Returns the holder's intent if there is one.
    async fn claim(&self, intent: &Intent, image: &str) -> Result<Claim, EngineError>;

    /// The intent of whoever holds the platform.
    async fn claimed(&self, platform: &Project) -> Result<Option<Intent>, EngineError>;

    /// Gives the platform free. A success also when nobody held it.
    async fn release(&self, platform: &Project) -> Result<(), EngineError>;
}

/// The outcome of a claim.
#[derive(Debug)]
pub enum Claim {
    /// The platform is ours until released.
    Ours,
    /// Somebody else's run holds it.
    Held(Box<Intent>),
}

/// What a run is about to do to a platform: enough to bring it back without us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The platform.
    pub platform: Project,
    /// The run that holds it.
    pub run: RunId,
    /// What the run is.
    pub job: Job,
    /// The backup that is written or restored.
    pub backup: BackupId,
    /// The holder's host: on another one, no lock tells whether it lives.
    pub host: String,
    /// The holder's process on that host, for people.
    pub process: u32,
    /// Since when.
    pub since: Timestamp,
    /// What ran or was paused, and is to be so again.
    pub workloads: Vec<Recorded>,
    /// A restore that keeps no way back: what it replaces is copied nowhere, and freed at its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_way_back: bool,
    /// What a restore does about passwords: whoever goes on with it does the same.
    #[serde(default, skip_serializing_if = "Passwords::is_default")]
    pub passwords: Passwords,
}

impl Intent {
    /// What the run is, in words.
    pub fn deed(&self) -> String {
        match self.job {
            Job::BackupJob => format!("backup {}", self.backup),
            Job::FullRestoreJob => format!("the restore of {}", self.backup),
            Job::UndoJob => "the undoing of a restore".to_owned(),
            Job::DiscardJob => "the discarding of old data".to_owned(),
        }
    }
}

/// The jobs that stop a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Writes a backup.
    BackupJob,
    /// Overwrites the platform's data from a backup.
    FullRestoreJob,
    /// Brings back the data that a restore has replaced.
    UndoJob,
    /// Frees the data that a restore has replaced.
    DiscardJob,
}

impl Job {
    /// Whether it replaces data: if it dies, the platform stays down, for clients must not meet data of which
    /// half is old.
    pub fn replaces_data(self) -> bool {
        matches!(self, Self::FullRestoreJob | Self::UndoJob)
    }
}

/// A workload as it was before the run touched it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Where it stands: finds it again after a recreation.
    pub address: Address,
    /// The container.
    pub id: WorkloadId,
    /// What it did.
    pub state: State,
    /// Its last start.
    pub started_at: Option<Timestamp>,
    /// What the engine did when it ended. A restore sets it to `no`, so that what it stopped stays
    /// down across a reboot.
    pub restart: RestartPolicy,
    /// Its health check passed.
    pub healthy: bool,
    /// The run means to stop it, with this grace in seconds; none for what is left alone.
    pub grace: Option<u64>,
    /// The run itself starts it inside the standstill, so a later start tells nothing about others.
    pub alone: bool,
}
