//! Buckets of stores, reached as their containers are.

use std::sync::Arc;

use async_trait::async_trait;
use stillpoint_core::ports::{BucketOf, Buckets, Reach, Repository, RepositoryError};

use super::connect::Docker;
use crate::repository::s3::{S3Repository, S3Settings};

#[async_trait]
impl Buckets for Docker {
    async fn open(&self, bucket: &BucketOf) -> Result<Arc<dyn Repository>, RepositoryError> {
        let settings = settings(bucket);
        let Some((workload, port)) = &bucket.server else {
            return Ok(Arc::new(S3Repository::open(&settings, None).await?));
        };
        let way = self.forward(workload, *port).await;
        let way = way.map_err(|error| RepositoryError::Unreachable {
            cause: error.to_string(),
        })?;
        Ok(Arc::new(S3Repository::open_through(&settings, way).await?))
    }
}

/// It is the store's, and nothing in it is ever written under a condition.
fn settings(bucket: &BucketOf) -> S3Settings {
    S3Settings {
        endpoint: Some(bucket.endpoint.clone()),
        region: bucket.region.clone(),
        bucket: bucket.bucket.clone(),
        prefix: bucket.prefix.clone(),
        access_key_id: Some(bucket.access_key_id.clone()),
        secret_access_key: Some(bucket.secret_access_key.clone()),
        ca_file: None,
        path_style: true,
        create_bucket: false,
        conditional_writes: false,
        part: 0,
    }
}
