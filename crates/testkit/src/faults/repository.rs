//! Faults between us and a repository, also in the middle of an object.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use stillpoint_core::ports::repository::{Content, Entry, Object, Version};
use stillpoint_core::ports::{Key, Repository, RepositoryError, Upload};

use super::Faults;
use crate::calls::Method;

struct FaultyRepository {
    faults: Faults,
    port: Arc<dyn Repository>,
}

impl Faults {
    /// Decorates a repository, its uploads and its objects.
    pub fn repository(&self, port: Arc<dyn Repository>) -> Arc<dyn Repository> {
        Arc::new(FaultyRepository {
            faults: self.clone(),
            port,
        })
    }

    fn object(&self, key: &Key, object: Object) -> Object {
        Object {
            content: self.content(key, object.content),
            ..object
        }
    }

    /// Each piece of an object is a call; the end is none.
    fn content(&self, key: &Key, content: Content) -> Content {
        let (faults, key) = (self.clone(), key.clone());
        let pieces = stream::unfold(content, move |mut content| {
            let (faults, key) = (faults.clone(), key.clone());
            async move {
                let piece = content.next().await?;
                let passed = faults.pass(Method::ObjectRead, key, async { piece }).await;
                Some((passed, content))
            }
        });
        pieces.boxed()
    }
}

#[async_trait]
impl Repository for FaultyRepository {
    fn place(&self) -> String {
        self.port.place()
    }

    async fn create(&self, key: &Key, content: Bytes) -> Result<Version, RepositoryError> {
        let act = self.port.create(key, content);
        self.faults.pass(Method::RepositoryCreate, key, act).await
    }

    async fn replace(&self, key: &Key, content: Bytes, was: &Version) -> Result<Version, RepositoryError> {
        let act = self.port.replace(key, content, was);
        self.faults.pass(Method::RepositoryReplace, key, act).await
    }

    async fn upload(&self, key: &Key) -> Result<Box<dyn Upload>, RepositoryError> {
        let act = self.port.upload(key);
        let upload = self.faults.pass(Method::RepositoryUpload, key, act).await?;
        Ok(Box::new(FaultyUpload {
            faults: self.faults.clone(),
            key: key.clone(),
            upload,
        }))
    }

    async fn open(&self, key: &Key) -> Result<Object, RepositoryError> {
        let act = self.port.open(key);
        let object = self.faults.pass(Method::RepositoryOpen, key, act).await?;
        Ok(self.faults.object(key, object))
    }

    async fn open_range(&self, key: &Key, was: &Version, range: Range<u64>) -> Result<Content, RepositoryError> {
        let act = self.port.open_range(key, was, range);
        let content = self.faults.pass(Method::RepositoryOpen, key, act).await?;
        Ok(self.faults.content(key, content))
    }

    async fn directories(&self) -> Result<Vec<String>, RepositoryError> {
        let act = self.port.directories();
        self.faults.pass(Method::RepositoryDirectories, "", act).await
    }

    async fn list(&self, directory: Option<&str>) -> Result<Vec<Entry>, RepositoryError> {
        let act = self.port.list(directory);
        let subject = directory.unwrap_or_default();
        self.faults.pass(Method::RepositoryList, subject, act).await
    }

    async fn clock(&self) -> Result<Timestamp, RepositoryError> {
        self.faults.pass(Method::RepositoryClock, "", self.port.clock()).await
    }

    async fn room(&self) -> Result<Option<u64>, RepositoryError> {
        self.faults.pass(Method::RepositoryRoom, "", self.port.room()).await
    }

    async fn keeps(&self) -> Result<Option<String>, RepositoryError> {
        self.faults.pass(Method::RepositoryKeeps, "", self.port.keeps()).await
    }

    async fn sweep(&self, directory: &str) -> Result<(), RepositoryError> {
        let act = self.port.sweep(directory);
        self.faults.pass(Method::RepositorySweep, directory, act).await
    }

    async fn delete(&self, key: &Key) -> Result<(), RepositoryError> {
        let act = self.port.delete(key);
        self.faults.pass(Method::RepositoryDelete, key, act).await
    }
}

struct FaultyUpload {
    faults: Faults,
    key: Key,
    upload: Box<dyn Upload>,
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError> {
        let act = self.upload.write(piece);
        self.faults.pass(Method::UploadWrite, &self.key, act).await
    }

    async fn complete(&mut self) -> Result<(), RepositoryError> {
        let act = self.upload.complete();
        let completed = self.faults.pass(Method::UploadComplete, &self.key, act).await;
        if completed.is_err() {
            // The port's promise: after an error nothing of it is left.
            let _ = self.upload.abort().await;
        }
        completed
    }

    async fn abort(&mut self) -> Result<(), RepositoryError> {
        let act = self.upload.abort();
        self.faults.pass(Method::UploadAbort, &self.key, act).await
    }
}
