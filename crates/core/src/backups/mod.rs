//! The life of a backup in the repository: `run.json` first, artifacts next, `manifest.json` last.
//! A directory is a backup if and only if its manifest exists; everything here keeps that true.

mod adopt;
mod artifacts;
mod canary;
mod copy;
mod instance;
mod lease;
mod marks;
mod remove;
mod survey;
mod verify;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

pub use artifacts::{ArtifactError, ArtifactReader, Artifacts};
pub use canary::{Canary, When};
pub use copy::{Copied, CopyError};
pub use lease::{Holder, Lease, LeaseError};
pub use marks::{Marks, Verified};
pub use remove::DeletedBy;
pub use survey::Survey;
pub use verify::{Damage, Outcome};

use crate::directory::Directory;
use crate::events::Reporter;
use crate::manifest::{Manifest, RunRecord, Unreadable};
use crate::names::{BackupId, Project, RunId};
use crate::ports::repository::{PRODUCT, Version};
use crate::ports::{Key, Repository, RepositoryError, Workers};
use crate::sink::Sink;

const RUN: &str = "run.json";
const MANIFEST: &str = "manifest.json";
const PARTIAL: &str = "manifest.partial.json";
const DELETED: &str = "deleted.json";

/// A document larger than this is none of ours.
const DOCUMENT_LIMIT: u64 = 256 << 20;

/// How many manifests are read at once for a listing.
const READS_AT_ONCE: usize = 32;

/// The backups of one repository.
#[derive(Clone)]
pub struct Backups {
    repository: Arc<dyn Repository>,
    workers: Arc<dyn Workers>,
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
    /// What a failed run left, and described.
    Partial(Box<Manifest>),
    /// No manifest: still being written, or what a dead run left.
    Incomplete,
}

