//! Taking over a backup that others made in this layout: without a manifest nothing says what it should
//! be, so what is there is read to its end, hashed and described, and from then on held to that.
//! What our own runs left, and what is half deleted, looks much the same and is never taken over.

use bytes::Bytes;
use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use super::Backups;
use crate::names::{ArtifactName, BackupId};
use crate::ports::{Key, RepositoryError};
use crate::sink::hex;

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
        let object = self.repository.open(&Key::artifact(id, name)).await?;
        let whole = (0_u64, Sha256::new());
        let take = |(size, mut hash): (u64, Sha256), piece: Bytes| async move {
            hash.update(&piece);
            Ok((size + piece.len() as u64, hash))
        };
        let (size, hash) = object.content.try_fold(whole, take).await?;
        Ok((size, hex(hash)))
    }
}

fn meaning(mark: &str) -> &'static str {
    match mark {
        super::MANIFEST => "it is a backup already",
        super::DELETED => "it is half deleted",
        _ => "a run of Stillpoint began it and did not finish; what it left may be cut off anywhere",
    }
}
