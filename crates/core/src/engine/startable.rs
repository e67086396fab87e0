//! Whether what is about to be stopped could be started again: what it has mounted is still there, and so is the container
//! whose network, processes or memory it uses. An engine looks at none of it before the start.

use std::collections::BTreeSet;

use super::errors::Error;
use super::plan::Plan;
use super::site::Site;
use crate::ports::Neighbour;
use crate::workload::{MountSource, Workload};

/// Whether what is stopped could be started again.
#[derive(Clone, Debug, Default)]
pub struct Startable {
    /// What could not be started again, and why: one sentence each.
    pub hindered: Vec<String>,
    /// Workloads use files of a host that this process does not see: those were not looked for.
    pub unseen: bool,
}

impl Site {
    /// Looks at everything that the plan stops. `around` are the containers that run.
    pub async fn startable(&self, plan: &Plan, around: &[Neighbour]) -> Result<Startable, Error> {
        let stopped: Vec<&Workload> = plan.stopped().map(|entry| &entry.workload).collect();
        let lenders = plan.entries.iter().map(|entry| &entry.workload);
        let lenders: Vec<&Workload> = lenders.filter(|workload| workload.state.is_up()).collect();
        let mut found = Startable {
            hindered: stopped
                .iter()
                .filter_map(|workload| alone(workload, &lenders, around))
                .collect(),
            unseen: false,
        };
        let paths: BTreeSet<&String> = stopped.iter().flat_map(|workload| on_host(workload)).collect();
        let (Some(one), false) = (stopped.first(), paths.is_empty()) else {
            return Ok(found);
        };
        let paths: Vec<String> = paths.into_iter().cloned().collect();
        let Some(missing) = self.machine.catalog.missing(&one.id, &paths).await? else {
            found.unseen = true;
            return Ok(found);
        };
        for workload in stopped {
            let gone = on_host(workload).filter(|path| missing.contains(path));
            let address = &workload.address;
            found.hindered.extend(gone.map(|path| {
                format!("{address} uses {path} of the host, which is gone: it would start without it, or not at all")
            }));
        }
        Ok(found)
    }
}

/// The files and folders of the host that it uses.
fn on_host(workload: &Workload) -> impl Iterator<Item = &String> {
    workload.mounts.iter().filter_map(|mount| match &mount.source {
        MountSource::Host(path) | MountSource::Device(path) => Some(path),
        MountSource::Volume(_) | MountSource::Memory => None,
    })
}

/// Whose container it lives in is gone, or does not run.
fn alone(workload: &Workload, lenders: &[&Workload], around: &[Neighbour]) -> Option<String> {
    let runs = |used: &str| {
        let is_it = |neighbour: &Neighbour| neighbour.id.as_str().starts_with(used) || neighbour.container == used;
        lenders.iter().any(|lender| lender.is_container(used)) || around.iter().any(is_it)
    };
    let missing = workload.lives_in().find(|used| !runs(used))?;
    Some(format!(
        "{} uses the network, processes or memory of container {missing}, which does not run or was removed: it could \
         not be started again",
        workload.address
    ))
}
