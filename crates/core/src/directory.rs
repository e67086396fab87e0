//! One backup's directory, and all that reads and writes it. What may be written there, and when, others know.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use crate::names::BackupId;
use crate::ports::gateway::Place;
use crate::ports::{Key, Repository, RepositoryError, Workers};

/// How many objects are deleted at the same time: a store that writes by itself writes thousands, and each costs a round trip.
const DELETES_AT_ONCE: usize = 16;

/// A backup's directory.
#[derive(Clone)]
pub(crate) struct Directory {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) workers: Arc<dyn Workers>,
    pub(crate) backup: BackupId,
}

impl Directory {
    /// The place below it where a store reads or writes by itself.
    pub(crate) fn place(&self, prefix: &str) -> Place {
        Place {
            repository: self.repository.clone(),
            workers: self.workers.clone(),
            backup: self.backup,
            prefix: prefix.to_owned(),
        }
    }
}

/// Deletes these objects, in no particular order.
pub(crate) async fn delete_all(
    repository: &dyn Repository,
    keys: impl IntoIterator<Item = Key>,
) -> Result<(), RepositoryError> {
    let deletions = keys.into_iter().map(|key| async move { repository.delete(&key).await });
    stream::iter(deletions)
        .buffer_unordered(DELETES_AT_ONCE)
        .try_collect()
        .await
}
