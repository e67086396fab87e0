//! Where a store's bytes go: each artifact is hashed and counted in flight and exists only once its
//! producer has ended well. Nothing is spooled.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::events::{Meter, Reporter};
use crate::manifest::Artifact;
use crate::names::{ArtifactName, BackupId, StoreName};
use crate::ports::{Key, Repository, RepositoryError, Upload};

/// One backup's intake.
#[derive(Clone)]
pub struct Sink {
    repository: Arc<dyn Repository>,
    backup: BackupId,
    report: Reporter,
}

impl Sink {
    /// An intake for `backup`, whose first object must have been written.
    pub(crate) fn new(repository: Arc<dyn Repository>, backup: BackupId, report: Reporter) -> Self {
        Self {
            repository,
            backup,
            report,
        }
    }

    /// Begins an artifact of `store`.
    pub async fn create(&self, store: &StoreName, name: ArtifactName) -> Result<ArtifactWriter, RepositoryError> {
        let upload = self.repository.upload(&Key::artifact(self.backup, &name)).await?;
        let meter = self.report.meter(store.clone(), name.clone(), None);
        Ok(ArtifactWriter {
            name,
            upload,
            hash: Sha256::new(),
            meter,
        })
    }
}

/// An artifact that is being written. Exactly one of `commit` and `abort` ends it.
#[must_use]
pub struct ArtifactWriter {
    name: ArtifactName,
    upload: Box<dyn Upload>,
    hash: Sha256,
    meter: Meter,
}

impl ArtifactWriter {
    /// Appends.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError> {
        self.hash.update(&piece);
        self.meter.add(piece.len());
        self.upload.write(piece).await
    }

    /// Makes the artifact exist. Call it only after its producer has ended well.
    pub async fn commit(mut self, content: &str, of: Option<&str>) -> Result<Artifact, RepositoryError> {
        self.upload.complete().await?;
        let artifact = Artifact {
            name: self.name,
            content: content.to_owned(),
            of: of.map(ToOwned::to_owned),
            size: self.meter.bytes(),
            sha256: hex(self.hash),
        };
        self.meter.done();
        Ok(artifact)
    }

    /// Leaves nothing of it. A failure to clean up is told, not returned: the caller is already
    /// failing, and what is left is no artifact.
    pub async fn abort(mut self, report: &Reporter) {
        if let Err(error) = self.upload.abort().await {
            report.warn(format!("an unfinished upload was left behind: {error}"));
        }
    }
}

/// A finished hash as the manifest writes it.
pub(crate) fn hex(hash: Sha256) -> String {
    let nibbles = |byte: u8| [byte >> 4, byte & 0xF];
    hash.finalize()
        .into_iter()
        .flat_map(nibbles)
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
