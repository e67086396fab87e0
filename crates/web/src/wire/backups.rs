//! The backups there are, and each of them.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use stillpoint_core::manifest::Manifest;
use stillpoint_core::names::{BackupId, StoreName};
use stillpoint_core::ports::history::Way;

use super::overview::RunLine;

/// Which backups are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupsWanted {
    /// Of this sort.
    pub show: Show,
    /// Of this day in the schedule's zone.
    pub day: Option<String>,
    /// That hold this store.
    pub store: Option<String>,
    /// In this order.
    pub sort: Sort,
    /// The other way round: oldest, smallest, shortest first.
    pub rising: bool,
    /// Which page, from 1.
    pub page: Option<usize>,
    /// So many on a page.
    pub limit: Option<usize>,
}

/// Sorts of backups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Show {
    /// All of them.
    #[default]
    All,
    /// Complete ones that are not known to be damaged.
    Complete,
    /// Those that were read and found whole.
    Verified,
    /// Those that were never read back.
    Unverified,
    /// Those that are kept from retention.
    Protected,
    /// Damaged, unreadable, left by failed runs.
    Trouble,
}

/// Orders of backups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// By age.
    #[default]
    Age,
    /// By size.
    Size,
    /// By how long the run took.
    Duration,
    /// By how long clients were down.
    Downtime,
}

/// A page of backups.
#[derive(Clone, Debug, Serialize)]
pub struct BackupsPage {
    /// The repository.
    pub place: String,
    /// How many complete backups there are in all.
    pub complete: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How many there are of the wanted.
    pub found: usize,
    /// This page, from 1.
    pub page: usize,
    /// Of so many.
    pub pages: usize,
    /// Those on this page.
    pub backups: Vec<BackupLine>,
}

/// A backup in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupLine {
    /// Its id.
    pub id: BackupId,
    /// What it is.
    pub standing: BackupStanding,
    /// More about that.
    pub note: Option<String>,
    /// By which way it was asked for, as far as the history knows.
    pub trigger: Option<Way>,
    /// The run that made it, as far as the history knows.
    pub run: Option<String>,
    /// How long that took, in milliseconds.
    pub millis: Option<u64>,
    /// How long clients were down, in milliseconds.
    pub down_millis: Option<u64>,
    /// Its bytes.
    pub bytes: u64,
    /// The stores that it holds.
    pub stores: Vec<StoreName>,
    /// Stores that the platform had and it lacks.
    pub lacks: usize,
    /// How its last verification ended.
    pub verified: Option<VerifiedAt>,
    /// It is kept from retention.
    pub protected: bool,
    /// When retention lets it go; none: it does not go by its age, or nobody knows.
    pub expires: Option<Timestamp>,
    /// What retention says about it.
    pub retention: Option<String>,
}

/// How a verification ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedAt {
    /// When.
    pub at: Timestamp,
    /// It was found whole.
    pub sound: bool,
}

/// What a directory of the repository is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupStanding {
    /// A complete backup.
    Complete,
    /// A complete backup that was found damaged.
    Damaged,
    /// What a restore has replaced, kept as the way back: no backup.
    Safety,
    /// Its manifest cannot be used.
    Unreadable,
    /// What a failed run left: no backup.
    Partial,
    /// Being written, or left by a dead run: no backup.
    Incomplete,
}

impl BackupStanding {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Damaged => "damaged",
            Self::Safety => "copy",
            Self::Unreadable => "unreadable",
            Self::Partial => "partial",
            Self::Incomplete => "incomplete",
        }
    }

    /// Whether there is a manifest to look at.
    pub fn has_manifest(self) -> bool {
        matches!(self, Self::Complete | Self::Damaged | Self::Safety)
    }
}

/// One backup.
#[derive(Clone, Debug, Serialize)]
pub struct BackupDetail {
    /// In short.
    #[serde(flatten)]
    pub line: BackupLine,
    /// The backup before it.
    pub previous: Option<BackupId>,
    /// What has changed since that, store by store.
    pub changes: Vec<StoreChange>,
    /// The runs that made, verified or restored it, as far as the history knows.
    pub runs: Vec<RunLine>,
    /// Its manifest.
    pub manifest: Manifest,
}

/// A store's bytes beside those in the backup before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreChange {
    /// Which.
    pub store: StoreName,
    /// Before; none: the backup before does not hold it.
    pub before: Option<u64>,
    /// Now.
    pub bytes: u64,
    /// What is conspicuous about that.
    pub flag: Option<Flag>,
}

/// What is conspicuous about a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Nothing is left.
    Zero,
    /// Half of it or less is left.
    Shrunk,
    /// It is half as much again, or more.
    Grown,
}

impl Flag {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Zero => "empty",
            Self::Shrunk => "shrunk",
            Self::Grown => "grown",
        }
    }
}

/// What the days of a month brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Month {
    /// Its first day.
    pub first: Date,
    /// Days with good backups.
    pub good: usize,
    /// Days with backups and trouble.
    pub trouble: usize,
    /// Days without, where a run failed.
    pub failed: usize,
    /// Days on which one was due and was not made.
    pub overdue: usize,
}
