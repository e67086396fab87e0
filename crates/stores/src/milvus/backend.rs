//! Where a server's data lies: its etcd and its bucket, as its configuration names them.

use std::sync::Arc;

use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::repository::Entry;
use stillpoint_core::ports::{BucketOf, Repository, RepositoryError};
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_core::workload::Workload;

use super::MilvusStore;
use super::config::Config;
use super::etcd::{Etcd, EtcdError, Snapshot};
use super::metadata::lasting;
use crate::toolbox::guarded;

/// What serves the server itself, as it calls it where it shares its network.
const ITSELF: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A server's bucket, open.
pub(super) struct Bucket {
    /// As an operator calls it.
    pub(super) name: String,
    pub(super) objects: Arc<dyn Repository>,
}

impl MilvusStore {
    /// What the server was told, read in `place`.
    pub(super) async fn config(&self, cx: &Cx, place: &WorkloadId) -> Result<Config, StoreError> {
        Config::read(cx, place, &self.environment).await
    }

    fn called(&self, host: &str) -> Option<&Workload> {
        let is_it =
            |workload: &&Workload| workload.is_called(host) || ITSELF.contains(&host) && workload.id == self.workload;
        self.neighbours.iter().find(is_it)
    }

    /// Its etcd.
    pub(super) fn etcd<'a>(&self, cx: &'a Cx, config: &Config) -> Result<Etcd<'a>, StoreError> {
        let endpoints = config.etcd();
        let mut found = endpoints
            .iter()
            .filter_map(|(host, port)| Some((self.called(host)?, *port)));
        let Some((workload, port)) = found.next() else {
            let hosts: Vec<String> = endpoints.iter().map(|(host, port)| format!("{host}:{port}")).collect();
            return Err(self.unfit(&format!(
                "its etcd is {}, which is no container of this platform: that is not supported",
                hosts.join(", ")
            )));
        };
        Ok(Etcd {
            cx,
            workload: workload.id.clone(),
            port,
        })
    }

    /// Its metadata, without what does not last.
    pub(super) async fn metadata(&self, cx: &Cx, config: &Config) -> Result<Snapshot, StoreError> {
        let read = self.etcd(cx, config)?.read(&config.etcd_root()).await;
        let mut snapshot = read.map_err(|error| self.etcd_failed("reading its metadata", error))?;
        snapshot.pairs = lasting(snapshot.pairs, config);
        Ok(snapshot)
    }

    /// Its bucket.
    pub(super) async fn bucket(&self, cx: &Cx, config: &Config) -> Result<Bucket, StoreError> {
        let at = config.bucket();
        let name = format!("{}/{} at {}", at.bucket, at.root, at.endpoint);
        if at.root.is_empty() {
            return Err(self.unfit(
                "its objects lie in the root of their bucket (minio.rootPath is empty), where nobody can tell them from others'",
            ));
        }
        let bucket = BucketOf {
            server: self.called(&at.host).map(|workload| (workload.id.clone(), at.port)),
            endpoint: at.endpoint,
            region: at.region,
            bucket: at.bucket,
            prefix: at.root,
            access_key_id: at.access_key_id,
            secret_access_key: at.secret_access_key,
        };
        let opened = guarded(cx, "its bucket to open", cx.buckets.open(&bucket)).await?;
        let objects = opened.map_err(|error| self.bucket_failed(&name, &error))?;
        Ok(Bucket { name, objects })
    }

    /// All objects below its root in the bucket, by key.
    pub(super) async fn list(&self, cx: &Cx, bucket: &Bucket) -> Result<Vec<Entry>, StoreError> {
        let listed = guarded(cx, "the list of its bucket", bucket.objects.list(None)).await?;
        let mut entries = listed.map_err(|error| self.bucket_failed(&bucket.name, &error))?;
        entries.sort();
        Ok(entries)
    }

    /// Both must run whenever the store is worked on: a restore begins with a stop of everything that is not kept.
    pub(super) fn must_be_kept(&self, config: &Config) -> Result<(), StoreError> {
        let mut hosts: Vec<String> = config.etcd().into_iter().map(|(host, _)| host).collect();
        hosts.push(config.bucket().host);
        for host in hosts {
            if let Some(workload) = self.called(&host)
                && !self.needed.contains(&workload.id)
            {
                return Err(self.unfit(&format!(
                    "it keeps data in {host}, which a restore would stop: name it in the container's environment (ETCD_ENDPOINTS, \
                     MINIO_ADDRESS) or in `depends_on`"
                )));
            }
        }
        Ok(())
    }

    pub(super) fn etcd_failed(&self, doing: &str, error: EtcdError) -> StoreError {
        match error {
            EtcdError::Store(error) => error,
            EtcdError::InUse => self.unfit(&format!("{doing}: {error}")),
            error => StoreError::Server {
                doing: format!("{}: {doing}", self.name),
                cause: error.into(),
            },
        }
    }

    /// What a failure of the bucket means: it is none of ours.
    pub(super) fn bucket_failed(&self, bucket: &str, error: &RepositoryError) -> StoreError {
        let why = match error {
            RepositoryError::Missing { key } => format!("{key} is gone"),
            RepositoryError::NoBucket { .. } => "there is none".to_owned(),
            RepositoryError::Unreachable { cause } => format!("it is not reached: {cause}"),
            RepositoryError::Denied { cause, .. } => format!("it refuses the server's own key: {cause}"),
            RepositoryError::Full { cause, .. } => format!("it is full: {cause}"),
            RepositoryError::Failed { key, cause } => format!("{key}: {cause}"),
            other => other.to_string(),
        };
        self.unfit(&format!("its bucket {bucket}: {why}"))
    }
}
