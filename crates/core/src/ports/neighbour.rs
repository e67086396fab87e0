//! Containers beside a platform's own, as little of them as is needed to name them.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::names::{Address, Project, WorkloadId};
use crate::workload::Workload;

/// A container of the engine that runs, Compose's or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its id.
    pub id: WorkloadId,
    /// Its name.
    pub container: String,
    /// Its image as its operator named it.
    pub image: String,
    /// Its Compose project, if it has one.
    pub project: Option<Project>,
    /// The container, by id or name, whose network it uses in place of one of its own.
    pub network_of: Option<String>,
    /// When it was started; none where that was not asked for: it is for those that use another's network.
    pub started_at: Option<Timestamp>,
    /// The networks that it is in.
    pub networks: Vec<String>,
    /// Its addresses there.
    pub addresses: Vec<IpAddr>,
    /// The host's addresses there.
    pub gateways: Vec<IpAddr>,
}

impl Neighbour {
    /// Whether it uses the network of this workload.
    pub fn lives_in_network_of(&self, workload: &Workload) -> bool {
        self.network_of
            .as_deref()
            .is_some_and(|used| workload.is_container(used))
    }

    /// Whether it is in one of the networks of the other.
    pub fn meets(&self, other: &Self) -> bool {
        self.networks.iter().any(|network| other.networks.contains(network))
    }

    /// How it is called where workloads are named; `project` is that of whoever tells of it.
    pub fn as_address(&self, project: &Project) -> Address {
        Address {
            project: self.project.clone().unwrap_or_else(|| project.clone()),
            service: self.container.clone(),
            number: 1,
        }
    }
}
