//! The journal: what a run intends, durable on this host before it is done. It repeats what the claim
//! says, for the case that somebody removed the claim, and adds how far the run came, and what it did not bring back.
//!
//! It is no display: a journal that cannot be written stops the act. One that is lost stops nothing
//! else: recovery works from the claim alone.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::power::{Intent, RecordedWorkload};
use crate::names::{Address, BackupId, Project, RunId, StoreName};
use crate::selection::Selection;

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
    /// What of that backup, and into what.
    #[serde(default, skip_serializing_if = "Selection::is_default")]
    pub selection: Selection,
}

/// Something that ran before a run, and that the run did not bring back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What it was.
    pub was: RecordedWorkload,
    /// The run.
    pub run: RunId,
    /// When that was seen.
    pub since: Timestamp,
    /// What was the case instead.
    pub cause: String,
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

    /// Notes what is missing, in place of what was noted of the same addresses before. Durable when it returns.
    async fn note_missing(&self, missing: &[Missing]) -> Result<(), JournalError>;

    /// What of the platform is missing, in order of the addresses.
    async fn missing(&self, platform: &Project) -> Result<Vec<Missing>, JournalError>;

    /// Forgets that something is missing. A success also where it was not noted.
    async fn forget_missing(&self, platform: &Project, addresses: &[Address]) -> Result<(), JournalError>;
}
