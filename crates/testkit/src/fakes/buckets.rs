//! A world without object stores: its stores keep their data by themselves.

use std::sync::Arc;

use async_trait::async_trait;
use stillpoint_core::ports::{BucketOf, Buckets, Repository, RepositoryError};

/// Opens none.
pub(super) struct NoBuckets;

#[async_trait]
impl Buckets for NoBuckets {
    async fn open(&self, bucket: &BucketOf) -> Result<Arc<dyn Repository>, RepositoryError> {
        Err(RepositoryError::Unreachable {
            cause: format!("nothing listens at {}", bucket.endpoint),
        })
    }
}
