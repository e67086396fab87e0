//! The life of a backup in the repository: `run.json` first, artifacts next, `manifest.json` last.
//! A directory is a backup if and only if its manifest exists; everything here keeps that true.

mod artifacts;
mod canary;
mod instance;
mod verify;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};

pub use artifacts::{ArtifactError, ArtifactReader, Artifacts};
pub use verify::Damage;

use crate::events::Reporter;
use crate::manifest::{Manifest, RunRecord, Unreadable};
use crate::names::{BackupId, RunId};
use crate::ports::repository::PRODUCT;
use crate::ports::{Key, Repository, RepositoryError};
use crate::sink::Sink;

const RUN: &str = "run.json";
const MANIFEST: &str = "manifest.json";
const PARTIAL: &str = "manifest.partial.json";

/// A document larger than this is none of ours.
const DOCUMENT_LIMIT: u64 = 256 << 20;

/// How many manifests are read at once for a listing.
const READS_AT_ONCE: usize = 32;

/// The backups of one repository.
#[derive(Clone)]
pub struct Backups {
    repository: Arc<dyn Repository>,
}

/// A backup's directory, as found.
#[derive(Debug)]
pub struct Listed {
    /// The directory's name.
    pub id: BackupId,
    /// What it is.
    pub content: Content,
}

/// What a backup's directory turned out to be.
#[derive(Debug)]
pub enum Content {
    /// A complete backup.
    Complete(Box<Manifest>),
    /// Its manifest exists and cannot be used.
    Unreadable(Unreadable),
    /// No manifest: still being written, or what a failed run left.
    Incomplete,
}

/// Why a document of a backup could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no complete backup of this id.
    #[error("there is no complete backup {0}")]
    Unknown(BackupId),
    /// There is one, but its manifest cannot be used.
    #[error("backup {id}: {cause}")]
    Unreadable {
        /// The backup.
        id: BackupId,
        /// What is wrong with its manifest.
        cause: Unreadable,
    },
    /// The repository failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl Backups {
    /// The backups kept in `repository`.
    pub fn new(repository: Arc<dyn Repository>) -> Self {
        Self { repository }
    }

    /// Removes what a dead run left unfinished: its uploads and its canary. The backup's own objects
    /// stay: without a manifest they are none.
    pub async fn sweep(&self, id: BackupId, run: &RunId) -> Result<(), RepositoryError> {
        let uploads = self.repository.sweep(&id.to_string()).await;
        let product = self.repository.sweep(PRODUCT).await;
        let canary = self.repository.delete(&canary::key(run.as_str())).await;
        uploads.and(product).and(canary)
    }

    /// What and where the repository is.
    pub fn place(&self) -> String {
        self.repository.place()
    }

    /// Begins a backup: from now on its directory is this run's. Fails if it exists already.
    pub async fn begin(&self, id: BackupId, run: &RunRecord, report: &Reporter) -> Result<Sink, RepositoryError> {
        self.repository.create(&Key::of(id, RUN), document(run)).await?;
        Ok(Sink::new(self.repository.clone(), id, report.clone()))
    }

    /// Makes the backup count.
    pub async fn seal(&self, manifest: &Manifest) -> Result<(), RepositoryError> {
        let key = Key::of(manifest.id, MANIFEST);
        self.repository.create(&key, document(manifest)).await.map(drop)
    }

    /// Says what a failed run left; never counts as a backup.
    pub async fn seal_partial(&self, manifest: &Manifest) -> Result<(), RepositoryError> {
        let key = Key::of(manifest.id, PARTIAL);
        self.repository.create(&key, document(manifest)).await.map(drop)
    }

    /// Every backup's directory, oldest first. Directories of other names are none of ours.
    pub async fn list(&self) -> Result<Vec<Listed>, RepositoryError> {
        let names = self.repository.directories().await?;
        let mut ids: Vec<BackupId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        ids.sort();
        stream::iter(ids.into_iter().map(|id| self.look(id)))
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await
    }

    async fn look(&self, id: BackupId) -> Result<Listed, RepositoryError> {
        let content = match self.manifest(id).await {
            Ok(manifest) => Content::Complete(Box::new(manifest)),
            Err(ReadError::Unreadable { cause, .. }) => Content::Unreadable(cause),
            Err(ReadError::Unknown(_)) => Content::Incomplete,
            Err(ReadError::Repository(error)) => return Err(error),
        };
        Ok(Listed { id, content })
    }

    /// The manifest of a complete backup.
    pub async fn manifest(&self, id: BackupId) -> Result<Manifest, ReadError> {
        match self.read(&Key::of(id, MANIFEST), DOCUMENT_LIMIT).await {
            Ok(text) => Manifest::parse(id, &text).map_err(|cause| ReadError::Unreadable { id, cause }),
            Err(RepositoryError::Missing { .. }) => Err(ReadError::Unknown(id)),
            Err(error) => Err(error.into()),
        }
    }

    /// The artifacts of a backup, for reading.
    pub fn artifacts(&self, id: BackupId, report: &Reporter) -> Artifacts {
        Artifacts::new(self.repository.clone(), id, report.clone())
    }

    async fn read(&self, key: &Key, limit: u64) -> Result<Bytes, RepositoryError> {
        let object = self.repository.open(key).await?;
        if object.size > limit {
            let cause = format!("{} bytes, more than the {limit} that it may have", object.size);
            return Err(RepositoryError::Failed {
                key: key.to_string(),
                cause,
            });
        }
        let whole: BytesMut = object.content.try_collect().await?;
        Ok(whole.freeze())
    }
}

fn document<T: serde::Serialize>(content: &T) -> Bytes {
    // Our own types hold nothing that JSON cannot say: no maps with other keys than text.
    let mut text = serde_json::to_vec_pretty(content).unwrap_or_default();
    text.push(b'\n');
    text.into()
}
