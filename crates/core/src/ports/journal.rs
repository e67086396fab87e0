//! The journal: what a run intends, durable on this host before it is done. It repeats what the claim
//! says, for the case that somebody removed the claim, and adds how far the run came.
//!
//! It is no display: a journal that cannot be written stops the act. One that is lost stops nothing
//! else: recovery works from the claim alone.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::power::Intent;
use crate::names::{BackupId, Project, RunId, StoreName};

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It said what it will do; nothing was done.
    Planned,
    /// It may be stopping, copying or replacing.
    Acting,
    /// It may be starting what it had stopped.
    Undoing,
    /// Everything was seen to be what it was before.
    Verified,
    /// Nothing of it is left to do.
    Closed,
}

/// A run that is not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRun {
    /// What it intended.
    pub intent: Intent,
    /// How far it came.
    pub phase: Phase,
    /// Of a restore: what it has loaded.
    pub loaded: Option<Loaded>,
}

/// What a restore has loaded so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// From which backup: a later attempt of the same run may be of another.
    pub backup: BackupId,
    /// Stores that hold all of it.
    pub stores: Vec<StoreName>,
}

/// Why the journal could not be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the journal {path} cannot be {doing}: {cause}")]
pub struct JournalError {
    /// The file.
    pub path: String,
    /// `read` or `written`.
    pub doing: &'static str,
    /// The system's own words.
    pub cause: String,
}

/// Durable notes of runs.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Notes a run's intent, in the phase [`Phase::Planned`]. Durable when it returns. Noting a run
    /// twice keeps the first note, unless the run has become another job since, or was closed: then the new
    /// intent takes its place.
    async fn plan(&self, intent: &Intent) -> Result<(), JournalError>;

    /// Notes that a run has come so far. Durable when it returns; never goes back. A run that was
    /// never noted is a success: its journal was lost.
    async fn advance(&self, run: &RunId, phase: Phase) -> Result<(), JournalError>;

    /// Notes what a restore has loaded, in place of what was noted of it before. Durable when it returns.
    /// A run that was never noted is a success: its journal was lost.
    async fn loaded(&self, run: &RunId, loaded: &Loaded) -> Result<(), JournalError>;

    /// The platforms of which something is noted: a run that is not closed, or something that is missing.
    async fn platforms(&self) -> Result<Vec<Project>, JournalError>;

    /// The platform's runs that are not closed, oldest first.
    async fn open_runs(&self, platform: &Project) -> Result<Vec<OpenRun>, JournalError>;
}
