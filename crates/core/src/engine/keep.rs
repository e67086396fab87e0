//! Which workloads are never stopped, and why. Pure.

use crate::workload::Workload;

/// Services and containers whose names begin with one of these are kept.
pub const KEPT_NAMES: [&str; 5] = ["backup-", "seaweedfs-", "etcd", "traefik", "oauth2proxy-"];

/// Marks a container of our own: a claim, or Stillpoint itself.
pub const OWN_LABEL: &str = "stillpoint.role";

/// Why the workload is kept; none if it is managed.
pub fn reason(workload: &Workload) -> Option<String> {
    own(workload)
        .or_else(|| by_name(workload))
        .or_else(|| by_nature(workload))
}

fn own(workload: &Workload) -> Option<String> {
    let ours = workload.labels.contains_key(OWN_LABEL) || image_name(&workload.image) == "stillpoint";
    ours.then(|| "Stillpoint itself".to_owned())
}

fn by_name(workload: &Workload) -> Option<String> {
    let names = [workload.address.service.as_str(), workload.container.as_str()];
    KEPT_NAMES
        .iter()
        .find(|prefix| names.iter().any(|name| name.starts_with(*prefix)))
        .map(|prefix| format!("its name begins with `{prefix}`"))
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
