//! Where a store's bytes go: each artifact is hashed and counted in flight and exists only once its
//! producer has ended well. Nothing is spooled.

use std::sync::Arc;

use bytes::Bytes;

use crate::events::{Meter, Reporter};
use crate::hashing::Hashing;
use crate::manifest::Artifact;
use crate::names::{ArtifactName, BackupId, StoreName};
use crate::ports::{Key, Repository, RepositoryError, Upload, Workers};

/// One backup's intake.
#[derive(Clone)]
pub struct Sink {
    repository: Arc<dyn Repository>,
    workers: Arc<dyn Workers>,
    backup: BackupId,
    report: Reporter,
}

impl Sink {
    /// An intake for `backup`, whose first object must have been written.
    pub(crate) fn new(
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
        let key = Key::artifact(self.backup, &name);
        let mut writer = ArtifactWriter {
            upload: self.repository.upload(&key).await,
            key,
            hash: Hashing::new(self.workers.clone()),
            meter: self.report.meter(store.clone(), name.clone(), None),
        };
        let written = match write(&mut writer).await {
            Ok(found) => writer.finish().await.map(|sha256| (found, sha256)).map_err(E::from),
            Err(error) => Err(error),
        };
        match written {
            Ok((found, sha256)) => {
                writer.upload?.complete().await?;
                let artifact = Artifact {
                    name,
                    content: content.to_owned(),
                    of: of.map(ToOwned::to_owned),
                    size: writer.meter.bytes(),
                    sha256,
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
    key: Key,
    /// One that could not begin fails with the first piece: whoever makes the pieces ends what makes them then.
    upload: Result<Box<dyn Upload>, RepositoryError>,
    hash: Hashing,
    meter: Meter,
}

impl ArtifactWriter {
    /// Appends.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError> {
        let hashed = self.hash.add(&piece).await;
        hashed.map_err(|ended| ended.at(&self.key))?;
        self.meter.add(piece.len());
        match &mut self.upload {
            Ok(upload) => upload.write(piece).await,
            Err(error) => Err(error.clone()),
        }
    }

    /// The hash of all that was written.
    async fn finish(&mut self) -> Result<String, RepositoryError> {
        let hash = self.hash.finish().await;
        hash.map_err(|ended| ended.at(&self.key))
    }
}
