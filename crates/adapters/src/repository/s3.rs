//! Backups in a bucket of an object store that speaks S3, through the `object_store` crate. Objects
//! have the keys that the manifest names, below the repository's prefix: the same tree as in a
//! local directory, escapes included.
//!
//! Nothing here waits for ever. A server that refuses connections is given up after at most half a
//! minute of tries. One that takes requests and never answers is noticed at the latest 94 s after a
//! part of 8 MiB was begun, 5 min after an upload was to be completed, and 92 s after anything else
//! was asked; in a download, after four times 30 s without a byte. The numbers and their reasons are
//! in `limits`.
//!
//! Uploads that nobody ended stay on the server, unseen by any listing, until they are swept.

mod bucket;
mod budget;
mod limits;
mod part;
mod read;
mod request_error;
mod settings;
mod tls;
mod upload;
mod wire;
mod write;

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::multipart::MultipartStore;
use object_store::path::Path as Location;
use object_store::{ObjectStore, ObjectStoreExt};
use reqwest::Url;
use stillpoint_core::ports::repository::{Content, Entry, Object, PRODUCT, Version};
use stillpoint_core::ports::{Forward, Key, Repository, RepositoryError, Upload};

use crate::repository::errors;
use bucket::{Bucket, Unfinished};
use budget::Budget;
use request_error::RequestError;
pub use settings::S3Settings;
use upload::S3Upload;
use wire::Wire;

/// A bucket, or a directory in it. Cheap to clone; all clones share one budget of memory.
#[derive(Clone)]
pub struct S3Repository(Arc<Inner>);

struct Inner {
    objects: AmazonS3,
    wire: Wire,
    bucket: Bucket,
    root: Location,
    place: String,
    conditional: bool,
    part: usize,
    budget: Arc<Budget>,
    /// What it is reached through is open as long as it is.
    _way: Option<Forward>,
}

impl std::fmt::Debug for S3Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("S3Repository").field(&self.0.place).finish()
    }
}

impl S3Repository {
    /// Opens the bucket, and makes it if it is missing and the settings allow it. With `dial`, the
    /// server is reached at that address, whatever its name stands for; `Host` and the name that a
    /// certificate is for stay those of the endpoint.
    ///
    /// Fails with [`RepositoryError::NoBucket`], with [`RepositoryError::Unreachable`], with
    /// [`RepositoryError::Denied`] in the server's own words, and with [`RepositoryError::Failed`]
    /// for settings that cannot work.
    pub async fn open(settings: &S3Settings, dial: Option<SocketAddr>) -> Result<Self, RepositoryError> {
        let failed = |cause| RequestError::Other(cause).at(&settings.bucket, &settings.bucket);
        let opened = Self::connect(settings, dial, None).map_err(failed)?;
        opened.0.bucket.find(settings.create_bucket).await?;
        Ok(opened)
    }

    /// The same through a port of this host that leads to the server.
    pub async fn open_through(settings: &S3Settings, way: Forward) -> Result<Self, RepositoryError> {
        let failed = |cause| RequestError::Other(cause).at(&settings.bucket, &settings.bucket);
        let dial = SocketAddr::from((Ipv4Addr::LOCALHOST, way.port()));
        let opened = Self::connect(settings, Some(dial), Some(way)).map_err(failed)?;
        opened.0.bucket.find(settings.create_bucket).await?;
        Ok(opened)
    }

    /// Sends nothing.
    fn connect(settings: &S3Settings, dial: Option<SocketAddr>, way: Option<Forward>) -> Result<Self, String> {
        let credential = settings.credential()?;
        let endpoint = settings.endpoint_url()?;
        let url = settings.bucket_url(&endpoint)?;
        let root = settings.root()?;
        let wire = Wire::new(&url, dial, settings.ca_file.as_deref())?;
        let bucket = Bucket {
            client: wire.client(),
            region: settings.region.clone(),
            name: settings.bucket.clone(),
            url: url.as_str().trim_end_matches('/').to_owned(),
            credential,
        };
        Ok(Self(Arc::new(Inner {
            objects: objects(&bucket, wire.clone())?,
            wire,
            place: place(&settings.bucket, &root, &endpoint),
            bucket,
            root,
            conditional: settings.conditional_writes,
            part: settings.part.max(part::LEAST),
            budget: Budget::new(),
            _way: way,
        })))
    }

