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

    /// Writes an artifact of `store`: `content` and `of` are what the manifest says of it. It exists once `write` has
    /// ended well, and what that returns comes with it. If anything fails, nothing of it is left; the same holds if the
    /// future is dropped.
    pub async fn put<T, E: From<RepositoryError>>(
        &self,
        store: &StoreName,
        name: ArtifactName,
        (content, of): (&str, Option<&str>),
        write: impl AsyncFnOnce(&mut ArtifactWriter) -> Result<T, E>,
    ) -> Result<(Artifact, T), E> {
        let mut writer = ArtifactWriter {
            upload: self.repository.upload(&Key::artifact(self.backup, &name)).await,
            hash: Sha256::new(),
            meter: self.report.meter(store.clone(), name.clone(), None),
        };
        match write(&mut writer).await {
            Ok(found) => {
                writer.upload?.complete().await?;
                let artifact = Artifact {
                    name,
                    content: content.to_owned(),
                    of: of.map(ToOwned::to_owned),
                    size: writer.meter.bytes(),
                    sha256: hex(writer.hash),
                };
                writer.meter.done();
                Ok((artifact, found))
            }
            Err(error) => {
                self.abort(writer).await;
                Err(error)
            }
        }
    }

    /// A failure to clean up is told, not returned: what is left is no artifact.
    async fn abort(&self, writer: ArtifactWriter) {
        if let Ok(mut upload) = writer.upload
            && let Err(error) = upload.abort().await
        {
            self.report
                .warn(format!("an unfinished upload was left behind: {error}"));
        }
    }
}

/// An artifact that is being written.
pub struct ArtifactWriter {
    /// One that could not begin fails with the first piece: whoever makes the pieces ends what makes them then.
    upload: Result<Box<dyn Upload>, RepositoryError>,
    hash: Sha256,
    meter: Meter,
}

impl ArtifactWriter {
    /// Appends.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError> {
        self.hash.update(&piece);
        self.meter.add(piece.len());
        match &mut self.upload {
            Ok(upload) => upload.write(piece).await,
            Err(error) => Err(error.clone()),
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
