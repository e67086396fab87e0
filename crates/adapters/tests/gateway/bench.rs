//! A gateway over a repository of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use anyhow::{Result, ensure};
use bytes::Bytes;
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{BackoffConfig, RetryConfig};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use stillpoint_adapters::clock::SystemClock;
use stillpoint_adapters::gateway::Receiving;
use stillpoint_adapters::repository::LocalRepository;
use stillpoint_adapters::repository::s3::S3Repository;
use stillpoint_adapters::workers::Threads;
use stillpoint_core::backups::{ArtifactError, Backups};
use stillpoint_core::events::{Event, Listener, Reporter};
use stillpoint_core::names::{BackupId, RunId};
use stillpoint_core::ports::gateway::{Access, Place, Receiving as _, Recorded, Verified};
use stillpoint_core::ports::{Key, Repository};
use stillpoint_testkit::conformance::repository::read;
use stillpoint_testkit::tree::files;

use crate::server;

pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Where the clients may write.
pub(crate) const PREFIX: &str = "clickhouse/backup_1";

pub(crate) struct Bench {
    pub(crate) place: Place,
    pub(crate) gateway: Receiving,
    below: Below,
}

/// Where the repository is, seen past it.
enum Below {
    Directory(tempfile::TempDir),
    Bucket { prefix: String },
}

impl Below {
    /// Uploads that nobody has ended.
    fn unfinished(&self) -> Result<usize> {
        match self {
            Self::Directory(dir) => Ok(files(dir.path())?.keys().filter(|name| name.contains('#')).count()),
            Self::Bucket { prefix } => server::unfinished(prefix),
        }
    }
}

impl Bench {
    pub(crate) async fn directory() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        Self::over(Arc::new(LocalRepository::open(dir.path())?), Below::Directory(dir)).await
    }

    pub(crate) async fn bucket() -> Result<Self> {
        let settings = server::settings()?;
        let repository = S3Repository::open(&settings, None).await?;
        let prefix = settings.prefix;
        Self::over(Arc::new(repository), Below::Bucket { prefix }).await
    }

    async fn over(repository: Arc<dyn Repository>, below: Below) -> Result<Self> {
        let place = Place {
            repository,
            workers: Arc::new(Threads),
            backup: BackupId::at(Timestamp::constant(1_771_286_400, 0)),
            prefix: PREFIX.into(),
        };
        let gateway = Receiving::start(LOCALHOST, place.clone()).await?;
        Ok(Self { place, gateway, below })
    }

    pub(crate) fn access(&self) -> &Access {
        self.gateway.access()
    }

    pub(crate) fn client(&self) -> Result<AmazonS3> {
        client(self.access())
    }

    /// What the repository holds, by name below the backup.
    pub(crate) async fn stored(&self) -> Result<Vec<String>> {
        stored(&self.place).await
    }

    pub(crate) async fn read(&self, name: &str) -> Result<Bytes> {
        read(&*self.place.repository, &self.key(name)).await
    }

    pub(crate) fn key(&self, name: &str) -> Key {
        Key::of(self.place.backup, &format!("{PREFIX}/{name}"))
    }

    /// Ends the gateway: what it recorded is what the repository holds, to the byte.
    pub(crate) async fn finish(self) -> Result<(Place, Vec<Recorded>)> {
        let Self { place, gateway, below } = self;
        let recorded = Box::new(gateway).finish().await?;
        ensure!(below.unfinished()? == 0, "an upload was left behind");
        let names: Vec<&str> = recorded.iter().map(|object| object.name.as_str()).collect();
        ensure!(
            stored(&place).await? == names,
            "{:?} and {names:?}",
            stored(&place).await?
        );
        for object in &recorded {
            let whole = read(&*place.repository, &Key::of(place.backup, &object.name)).await?;
            ensure!(whole.len() as u64 == object.size, "{}", object.name);
            ensure!(sha256(&whole) == object.sha256, "{}", object.name);
        }
        Ok((place, recorded))
    }
}

struct Deaf;

impl Listener for Deaf {
    fn hear(&self, _event: &Event) {}
}

/// Reads an object as a restore does before it stops anything.
pub(crate) async fn verify(place: &Place, object: Recorded) -> Result<Verified, ArtifactError> {
    let backups = Backups::new(place.repository.clone(), place.workers.clone());
    let reporter = Reporter::new(RunId::new("bench"), Arc::new(SystemClock::new()), Arc::new(Deaf));
    backups.artifacts(place.backup, &reporter).verify(object).await
}

async fn stored(place: &Place) -> Result<Vec<String>> {
    let entries = place.repository.list(None).await?;
    let below = |key: &Key| key.split().map(|(_, name)| name.to_owned());
    let mut names: Vec<String> = entries.iter().filter_map(|entry| below(&entry.key)).collect();
    names.sort();
    Ok(names)
}

/// A stock client that tries nothing twice.
pub(crate) fn client(access: &Access) -> Result<AmazonS3> {
    // It may be installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = AmazonS3Builder::new()
        .with_endpoint(&access.endpoint)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name(&access.bucket)
        .with_access_key_id(&access.access_key_id)
        .with_secret_access_key(access.secret_access_key.expose_secret())
        .with_retry(RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 0,
            retry_timeout: std::time::Duration::from_mins(1),
        });
    Ok(client.build()?)
}

pub(crate) fn path(name: &str) -> Result<Path> {
    Ok(Path::parse(format!("{PREFIX}/{name}"))?)
}

/// Bytes that differ from place to place.
pub(crate) fn pattern(seed: u32, size: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