/// Why a document of a backup could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no complete backup of this id.
    #[error("there is no complete backup {0}")]
    Unknown(BackupId),
    /// There is something of this name, without a manifest.
    #[error("{0} has no manifest.json: {because}", because = if *.1 { "its run failed" } else { "it was never finished, or it has lost it" })]
    Incomplete(BackupId, bool),
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
    /// The backups kept in `repository`; `workers` hash what is written and read.
    pub fn new(repository: Arc<dyn Repository>, workers: Arc<dyn Workers>) -> Self {
        Self { repository, workers }
    }

    /// Removes what a dead run left unfinished: its uploads, its canary and its lease. The backup's own
    /// objects stay: without a manifest they are none.
    pub async fn sweep(&self, id: BackupId, run: &RunId) -> Result<(), RepositoryError> {
        self.repository.sweep(&id.to_string()).await?;
        self.repository.sweep(PRODUCT).await?;
        for canary in canary::keys(run) {
            self.delete_if_it_may_be(&canary).await?;
        }
        self.free_lease_of(run).await
    }

    /// Deletes what is only in the way: where nothing may be deleted it stays.
    async fn delete_if_it_may_be(&self, key: &Key) -> Result<(), RepositoryError> {
        match self.repository.delete(key).await {
            Err(RepositoryError::Denied { .. }) => Ok(()),
            deleted => deleted,
        }
    }

    /// Why what is deleted goes on taking room; none where it does not, or where that cannot be told.
    pub async fn keeps(&self) -> Option<String> {
        self.repository.keeps().await.unwrap_or_default()
    }

    /// What the repository's own clock says.
    pub async fn clock(&self) -> Result<Timestamp, RepositoryError> {
        self.repository.clock().await
    }

    /// The size of the newest complete backup; none if there is none.
    pub async fn last_size(&self) -> Result<Option<u64>, RepositoryError> {
        Ok(self.newest().await?.map(|manifest| manifest.size()))
    }

    /// The newest complete backup.
    pub async fn newest(&self) -> Result<Option<Manifest>, RepositoryError> {
        let names = self.repository.directories().await?;
        let mut ids: Vec<BackupId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        ids.sort();
        for id in ids.into_iter().rev() {
            match self.manifest(id).await {
                Ok(manifest) if manifest.safety_of.is_none() => return Ok(Some(manifest)),
                Err(ReadError::Repository(error)) => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Bytes that still fit, where the repository can tell.
    pub async fn room(&self) -> Result<Option<u64>, RepositoryError> {
        self.repository.room().await
    }

    /// What and where the repository is.
    pub fn place(&self) -> String {
        self.repository.place()
    }

    /// Whether there is a directory of this name.
    pub async fn is_begun(&self, id: BackupId) -> Result<bool, RepositoryError> {
        Ok(!self.repository.list(Some(&id.to_string())).await?.is_empty())
    }

    /// Begins a backup: from now on its directory is this run's. Fails if it exists already.
    pub async fn begin(&self, id: BackupId, run: &RunRecord, report: &Reporter) -> Result<Sink, RepositoryError> {
        self.repository.create(&Key::of(id, RUN), document(run)).await?;
        Ok(Sink::new(self.directory(id), report.clone()))
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
            Err(ReadError::Unknown(_) | ReadError::Incomplete(..)) => match self.partial(id).await {
                Ok(partial) => Content::Partial(Box::new(partial)),
                Err(ReadError::Repository(error)) => return Err(error),
                Err(_) => Content::Incomplete,
            },
            Err(ReadError::Repository(error)) => return Err(error),
        };
        Ok(Listed { id, content })
    }

    /// What was copied of this platform before restores replaced it, oldest first.
    pub async fn safety_copies(&self, platform: &Project) -> Result<Vec<Manifest>, RepositoryError> {
        let listed = self.list().await?.into_iter();
        let complete = listed.filter_map(|listed| match listed.content {
            Content::Complete(manifest) => Some(*manifest),
            _ => None,
        });
        let is_copy = |manifest: &Manifest| manifest.safety_of.is_some() && manifest.platform == *platform;
        Ok(complete.filter(is_copy).collect())
    }

    /// The manifest of a complete backup.
    pub async fn manifest(&self, id: BackupId) -> Result<Manifest, ReadError> {
        self.parse(id, MANIFEST).await
    }

    /// The same; what has no manifest is told from what is not there at all.
    pub async fn complete(&self, id: BackupId) -> Result<Manifest, ReadError> {
        match self.manifest(id).await {
            Err(ReadError::Unknown(_)) => {}
            read => return read,
        }
        let found = self.repository.list(Some(&id.to_string())).await?;
        let partial = found.iter().any(|entry| entry.key == Key::of(id, PARTIAL));
        Err(if found.is_empty() {
            ReadError::Unknown(id)
        } else {
            ReadError::Incomplete(id, partial)
        })
    }

    /// What a failed run said about what it left.
    pub async fn partial(&self, id: BackupId) -> Result<Manifest, ReadError> {
        self.parse(id, PARTIAL).await
    }

    async fn parse(&self, id: BackupId, name: &str) -> Result<Manifest, ReadError> {
        match self.read(&Key::of(id, name), DOCUMENT_LIMIT).await {
            Ok(text) => Manifest::parse(id, &text).map_err(|cause| ReadError::Unreadable { id, cause }),
            Err(RepositoryError::Missing { .. }) => Err(ReadError::Unknown(id)),
            Err(error) => Err(error.into()),
        }
    }

    /// The artifacts of a backup, for reading.
    pub fn artifacts(&self, id: BackupId, report: &Reporter) -> Artifacts {
        Artifacts::new(self.directory(id), report.clone())
    }

    fn directory(&self, backup: BackupId) -> Directory {
        Directory {
            repository: self.repository.clone(),
            workers: self.workers.clone(),
            backup,
        }
    }

    async fn read(&self, key: &Key, limit: u64) -> Result<Bytes, RepositoryError> {
        Ok(self.read_versioned(key, limit).await?.content)
    }

    async fn read_versioned(&self, key: &Key, limit: u64) -> Result<Document, RepositoryError> {
        let object = self.repository.open(key).await?;
        if object.size > limit {
            let cause = format!("{} bytes, more than the {limit} that it may have", object.size);
            return Err(RepositoryError::Failed {
                key: key.to_string(),
                cause,
            });
        }
        let whole: BytesMut = object.content.try_collect().await?;
        Ok(Document {
            content: whole.freeze(),
            version: object.version,
            written: object.written,
        })
    }
}

/// A small object, read whole.
struct Document {
    content: Bytes,
    version: Version,
    written: Timestamp,
}

fn document<T: serde::Serialize>(content: &T) -> Bytes {
    // Our own types hold nothing that JSON cannot say: no maps with other keys than text.
    let mut text = serde_json::to_vec_pretty(content).unwrap_or_default();
    text.push(b'\n');
    text.into()
}
