//! Which backups of a repository go and which stay, with a reason for each.
//!
//! Deleting is the one act of this product that cannot be undone, so the decision stands here alone:
//! a pure function of what was found, the policy and a moment. It must never look at the repository, read a
//! clock or delete; and what it was not told about, it must not name. `docs/retention.md` tells
//! operators the same rules.

mod periods;
mod reason;
mod rules;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

pub use periods::{Period, Periods};
pub use reason::Reason;

use crate::names::BackupId;

/// How far clocks may differ before one of them is called wrong.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// How long what a dead or failed run left stays: time to look at it, and longer than any run
/// goes without a write.
pub const REMAINS_STAY: SignedDuration = SignedDuration::from_hours(24);

/// How long backups stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// `BACKUP_RETENTION_DAYS`: a backup younger than this many times 24 hours stays. Hours, not
    /// days of a calendar: a change to or from summer time moves nothing.
    pub days: u32,
    /// `BACKUP_MINIMUM_KEEP`: so many complete backups stay, however old. The newest one stays
    /// even if this is 0.
    pub minimum: u32,
    /// Of so many days, weeks, months and years one each stays, whatever the other two say.
    #[serde(flatten)]
    pub periods: Periods,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            days: 7,
            minimum: 3,
            periods: Periods::default(),
        }
    }
}

/// A directory of the repository that carries one of our marks, as found. Directories without
/// one are none of ours: the caller leaves them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: BackupId,
    /// What it is.
    pub standing: Standing,
    /// Why it never goes, if it never goes.
    pub exempt: Option<Exempt>,
}

/// What takes a backup out of retention.
///
/// A backup taken out does not count towards the minimum either: to protect an old one must not shorten the
/// history that the others make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exempt {
    /// Its operator protects it.
    Protected,
    /// It was made as the way back from a restore.
    Safety,
}

/// What a directory of the repository is, as far as retention cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It has a manifest and is not known to be damaged.
    Complete,
    /// It has a manifest, and its last verification found damage.
    FailedVerification,
    /// Its manifest cannot be used.
    Unusable {
        /// A newer version of the product wrote it.
        newer: bool,
    },
    /// `manifest.partial.json` and no manifest: a failed run.
    Partial,
    /// `run.json` and no manifest of any sort: a run that lives, or one that died.
    Torso {
        /// When its newest object was written.
        written: Timestamp,
        /// A run that lives, its lease unexpired, is writing it.
        held: bool,
    },
    /// `deleted.json`: somebody began to delete it, so it is a backup no more.
    HalfDeleted,
}

/// What becomes of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Nothing touches it.
    Stays,
    /// It is deleted.
    Goes,
}

/// What becomes of one directory, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The directory.
    pub id: BackupId,
    /// What it was found to be.
    pub standing: Standing,
    /// What becomes of it.
    pub fate: Fate,
    /// Why. Its `Display` is for the operator.
    pub reason: Reason,
}

impl Verdict {
    /// Somebody began to delete it.
    pub fn is_half_deleted(&self) -> bool {
        self.standing == Standing::HalfDeleted
    }
}

/// What becomes of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RetentionPlan {
    /// One for each directory that was given, oldest first.
    pub verdicts: Vec<Verdict>,
}

/// Decides about `entries` at the moment `now`.
///
/// The same entries in another order give the same plan. What remains after a plan was carried out,
/// in full or in part, gives a plan that spares the same backups. No id may be given twice.
pub fn plan(entries: &[Entry], policy: &Policy, now: Timestamp) -> RetentionPlan {
    let rules = rules::Rules::new(entries, *policy, now);
    let mut verdicts: Vec<Verdict> = entries.iter().map(|entry| rules.verdict(entry)).collect();
    verdicts.sort_by_key(|verdict| verdict.id);
    RetentionPlan { verdicts }
}

impl RetentionPlan {
    /// What is to be deleted, in an order in which it is safe to stop anywhere: remains of dead runs and
    /// of deletions, failed runs, damaged backups, then complete ones; the oldest of each first.
    pub fn gone(&self) -> impl Iterator<Item = BackupId> {
        let mut going = self.having(Fate::Goes);
        going.sort_by_key(|verdict| (worth(verdict.standing), verdict.id));
        going.into_iter().map(|verdict| verdict.id)
    }

    /// What stays, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = BackupId> {
        self.having(Fate::Stays).into_iter().map(|verdict| verdict.id)
    }

    fn having(&self, fate: Fate) -> Vec<&Verdict> {
        self.verdicts.iter().filter(|verdict| verdict.fate == fate).collect()
    }
}

/// How much would be lost, from nothing upwards.
fn worth(standing: Standing) -> u8 {
    match standing {
        Standing::Torso { .. } => 0,
        Standing::HalfDeleted => 1,
        Standing::Partial => 2,
        Standing::FailedVerification | Standing::Unusable { .. } => 3,
        Standing::Complete => 4,
    }
}
