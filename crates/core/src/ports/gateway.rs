//! An S3 endpoint of our own for a store that writes its backup to S3, and reads it from there, by itself. What such a store
//! writes lies in the repository afterwards as what any other does.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::repository::Version;
use super::{EngineError, Repository, RepositoryError, Workers};
use crate::names::{BackupId, WorkloadId};

/// How a client reaches a gateway. Good for as long as the gateway is open, and for nobody who was not told.
#[derive(Clone, Debug)]
pub struct Access {
    /// Its URL, without a bucket; path style.
    pub endpoint: String,
    /// The one bucket.
    pub bucket: String,
    /// What every key begins with, before a slash.
    pub prefix: String,
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretString,
}

/// Where a gateway's objects lie.
#[derive(Clone)]
pub struct Place {
    /// The repository.
    pub repository: Arc<dyn Repository>,
    /// What computes the hashes.
    pub workers: Arc<dyn Workers>,
    /// The backup in whose directory the objects lie: the bucket of the clients.
    pub backup: BackupId,
    /// The directory below it that the clients may use: at least one name, no slash at either end.
    pub prefix: String,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.backup, self.prefix)
    }
}

/// An object that a store has written by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recorded {
    /// Its place below the backup's directory.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// An object that was read whole and is what was recorded.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What it is.
    pub recorded: Recorded,
    /// When it was written, by the repository's clock.
    pub written: Timestamp,
    /// Which of its contents was read: no other is served.
    pub version: Version,
}

/// Opens endpoints.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Opens an endpoint that has nothing and takes nothing: for a server to show that it reaches us.
    async fn probe(&self, workload: &WorkloadId) -> Result<Box<dyn Serving>, EngineError>;

    /// Opens an endpoint that the workload's container reaches over its own network, and that takes in what is written into the
    /// place. The backup's first object must have been written before anything is. It is closed when it is dropped.
    async fn receive(&self, workload: &WorkloadId, place: Place) -> Result<Box<dyn Receiving>, EngineError>;

    /// The same, to be read from alone: it serves exactly these objects.
    async fn serve(
        &self,
        workload: &WorkloadId,
        place: Place,
        objects: Vec<Verified>,
    ) -> Result<Box<dyn Serving>, EngineError>;
}

/// A gateway that takes in what a store writes.
#[async_trait]
pub trait Receiving: Send + Sync {
    /// How a client reaches it.
    fn access(&self) -> &Access;

    /// Bytes that were taken in so far: what moves while the store is at work.
    fn received(&self) -> u64;

    /// Ends it, and says what was written, by name. What was not completed by then is given up. Fails where something of it
    /// could not be removed.
    async fn finish(self: Box<Self>) -> Result<Vec<Recorded>, RepositoryError>;
}

/// A gateway that serves what was recorded, and takes in nothing.
#[async_trait]
pub trait Serving: Send + Sync {
    /// How a client reaches it.
    fn access(&self) -> &Access;

    /// Bytes that were read so far.
    fn served(&self) -> u64;

    /// Ends it, and every connection to it.
    async fn stop(self: Box<Self>);
}
