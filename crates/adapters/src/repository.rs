//! Backups in a directory of this host, through the `object_store` crate. Objects are plain files:
//! a person finds with `ls` what the manifest names.
//!
//! An object is written beside its place, as `NAME#1`, and becomes visible in one step. A process
//! that is killed leaves such a file behind; it is no object: it is not listed, cannot be addressed
//! (no key holds a `#`) and may be removed by hand.
//!
//! Durability is `object_store`'s `with_fsync`, which covers the file, the directory that holds it
//! and directories that the same call made. What it leaves out is done here: deletions, and
//! directories that another call made and may not have synced.

mod deferred;
pub(crate) mod disk;
mod errors;
mod read;
pub mod s3;
mod unlinked;
mod upload;

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutResult};
use stillpoint_core::ports::repository::{Content, Entry, Object, PRODUCT, Version};
use stillpoint_core::ports::{Key, Repository, RepositoryError, Upload};

pub use deferred::Deferred;
use upload::LocalUpload;

/// A directory of this host.
#[derive(Clone, Debug)]
pub struct LocalRepository {
    root: PathBuf,
    objects: Arc<LocalFileSystem>,
}

impl LocalRepository {
    /// Opens the directory, and makes it, for this user alone, if it is not there: dumps hold
    /// everything that the platform knows.
    ///
    /// An object is created exclusively by a hard link, or where the file system knows none (exFAT, some network disks)
    /// by a rename.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, RepositoryError> {
        let dir = dir.as_ref();
        let failed = |cause: std::io::Error| errors::from_io(&dir.display().to_string(), &cause);
        disk::make_directory(dir).map_err(failed)?;
        let root = dir.canonicalize().map_err(failed)?;
        let objects = LocalFileSystem::new_with_prefix(&root)
            .map_err(|error| errors::from_store(&root.display().to_string(), error))?
            .with_fsync(true);
        Ok(Self {
            root,
            objects: Arc::new(objects),
        })
    }

    fn file(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    async fn put(&self, key: &Key, content: Bytes, mode: PutMode) -> Result<Version, RepositoryError> {
        let creates = mode == PutMode::Create;
        let options = PutOptions::from(mode);
        let location = location(key)?;
        let written = self.objects.put_opts(&location, content.clone().into(), options);
        let version = match written.await {
            Err(error) if creates && errors::has_no_links(&error) => self.create_by_rename(key, content).await?,
            written => version(written.map_err(|error| errors::from_store(key.as_str(), error))?),
        };
        disk::sync_above(self.root.clone(), self.file(key))
            .await
            .map_err(|cause| errors::from_io(key.as_str(), &cause))?;
        Ok(version)
    }

    async fn create_by_rename(&self, key: &Key, content: Bytes) -> Result<Version, RepositoryError> {
        match unlinked::create(self.file(key), content).await {
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
                return Err(RepositoryError::Exists { key: key.to_string() });
            }
            created => created.map_err(|cause| errors::from_io(key.as_str(), &cause))?,
        }
        let there = self.version_now(key).await?;
        there.ok_or_else(|| RepositoryError::Missing { key: key.to_string() })
    }

    async fn version_now(&self, key: &Key) -> Result<Option<Version>, RepositoryError> {
        match self.objects.head(&location(key)?).await {
            Ok(found) => Ok(Some(Version(found.e_tag.unwrap_or_default()))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(errors::from_store(key.as_str(), error)),
        }
    }
}

/// `object_store` makes it of the file's number, time and size.
fn version(written: PutResult) -> Version {
    Version(written.e_tag.unwrap_or_default())
}

/// `parse` and not `from`: the latter would escape what the key has escaped already.
fn location(key: &Key) -> Result<Location, RepositoryError> {
    Location::parse(key.as_str()).map_err(|error| errors::from_store(key.as_str(), error.into()))
}

#[async_trait]
impl Repository for LocalRepository {
    fn place(&self) -> String {
        format!("local directory {}", self.root.display())
    }

    async fn create(&self, key: &Key, content: Bytes) -> Result<Version, RepositoryError> {
        self.put(key, content, PutMode::Create).await
    }

    /// A file system compares nothing: whoever replaces shuts out the others meanwhile.
    async fn replace(&self, key: &Key, content: Bytes, was: &Version) -> Result<Version, RepositoryError> {
        let changed = || RepositoryError::Changed { key: key.to_string() };
        let alone = match disk::lock_directory(self.file(key)).await {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Err(changed()),
            alone => alone.map_err(|cause| errors::from_io(key.as_str(), &cause))?,
        };
        if self.version_now(key).await?.as_ref() != Some(was) {
            return Err(changed());
        }
        let replaced = self.put(key, content, PutMode::Overwrite).await;
        drop(alone);
        replaced
    }

    async fn upload(&self, key: &Key) -> Result<Box<dyn Upload>, RepositoryError> {
        Ok(Box::new(LocalUpload::begin(self.clone(), key.clone()).await?))
    }

    async fn open(&self, key: &Key) -> Result<Object, RepositoryError> {
        let found = self.objects.get(&location(key)?).await;
        let found = found.map_err(|error| errors::from_store(key.as_str(), error))?;
        read::object(key, found)
    }

    async fn open_range(&self, key: &Key, was: &Version, range: Range<u64>) -> Result<Content, RepositoryError> {
        let options = GetOptions {
            if_match: Some(was.0.clone()),
            ..GetOptions::default()
        };
        match self.objects.get_opts(&location(key)?, options).await {
            Ok(found) => read::range(key, found, range),
            Err(object_store::Error::NotFound { .. } | object_store::Error::Precondition { .. }) => {
                Err(RepositoryError::Changed { key: key.to_string() })
            }
            Err(error) => Err(errors::from_store(key.as_str(), error)),
        }
    }

    async fn directories(&self) -> Result<Vec<String>, RepositoryError> {
        let listed = disk::directories(self.root.clone()).await;
        listed.map_err(|cause| errors::from_io(&self.root.display().to_string(), &cause))
    }

    async fn list(&self, directory: Option<&str>) -> Result<Vec<Entry>, RepositoryError> {
        let listed = disk::list(self.root.clone(), directory.unwrap_or_default().to_owned()).await;
        listed.map_err(|cause| errors::from_io(directory.unwrap_or_default(), &cause))
    }

    async fn clock(&self) -> Result<Timestamp, RepositoryError> {
        let now = disk::clock(self.root.join(PRODUCT)).await;
        now.map_err(|cause| errors::from_io("its clock", &cause))
    }

    async fn room(&self) -> Result<Option<u64>, RepositoryError> {
        let room = disk::room(&self.root);
        room.map(Some)
            .map_err(|cause| errors::from_io(&self.root.display().to_string(), &cause))
    }

    async fn keeps(&self) -> Result<Option<String>, RepositoryError> {
        Ok(None)
    }

    async fn sweep(&self, directory: &str) -> Result<(), RepositoryError> {
        let swept = disk::remove_all_staged(self.root.join(directory)).await;
        swept.map_err(|cause| errors::from_io(directory, &cause))
    }

    async fn delete(&self, key: &Key) -> Result<(), RepositoryError> {
        let deleted = disk::remove_object(self.root.clone(), self.file(key)).await;
        deleted.map_err(|cause| errors::from_io(key.as_str(), &cause))
    }
}
