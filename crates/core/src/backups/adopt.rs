//! Taking over a backup that others made in this layout: without a manifest nothing says what it should
//! be, so what is there is read to its end, hashed and described, and from then on held to that.
//! What our own runs left, and what is half deleted, looks much the same and is never taken over.

use futures::TryStreamExt;

use super::Backups;
use crate::hashing::Hashing;
use crate::names::{ArtifactName, BackupId};
use crate::ports::{Key, RepositoryError};

impl Backups {
    /// The objects of a directory that nobody has begun, described or deleted by our rules; else why it
    /// cannot be adopted.
    pub async fn adoptable(&self, id: BackupId) -> Result<Result<Vec<ArtifactName>, String>, RepositoryError> {
        if let Some(mark) = self.is_unmarked(id).await? {
            return Ok(Err(format!("it holds {mark}: {}", meaning(mark))));
        }
        let found = self.repository.list(Some(&id.to_string())).await?;
        if found.is_empty() {
            return Ok(Err("there is nothing of this name".to_owned()));
        }
        let names = found.iter().filter_map(|entry| entry.key.split());
        let names: Result<Vec<_>, _> = names.map(|(_, name)| ArtifactName::try_from(name.to_owned())).collect();
        Ok(names.map_err(|error| error.to_string()))
    }

    /// Reads an artifact of which nothing is known to its end: its size and its SHA-256.
    pub async fn measure(&self, id: BackupId, name: &ArtifactName) -> Result<(u64, String), RepositoryError> {
        let key = Key::artifact(id, name);
        let mut content = self.repository.open(&key).await?.content;
        let (mut size, mut hash) = (0, Hashing::new(self.workers.clone()));
        while let Some(piece) = content.try_next().await? {
            hash.add(&piece).await.map_err(|ended| ended.at(&key))?;
            size += piece.len() as u64;
        }
        Ok((size, hash.finish().await.map_err(|ended| ended.at(&key))?))
    }
}

fn meaning(mark: &str) -> &'static str {
    match mark {
        super::MANIFEST => "it is a backup already",
        super::DELETED => "it is half deleted",
        _ => "a run of Stillpoint began it and did not finish; what it left may be cut off anywhere",
    }
}
