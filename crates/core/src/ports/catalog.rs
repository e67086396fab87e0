//! Reading the platform: which workloads there are and what they do. Changes nothing.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Serialize;

use super::{EngineError, Neighbour};
use crate::names::WorkloadId;
use crate::workload::{Contents, Workload};

/// Who an engine is, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineVersion {
    /// Its version: `28.3.0`.
    pub version: String,
    /// The newest version of its interface: `1.51`.
    pub api: String,
}

/// Something that a container was made with and that its engine no longer has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// A network, by its name: the container does not start without it.
    Network(String),
    /// Its image, as its operator named it: the container starts, but cannot be made again from it.
    Image(String),
}

/// The engine's containers, as they are at the moment of asking.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Every Compose container of every project, running or not, in no particular order.
    /// Containers without Compose labels are no workloads and are left out. One that vanishes while
    /// it is being listed is left out too.
    async fn workloads(&self) -> Result<Vec<Workload>, EngineError>;

    /// One workload as it is now.
    ///
    /// Fails with [`EngineError::Gone`] once the container is removed.
    async fn inspect(&self, id: &WorkloadId) -> Result<Workload, EngineError>;

    /// Looks inside these workloads: which processes each runs, and, in those that run none, which of `files` lie where
    /// something is mounted. One that cannot be looked into, for whatever reason, is left out.
    async fn contents(
        &self,
        workloads: &[Workload],
        files: &[&str],
    ) -> Result<BTreeMap<WorkloadId, Contents>, EngineError>;

    /// The bytes in the engine's volumes, by their names, as far as it tells within seconds: it may have to read through
    /// all of them.
    async fn volume_sizes(&self) -> Result<BTreeMap<String, u64>, EngineError>;

    /// Every container of the engine that runs, but for those of our own making.
    async fn neighbours(&self) -> Result<Vec<Neighbour>, EngineError>;

    /// Who the engine is.
    async fn engine(&self) -> Result<EngineVersion, EngineError>;

    /// What these workloads were made with and the engine no longer has: networks and images, removed since. One that is gone
    /// itself is left out.
    async fn lost(&self, of: &[WorkloadId]) -> Result<BTreeMap<WorkloadId, Vec<Lost>>, EngineError>;

    /// Which of these files and folders of the engine's host are gone; none where this process does not see that host's
    /// files. `of` is a container of that engine.
    async fn missing(&self, of: &WorkloadId, paths: &[String]) -> Result<Option<Vec<String>>, EngineError>;
}
