//! Deleting a backup so that it can be told at any moment what is left of it: `deleted.json` says that it
//! began, then the manifest goes and it is no backup any more, then everything else, the words that
//! say whose it was last.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Backups, DELETED, MANIFEST, PARTIAL, RUN, document};
use crate::names::{BackupId, Project, RunId};
use crate::ports::{Key, RepositoryError};

/// `deleted.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct Deletion {
    pub(super) format: u32,
    pub(super) platform: Project,
    pub(super) run: RunId,
    pub(super) at: Timestamp,
    /// Why, in a sentence.
    pub(super) reason: String,
}

/// Whose deletion it is, and why.
pub struct Order {
    /// The platform whose backup it is.
    pub platform: Project,
    /// The run that deletes.
    pub run: RunId,
    /// When it began to.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Backups {
    /// Deletes a backup, or goes on with a deletion that somebody began. The caller holds the lease and
    /// has just renewed it. May be repeated, and may die anywhere.
    pub async fn remove(&self, id: BackupId, order: &Order) -> Result<(), RepositoryError> {
        let Order {
            platform,
            run,
            at,
            reason,
        } = order;
        let begun = Deletion {
            format: 1,
            platform: platform.clone(),
            run: run.clone(),
            at: *at,
            reason: reason.clone(),
        };
        let mark = Key::of(id, DELETED);
        match self.repository.create(&mark, document(&begun)).await {
            Ok(_) | Err(RepositoryError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
        for name in [MANIFEST, PARTIAL] {
            self.repository.delete(&Key::of(id, name)).await?;
        }
        self.repository.sweep(&id.to_string()).await?;
        for said in self.marks_of(id).await? {
            self.repository.delete(&said).await?;
        }
        let whose = [Key::of(id, RUN), mark];
        for entry in self.repository.list(Some(&id.to_string())).await? {
            if !whose.contains(&entry.key) {
                self.repository.delete(&entry.key).await?;
            }
        }
        for key in &whose {
            self.repository.delete(key).await?;
        }
        Ok(())
    }
}
