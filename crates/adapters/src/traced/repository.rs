//! A repository. An object is told by its key.

use std::ops::Range;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use stillpoint_core::ports::repository::{Content, Entry, Object, Version};
use stillpoint_core::ports::{Key, Repository, RepositoryError, Upload};
use tracing::{debug, trace};

use super::{Traced, millis, repository};

#[async_trait]
impl<P: Repository + ?Sized> Repository for Traced<P> {
    fn place(&self) -> String {
        self.0.place()
    }

    async fn create(&self, key: &Key, content: Bytes) -> Result<Version, RepositoryError> {
        repository("create", key, self.0.create(key, content)).await
    }

    async fn replace(&self, key: &Key, content: Bytes, was: &Version) -> Result<Version, RepositoryError> {
        repository("replace", key, self.0.replace(key, content, was)).await
    }

    async fn upload(&self, key: &Key) -> Result<Box<dyn Upload>, RepositoryError> {
        let upload = repository("begin an upload", key, self.0.upload(key)).await?;
        Ok(Box::new(TracedUpload {
            upload,
            key: key.clone(),
            began: Instant::now(),
            bytes: 0,
        }))
    }

    async fn open(&self, key: &Key) -> Result<Object, RepositoryError> {
        repository("open", key, self.0.open(key)).await
    }

    async fn open_range(&self, key: &Key, was: &Version, range: Range<u64>) -> Result<Content, RepositoryError> {
        repository("open a range", key, self.0.open_range(key, was, range)).await
    }

    async fn directories(&self) -> Result<Vec<String>, RepositoryError> {
        repository("list", "directories", self.0.directories()).await
    }

    async fn list(&self, directory: Option<&str>) -> Result<Vec<Entry>, RepositoryError> {
        repository("list", directory.unwrap_or("everything"), self.0.list(directory)).await
    }

    async fn clock(&self) -> Result<Timestamp, RepositoryError> {
        repository("ask the time", "its clock", self.0.clock()).await
    }

    async fn room(&self) -> Result<Option<u64>, RepositoryError> {
        repository("ask for room", "its room", self.0.room()).await
    }

    async fn keeps(&self) -> Result<Option<String>, RepositoryError> {
        repository("ask what it keeps", "its old versions", self.0.keeps()).await
    }

    async fn sweep(&self, directory: &str) -> Result<(), RepositoryError> {
        repository("sweep", directory, self.0.sweep(directory)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), RepositoryError> {
        repository("delete", key, self.0.delete(key)).await
    }
}

/// Tells how an upload ended.
struct TracedUpload {
    upload: Box<dyn Upload>,
    key: Key,
    began: Instant,
    bytes: u64,
}

#[async_trait]
impl Upload for TracedUpload {
    async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError> {
        let bytes = piece.len() as u64;
        let written = self.upload.write(piece).await;
        self.bytes += bytes;
        trace!(target: "stillpoint::repository", call = "write", about = %self.key, bytes, "repository");
        written
    }

    async fn complete(&mut self) -> Result<(), RepositoryError> {
        let completed = repository("complete an upload", &self.key, self.upload.complete()).await;
        let (bytes, millis) = (self.bytes, millis(self.began));
        debug!(target: "stillpoint::repository", about = %self.key, bytes, millis, "upload ended");
        completed
    }

    async fn abort(&mut self) -> Result<(), RepositoryError> {
        repository("abort an upload", &self.key, self.upload.abort()).await
    }
}