    fn objects(&self) -> &AmazonS3 {
        &self.0.objects
    }

    fn is_conditional(&self) -> bool {
        self.0.conditional
    }

    /// Bytes of a part.
    fn part(&self) -> usize {
        self.0.part
    }

    fn budget(&self) -> &Arc<Budget> {
        &self.0.budget
    }

    /// `parse` and not `from`: the latter would escape what the key has escaped already.
    fn location(&self, key: &Key) -> Result<Location, RequestError> {
        Location::parse(format!("{}{key}", self.start())).map_err(|cause| RequestError::Other(cause.to_string()))
    }

    fn located(&self, key: &Key) -> Result<Location, RepositoryError> {
        self.location(key).map_err(|trouble| self.failed(key, trouble))
    }

    /// What a failure at `key` means.
    fn failed(&self, key: &Key, trouble: RequestError) -> RepositoryError {
        trouble.at(key.as_str(), &self.0.bucket.name)
    }

    /// The same of a write that had a condition.
    fn not_written(&self, key: &Key, trouble: RequestError) -> RepositoryError {
        if self.is_conditional() && trouble.is_unknown_to_it() {
            return RepositoryError::NoConditions {
                key: key.to_string(),
                cause: trouble.to_string(),
            };
        }
        self.failed(key, trouble)
    }

    /// What every key starts with: the root with a slash at its end, if there is one.
    fn start(&self) -> String {
        match self.0.root.as_ref() {
            "" => String::new(),
            root => format!("{root}/"),
        }
    }

    fn entry(&self, found: &object_store::ObjectMeta) -> Option<Result<Entry, RepositoryError>> {
        let key = Key::found(found.location.as_ref().strip_prefix(&self.start())?);
        let written = errors::written(key.as_str(), found);
        Some(written.map(|written| Entry {
            size: found.size,
            key,
            written,
        }))
    }

    /// A bucket that keeps versions keeps a mark of each deletion, also of what was never there.
    async fn is_gone(&self, key: &Key) -> Result<bool, RepositoryError> {
        let found = self.find(key).await;
        Ok(found.map_err(|trouble| self.failed(key, trouble))?.is_none())
    }

    /// Not the product's own directory: another process may write there at this moment.
    async fn tidy(&self, key: &Key) -> Result<(), RequestError> {
        match key.as_str().rsplit_once('/') {
            Some((directory, _)) if directory != PRODUCT && !self.0.wire.keeps_versions() => {
                self.0.bucket.tidy(&self.start(), directory).await
            }
            _ => Ok(()),
        }
    }

    async fn abort(&self, upload: &Unfinished) -> Result<(), RepositoryError> {
        let location = Location::parse(&upload.key).map_err(|cause| RequestError::Other(cause.to_string()));
        let aborted = match location {
            Ok(location) => {
                let aborted = self.objects().abort_multipart(&location, &upload.upload_id).await;
                aborted.map_err(|error| RequestError::of(&error))
            }
            Err(trouble) => Err(trouble),
        };
        match aborted {
            Err(trouble) if !trouble.is_missing() => Err(trouble.at(&upload.key, &self.0.bucket.name)),
            _ => Ok(()),
        }
    }
}

/// The bucket's URL is complete, which the builder calls "virtual hosted".
fn objects(bucket: &Bucket, wire: Wire) -> Result<AmazonS3, String> {
    let AwsCredential { key_id, secret_key, .. } = &bucket.credential;
    AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_endpoint(&bucket.url)
        .with_virtual_hosted_style_request(true)
        .with_access_key_id(key_id)
        .with_secret_access_key(secret_key)
        .with_disable_bulk_delete(true)
        .with_retry(limits::retries())
        .with_http_connector(wire)
        .build()
        .map_err(|error| error.to_string())
}

/// Asks once more where an answer did not arrive: `object_store` repeats a request that failed, but not one
/// whose answer broke off.
async fn again<T, F>(ask: impl Fn() -> F) -> Result<T, RequestError>
where
    F: Future<Output = object_store::Result<T>>,
{
    match ask().await.map_err(|error| RequestError::of(&error)) {
        Err(RequestError::Silent(_)) => {
            tokio::time::sleep(limits::PAUSE).await;
            ask().await.map_err(|error| RequestError::of(&error))
        }
        asked => asked,
    }
}

