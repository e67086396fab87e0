//! Who stands beside a store: some stores keep part of their data in another workload, or are reached through one.

use crate::workload::Workload;

/// The workloads of a store's platform, the store's own among them.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours<'a>(&'a [Workload]);

impl<'a> Neighbours<'a> {
    /// Those of a platform.
    pub fn of(workloads: &'a [Workload]) -> Self {
        Self(workloads)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'a Workload> + use<'a> {
        self.0.iter()
    }

    /// The one that answers to this name in the platform's networks, as a container's configuration names it.
    pub fn called(&self, host: &str) -> Option<&'a Workload> {
        self.iter().find(|workload| workload.is_called(host))
    }
}
