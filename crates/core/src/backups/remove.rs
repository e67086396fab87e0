//! Deleting a backup so that it can be told at any moment what is left of it: `deleted.json` says that it
//! began, then the manifest goes and it is no backup any more, then everything else, the words that
//! say whose it was last.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Backups, DELETED, MANIFEST, PARTIAL, RUN, canary, document, lease};
use crate::directory::delete_all;
use crate::names::{BackupId, Project, RunId};
use crate::ports::repository::PRODUCT;
use crate::ports::{Key, RepositoryError};
use crate::retention::REMAINS_STAY;

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
pub struct DeletedBy {
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
    /// Removes what runs that died long ago tried the repository with. No journal knows of those that
    /// only pruned, verified or adopted. What is younger may be a living run's.
    pub async fn remove_litter(&self) -> Result<(), RepositoryError> {
        let mut found = self.repository.list(Some(PRODUCT)).await?;
        found.retain(|entry| canary::is_one(&entry.key) || lease::is_probe(&entry.key));
        if found.is_empty() {
            return Ok(());
        }
        let now = self.repository.clock().await?;
        found.retain(|entry| now.duration_since(entry.written) > REMAINS_STAY);
        for entry in found {
            self.repository.delete(&entry.key).await?;
        }
        Ok(())
    }

    /// Whether somebody has begun to delete it: then it is a backup no more, whatever is left of it.
    pub async fn is_half_deleted(&self, id: BackupId) -> Result<bool, RepositoryError> {
        match self.repository.open(&Key::of(id, DELETED)).await {
            Ok(_) => Ok(true),
            Err(RepositoryError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes a backup, or goes on with a deletion that somebody began. The caller holds the lease and
    /// has just renewed it. May be repeated, and may die anywhere. Fails with
    /// [`RepositoryError::Denied`] where the repository does not let it go: then it is as whole as before, unless others had begun.
    pub async fn remove(&self, id: BackupId, order: &DeletedBy) -> Result<(), RepositoryError> {
        let DeletedBy {
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
        let marked = match self.repository.create(&mark, document(&begun)).await {
            Ok(_) => true,
            Err(RepositoryError::Exists { .. }) => false,
            Err(error) => return Err(error),
        };
        for name in [MANIFEST, PARTIAL] {
            let gone = self.repository.delete(&Key::of(id, name)).await;
            // Whole as it is: it must not be taken for half deleted.
            if marked && name == MANIFEST && matches!(gone, Err(RepositoryError::Denied { .. })) {
                self.repository.delete(&mark).await?;
            }
            gone?;
        }
        self.repository.sweep(&id.to_string()).await?;
        for said in self.marks_of(id).await? {
            self.repository.delete(&said).await?;
        }
        let whose = [Key::of(id, RUN), mark];
        let found = self.repository.list(Some(&id.to_string())).await?;
        let rest = found
            .into_iter()
            .map(|entry| entry.key)
            .filter(|key| !whose.contains(key));
        delete_all(&*self.repository, rest).await?;
        for key in &whose {
            self.repository.delete(key).await?;
        }
        Ok(())
    }
}