fn place(bucket: &str, root: &Location, endpoint: &Url) -> String {
    let endpoint = endpoint.as_str().trim_end_matches('/');
    match root.as_ref() {
        "" => format!("s3://{bucket} at {endpoint}"),
        root => format!("s3://{bucket}/{root} at {endpoint}"),
    }
}

#[async_trait]
impl Repository for S3Repository {
    fn place(&self) -> String {
        self.0.place.clone()
    }

    async fn create(&self, key: &Key, content: Bytes) -> Result<Version, RepositoryError> {
        let created = self.put_new(key, content.into()).await;
        let created = created.map_err(|trouble| self.not_written(key, trouble))?;
        created.ok_or_else(|| RepositoryError::Exists { key: key.to_string() })
    }

    async fn replace(&self, key: &Key, content: Bytes, was: &Version) -> Result<Version, RepositoryError> {
        let replaced = self.put_over(key, content.into(), was).await;
        let replaced = replaced.map_err(|trouble| self.not_written(key, trouble))?;
        replaced.ok_or_else(|| RepositoryError::Changed { key: key.to_string() })
    }

    /// Sends nothing before a part is full or the upload completes.
    async fn upload(&self, key: &Key) -> Result<Box<dyn Upload>, RepositoryError> {
        self.located(key)?;
        Ok(Box::new(S3Upload::new(self.clone(), key.clone())))
    }

    async fn open(&self, key: &Key) -> Result<Object, RepositoryError> {
        read::open(self, key).await
    }

    async fn open_range(&self, key: &Key, was: &Version, range: Range<u64>) -> Result<Content, RepositoryError> {
        read::open_range(self, key, was, range).await
    }

    async fn directories(&self) -> Result<Vec<String>, RepositoryError> {
        let listed = again(|| self.objects().list_with_delimiter(Some(&self.0.root))).await;
        let listed = listed.map_err(|trouble| self.0.bucket.failed(trouble))?;
        let names = listed.common_prefixes.iter().filter_map(|prefix| prefix.filename());
        Ok(names.map(str::to_owned).collect())
    }

    async fn list(&self, directory: Option<&str>) -> Result<Vec<Entry>, RepositoryError> {
        let below = match directory {
            Some(directory) => self.located(&Key::found(directory))?,
            None => self.0.root.clone(),
        };
        let listed = again(|| self.objects().list(Some(&below)).try_collect::<Vec<_>>()).await;
        let listed = listed.map_err(|trouble| self.0.bucket.failed(trouble))?;
        listed.iter().filter_map(|found| self.entry(found)).collect()
    }

    async fn clock(&self) -> Result<Timestamp, RepositoryError> {
        self.0.bucket.clock().await
    }

    /// S3 does not tell.
    async fn room(&self) -> Result<Option<u64>, RepositoryError> {
        Ok(None)
    }

    /// Known as soon as something was read or written: a bucket that keeps versions names each.
    async fn keeps(&self) -> Result<Option<String>, RepositoryError> {
        if !self.0.wire.keeps_versions() || self.0.bucket.forgets_versions().await {
            return Ok(None);
        }
        Ok(Some(format!(
            "the bucket `{}` keeps old versions, and has no rule that ends them: set a lifecycle rule with \
             NoncurrentVersionExpiration",
            self.0.bucket.name
        )))
    }

    async fn sweep(&self, directory: &str) -> Result<(), RepositoryError> {
        for upload in self
            .0
            .bucket
            .unfinished(&format!("{}{directory}/", self.start()))
            .await?
        {
            self.abort(&upload).await?;
        }
        Ok(())
    }

    async fn delete(&self, key: &Key) -> Result<(), RepositoryError> {
        if self.0.wire.keeps_versions() && self.is_gone(key).await? {
            return Ok(());
        }
        match self.objects().delete(&self.located(key)?).await {
            Ok(()) => {}
            Err(error) => match RequestError::of(&error) {
                trouble if trouble.is_missing() => {}
                trouble => return Err(self.failed(key, trouble)),
            },
        }
        let tidied = self.tidy(key).await;
        tidied.map_err(|trouble| self.failed(key, trouble))
    }
}
