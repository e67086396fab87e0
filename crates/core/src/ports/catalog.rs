//! Reading the platform: which workloads there are and what they do. Changes nothing.

use async_trait::async_trait;

use super::EngineError;
use crate::names::WorkloadId;
use crate::workload::Workload;

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
}
