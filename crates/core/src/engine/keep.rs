//! Which workloads are never stopped, and why. Pure.

use std::collections::BTreeMap;

use crate::names::{StoreName, WorkloadId};
use crate::workload::Workload;

/// Services and containers whose names begin with one of these are kept.
pub const KEPT_NAMES: [&str; 5] = ["backup-", "seaweedfs-", "etcd", "traefik", "oauth2proxy-"];

/// Marks a container of our own: a claim, or Stillpoint itself.
pub const OWN_LABEL: &str = "stillpoint.role";

/// What an operator's configuration adds to the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// More prefixes of names.
    pub names: Vec<String>,
    /// The service or container that the repository's address names.
    pub server: Option<String>,
    /// Services that others need, and who does.
    needed: BTreeMap<String, String>,
}

impl Keep {
    /// The rules of this configuration.
    pub fn new(names: Vec<String>, server: Option<String>) -> Self {
        Self {
            names,
            server,
            needed: BTreeMap::new(),
        }
    }

    /// The same rules in a platform of these workloads.
    #[must_use]
    pub fn within(&self, workloads: &[Workload]) -> Self {
        let servers = workloads.iter().filter(|workload| self.serves(workload));
        let mut keep = self.clone();
        for server in servers {
            keep.add_dependencies(server, workloads, "what serves the repository depends on it");
        }
        keep
    }

    /// The same rules where stores keep data in other workloads: those, with what they depend on, run whenever their store is worked
    /// on.
    #[must_use]
    pub fn and_needed(
        &self,
        workloads: &[Workload],
        stores: impl Iterator<Item = (StoreName, Vec<WorkloadId>)>,
    ) -> Self {
        let mut keep = self.clone();
        for (store, needed) in stores {
            for workload in workloads.iter().filter(|workload| needed.contains(&workload.id)) {
                let why = format!("{store} keeps data in it");
                keep.needed.entry(workload.address.service.clone()).or_insert(why);
                keep.add_dependencies(
                    workload,
                    workloads,
                    &format!("what {store} keeps data in depends on it"),
                );
            }
        }
        keep
    }

    /// What a workload depends on, directly or not.
    fn add_dependencies(&mut self, of: &Workload, workloads: &[Workload], why: &str) {
        let mut next = vec![of];
        while let Some(workload) = next.pop() {
            for service in workload.dependencies().into_keys() {
                if !self.needed.contains_key(service) {
                    self.needed.insert(service.to_owned(), why.to_owned());
                    next.extend(workloads.iter().filter(|other| other.address.service == service));
                }
            }
        }
    }

    /// Why the workload is kept; none if it is managed.
    pub fn reason(&self, workload: &Workload) -> Option<String> {
        own(workload)
            .or_else(|| self.by_service(workload))
            .or_else(|| self.by_name(workload))
            .or_else(|| by_nature(workload))
    }

    fn serves(&self, workload: &Workload) -> bool {
        self.server.as_deref().is_some_and(|server| workload.is_called(server))
    }

    fn by_service(&self, workload: &Workload) -> Option<String> {
        if self.serves(workload) {
            return Some("it serves the repository".to_owned());
        }
        self.needed.get(&workload.address.service).cloned()
    }

    fn by_name(&self, workload: &Workload) -> Option<String> {
        let names = [workload.address.service.as_str(), workload.container.as_str()];
        let prefixes = KEPT_NAMES.into_iter().chain(self.names.iter().map(String::as_str));
        let mut hit = prefixes.filter(|prefix| names.iter().any(|name| name.starts_with(prefix)));
        hit.next().map(|prefix| format!("its name begins with `{prefix}`"))
    }
}

fn own(workload: &Workload) -> Option<String> {
    is_own(workload).then(|| "Stillpoint itself".to_owned())
}

/// Whether it is Stillpoint itself, or of its making.
pub(crate) fn is_own(workload: &Workload) -> bool {
    workload.labels.contains_key(OWN_LABEL) || image_name(&workload.image) == "stillpoint"
}

fn by_nature(workload: &Workload) -> Option<String> {
    if workload.auto_remove {
        return Some("the engine removes it when it stops (--rm)".to_owned());
    }
    workload
        .labels
        .contains_key("com.docker.swarm.service.name")
        .then(|| "a Swarm task: Swarm would start another".to_owned())
}

/// The last component of an image's name, without registry, tag and digest.
pub fn image_name(image: &str) -> &str {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split(['@', ':']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::image_name;

    #[test]
    fn an_image_is_known_by_its_last_component() {
        for (image, name) in [
            ("postgres", "postgres"),
            ("pgvector/pgvector:pg17", "pgvector"),
            ("registry.example:5000/team/postgres@sha256:00", "postgres"),
        ] {
            assert_eq!(image_name(image), name);
        }
    }
}
