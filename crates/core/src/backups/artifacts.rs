//! Reading artifacts back: each is hashed on its way, and one that is not what the manifest says
//! ends with an error. A reader that stopped early has proved nothing.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::events::{Meter, Reporter};
use crate::hashing::Hashing;
use crate::manifest::Artifact;
use crate::names::{BackupId, StoreName};
use crate::ports::{Key, Repository, RepositoryError, Workers};

/// The artifacts of one backup.
#[derive(Clone)]
pub struct Artifacts {
    repository: Arc<dyn Repository>,
    workers: Arc<dyn Workers>,
    backup: BackupId,
    report: Reporter,
}

/// Why an artifact could not be read whole.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ArtifactError {
    /// It is not there.
    #[error("missing")]
    Missing,
    /// It has another size.
    #[error("{found} bytes, {expected} in the manifest")]
    Size {
        /// Bytes in the manifest.
        expected: u64,
        /// Bytes in the repository.
        found: u64,
    },
    /// It has another content.
    #[error("its SHA-256 is {found}, {expected} in the manifest")]
    Hash {
        /// In the manifest.
        expected: String,
        /// In the repository.
        found: String,
    },
    /// The repository failed.
    #[error(transparent)]
    Repository(RepositoryError),
}

impl From<RepositoryError> for ArtifactError {
    fn from(error: RepositoryError) -> Self {
        match error {
            RepositoryError::Missing { .. } => Self::Missing,
            other => Self::Repository(other),
        }
    }
}

impl Artifacts {
    pub(super) fn new(
        repository: Arc<dyn Repository>,
        workers: Arc<dyn Workers>,
        backup: BackupId,
        report: Reporter,
    ) -> Self {
        Self {
            repository,
            workers,
            backup,
            report,
        }
    }

    /// Opens an artifact of `store`.
    pub async fn open(&self, store: &StoreName, artifact: &Artifact) -> Result<ArtifactReader, ArtifactError> {
        let key = Key::artifact(self.backup, &artifact.name);
        let object = self.repository.open(&key).await?;
        if object.size != artifact.size {
            return Err(ArtifactError::Size {
                expected: artifact.size,
                found: object.size,
            });
        }
        Ok(ArtifactReader {
            key,
            content: object.content,
            hash: Some(Hashing::new(self.workers.clone())),
            meter: self
                .report
                .meter(store.clone(), artifact.name.clone(), Some(artifact.size)),
            expected: artifact.clone(),
        })
    }

    /// Reads an artifact to its end.
    pub async fn check(&self, store: &StoreName, artifact: &Artifact) -> Result<(), ArtifactError> {
        let mut reader = self.open(store, artifact).await?;
        while reader.next().await?.is_some() {}
        Ok(())
    }
}

/// An artifact that is being read.
pub struct ArtifactReader {
    key: Key,
    content: BoxStream<'static, Result<Bytes, RepositoryError>>,
    hash: Option<Hashing>,
    meter: Meter,
    expected: Artifact,
}

impl ArtifactReader {
    /// The next piece; none at the end, and only if the whole was what the manifest says.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ArtifactError> {
        match self.content.next().await.transpose()? {
            Some(piece) => {
                if let Some(hash) = &mut self.hash {
                    hash.add(&piece).await.map_err(|ended| ended.at(&self.key))?;
                }
                self.meter.add(piece.len());
                Ok(Some(piece))
            }
            None => self.end().await.map(|()| None),
        }
    }

    async fn end(&mut self) -> Result<(), ArtifactError> {
        let Some(mut hash) = self.hash.take() else {
            return Ok(());
        };
        let expected = &self.expected;
        if self.meter.bytes() != expected.size {
            return Err(ArtifactError::Size {
                expected: expected.size,
                found: self.meter.bytes(),
            });
        }
        let found = hash.finish().await.map_err(|ended| ended.at(&self.key))?;
        if found == expected.sha256 {
            Ok(())
        } else {
            Err(ArtifactError::Hash {
                expected: expected.sha256.clone(),
                found,
            })
        }
    }
}
