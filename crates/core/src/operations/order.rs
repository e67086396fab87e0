//! What can be asked for as a run: an order is data, so that it can be kept, shown, and asked for again.

use serde::{Deserialize, Serialize};

use super::restore::{Restore, Terms};
use super::verify::Scope;
use crate::maintenance::CleanupWish;
use crate::manifest::Mode;

/// A job with its options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Make a backup.
    Backup {
        /// How clients are kept away; none: as configured.
        mode: Option<Mode>,
    },
    /// Overwrite the platform's data with a backup's.
    Restore(Restore),
    /// Go on with a restore that stands unfinished.
    ResumeRestore(Terms),
    /// Bring back what a restore has replaced.
    UndoRestore,
    /// Free what a restore has replaced.
    DiscardOld,
    /// Read backups to their last byte.
    Verify {
        /// Which.
        scope: Scope,
    },
    /// Delete what retention lets go.
    Prune,
    /// Delete old logs and events of Dagster's databases.
    Cleanup(CleanupWish),
    /// Give the room back that deleted rows of Dagster's databases take.
    Repack,
}

impl Order {
    /// The job, as it is called everywhere.
    pub fn job(&self) -> &'static str {
        match self {
            Self::Backup { .. } => "backup_job",
            Self::Restore(_) | Self::ResumeRestore(_) => "full_restore_job",
            Self::UndoRestore => "undo_job",
            Self::DiscardOld => "discard_job",
            Self::Verify { .. } => "verify_job",
            Self::Prune => "prune_job",
            Self::Cleanup(_) => "dagster_cleanup_job",
            Self::Repack => "postgres_repack_job",
        }
    }

    /// Whether it replaces or frees data that its operator has to agree to each time.
    pub fn replaces_data(&self) -> bool {
        matches!(
            self,
            Self::Restore(_) | Self::ResumeRestore(_) | Self::UndoRestore | Self::DiscardOld
        )
    }

    /// Whether it may stop the platform, and needs somebody to bring that back should its process die.
    pub fn may_stop_the_platform(&self) -> bool {
        !matches!(
            self,
            Self::Verify { .. } | Self::Prune | Self::Cleanup(_) | Self::Repack
        )
    }
}
