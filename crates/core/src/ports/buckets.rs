//! Buckets in which stores keep data of their own.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;

use super::{Repository, RepositoryError};
use crate::names::WorkloadId;

/// A bucket of a store, or a directory in it.
#[derive(Clone, Debug)]
pub struct BucketOf {
    /// The workload that serves it and the port; none: it is reached from here as its address says.
    pub server: Option<(WorkloadId, u16)>,
    /// Its address, a URL as the store uses it.
    pub endpoint: String,
    /// The region, which is part of every signature.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// What the keys of the store's objects begin with, before a slash.
    pub prefix: String,
    /// The access key.
    pub access_key_id: SecretString,
    /// Its secret.
    pub secret_access_key: SecretString,
}

/// Opens buckets of stores.
#[async_trait]
pub trait Buckets: Send + Sync {
    /// Opens one; it must be there. Of what it is asked for everything lies below the prefix.
    async fn open(&self, bucket: &BucketOf) -> Result<Arc<dyn Repository>, RepositoryError>;
}
