//! A repository that is opened when it is first needed. What must work while it does not answer, above
//! all bringing a platform back, is wired without it.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use stillpoint_core::ports::repository::{Content, Entry, Object, Version};
use stillpoint_core::ports::{Key, Repository, RepositoryError, Upload};
use tokio::sync::OnceCell;

type Opened = Result<Arc<dyn Repository>, RepositoryError>;
type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;

/// A repository that may not be open yet.
pub struct Deferred {
    place: String,
    open: Box<dyn Fn() -> Opening + Send + Sync>,
    opened: OnceCell<Arc<dyn Repository>>,
}

impl Deferred {
    /// The repository at `place`, which `open` opens. An opening that fails is tried again by the next call.
    pub fn new<F>(place: String, open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Opened> + Send + 'static,
    {
        Self {
            place,
            open: Box::new(move || Box::pin(open())),
            opened: OnceCell::new(),
        }
    }

    async fn opened(&self) -> Result<&Arc<dyn Repository>, RepositoryError> {
        self.opened.get_or_try_init(|| (self.open)()).await
    }
}

#[async_trait]
impl Repository for Deferred {
    fn place(&self) -> String {
        self.opened
            .get()
            .map_or_else(|| self.place.clone(), |opened| opened.place())
    }

    async fn create(&self, key: &Key, content: Bytes) -> Result<Version, RepositoryError> {
        self.opened().await?.create(key, content).await
    }

    async fn replace(&self, key: &Key, content: Bytes, was: &Version) -> Result<Version, RepositoryError> {
        self.opened().await?.replace(key, content, was).await
    }

    async fn upload(&self, key: &Key) -> Result<Box<dyn Upload>, RepositoryError> {
        self.opened().await?.upload(key).await
    }

    async fn open(&self, key: &Key) -> Result<Object, RepositoryError> {
        self.opened().await?.open(key).await
    }

    async fn open_range(&self, key: &Key, was: &Version, range: Range<u64>) -> Result<Content, RepositoryError> {
        self.opened().await?.open_range(key, was, range).await
    }

    async fn directories(&self) -> Result<Vec<String>, RepositoryError> {
        self.opened().await?.directories().await
    }

    async fn list(&self, directory: Option<&str>) -> Result<Vec<Entry>, RepositoryError> {
        self.opened().await?.list(directory).await
    }

    async fn clock(&self) -> Result<Timestamp, RepositoryError> {
        self.opened().await?.clock().await
    }

    async fn room(&self) -> Result<Option<u64>, RepositoryError> {
        self.opened().await?.room().await
    }

    async fn keeps(&self) -> Result<Option<String>, RepositoryError> {
        self.opened().await?.keeps().await
    }

    async fn sweep(&self, directory: &str) -> Result<(), RepositoryError> {
        self.opened().await?.sweep(directory).await
    }

    async fn delete(&self, key: &Key) -> Result<(), RepositoryError> {
        self.opened().await?.delete(key).await
    }
}
