//! A line of the registry.

use std::sync::Arc;

use super::{Neighbours, Recognition, Store, StoreError};
use crate::manifest::Mode;
use crate::names::{StoreKind, StoreName};
use crate::workload::Workload;

/// A line of the registry: how to tell this kind of store, and how to make one.
pub trait Kind: Send + Sync {
    /// The kind's name: `postgres`.
    fn kind(&self) -> StoreKind;

    /// Whether a workload is a store of this kind: by what runs in it, by what it was told to start and, where neither
    /// tells, by names. What its operator says of it settles the matter.
    fn recognises(&self, workload: &Workload) -> Recognition;

    /// Files whose presence in a folder tells data of this kind, as paths below the place where a volume is mounted.
    /// They are looked for in what does not run.
    fn data_files(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a workload that is no store is a copy which a store of this kind keeps up by itself, as a standby does.
    fn follows(&self, _workload: &Workload) -> bool {
        false
    }

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
