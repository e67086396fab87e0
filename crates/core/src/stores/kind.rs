//! A line of the registry.

use std::sync::Arc;

use super::{Neighbours, Store, StoreError};
use crate::manifest::Mode;
use crate::names::{StoreKind, StoreName};
use crate::workload::Workload;

/// A line of the registry: how to tell this kind of store, and how to make one.
pub trait Kind: Send + Sync {
    /// The kind's name: `postgres`.
    fn kind(&self) -> StoreKind;

    /// Whether a workload is a store of this kind, from its image, environment and labels alone.
    fn recognises(&self, workload: &Workload) -> bool;

    /// What the operator calls the store that the workload is; none: it is called after its service.
    fn name(&self, _workload: &Workload) -> Result<Option<StoreName>, StoreError> {
        Ok(None)
    }

    /// How a backup keeps clients away for this store, if its own settings say so.
    fn mode(&self, _name: &StoreName, _workload: &Workload) -> Result<Option<Mode>, StoreError> {
        Ok(None)
    }

    /// The store that the workload is. `neighbours` are the workloads of its platform, for a store that depends on
    /// some of them.
    fn store(
        &self,
        name: StoreName,
        workload: &Workload,
        neighbours: Neighbours<'_>,
    ) -> Result<Arc<dyn Store>, StoreError>;
}
