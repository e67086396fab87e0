//! Removes what killed runs have left: an engine that starts again would even revive some of it.
//! Never touches what carries no owner label of ours, nor what a living process owns.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Once;

use anyhow::{Context, Result};

use super::docker::{Docker, words};
use super::{containers, owner};

/// Removes what dead runs have left, once per process: for whoever brings something up.
pub(crate) fn first() -> Result<()> {
    static REAPED: Once = Once::new();
    let mut outcome = Ok(Vec::new());
    REAPED.call_once(|| outcome = reap());
    outcome.map(drop).context("cannot remove what earlier runs have left")
}

/// Removes every testbed and every single container whose owner is gone; the removed ones' names. One process of this machine
/// at a time: of two that remove the same one finds volumes in use by containers that the other is removing.
pub fn reap() -> Result<Vec<String>> {
    let path = std::env::temp_dir().join("stillpoint-testbed-reap.lock");
    let alone = File::create(&path).and_then(|file| file.lock().map(|()| file));
    let _alone = alone.with_context(|| format!("cannot lock {}", path.display()))?;
    // The single ones first: a network to which one of them is attached cannot be removed.
    let mut removed = reap_singles()?;
    removed.extend(reap_projects()?);
    Ok(removed)
}

fn reap_projects() -> Result<Vec<String>> {
    let mut dead = BTreeSet::new();
    let template = format!(
        "{{{{.Label \"com.docker.compose.project\"}}}}\t{{{{.Label \"{}\"}}}}",
        owner::LABEL
    );
    for list in [&["ps", "-a"][..], &["volume", "ls"], &["network", "ls"]] {
        let found = Docker::new(list.iter().copied())
            .args([
                "--filter".to_owned(),
                format!("label={}", owner::LABEL),
                "--format".to_owned(),
                template.clone(),
            ])
            .run()?;
        dead.extend(without_owner(&found));
    }
    for project in &dead {
        remove(project)?;
    }
    Ok(dead.into_iter().collect())
}

fn without_owner(listing: &str) -> impl Iterator<Item = String> {
    let pairs = listing.lines().filter_map(|line| line.split_once('\t'));
    pairs
        .filter(|(project, label)| !project.is_empty() && !owner::is_alive(label))
        .map(|(project, _)| project.to_owned())
}

/// Containers of ours that belong to no project, such as a server that several tests share.
fn reap_singles() -> Result<Vec<String>> {
    let template = format!(
        "{{{{.Label \"com.docker.compose.project\"}}}}\t{{{{.Names}}}}\t{{{{.Label \"{}\"}}}}",
        owner::LABEL
    );
    let filter = format!("label={}", owner::LABEL);
    let found = Docker::new(["ps", "-a", "--filter", &filter, "--format", &template]).run()?;
    let dead: Vec<_> = singles_without_owner(&found).collect();
    each(&["rm", "--force", "--volumes"], dead.clone())?;
    Ok(dead)
}

fn singles_without_owner(listing: &str) -> impl Iterator<Item = String> {
    let singles = listing
        .lines()
        .filter_map(|line| line.strip_prefix('\t')?.split_once('\t'));
    singles
        .filter(|(_, label)| !owner::is_alive(label))
        .map(|(name, _)| name.to_owned())
}

/// Removes a project at once, without its containers' grace periods: containers (also those that others hung on its volumes, and the
/// product's claim), then volumes and networks.
pub(super) fn remove(project: &str) -> Result<()> {
    let filter = containers::project_filter(project);
    let volumes = list(&["volume", "ls", "-q", "--filter", &filter])?;
    let mut filters = vec![filter.clone(), format!("name=^/?stillpoint-{project}$")];
    filters.extend(volumes.iter().map(|v| format!("volume={v}")));
    let mut ids = BTreeSet::new();
    for filter in &filters {
        ids.extend(list(&["ps", "-aq", "--no-trunc", "--filter", filter])?);
    }
    each(&["rm", "--force", "--volumes"], ids)?;
    each(&["volume", "rm", "--force"], volumes)?;
    for network in list(&["network", "ls", "-q", "--filter", &filter])? {
        remove_network(&network)?;
    }
    Ok(())
}

/// Docker Engine 20.10 sometimes loses count of a network's endpoints when it is busy: it then refuses to remove one to which
/// nothing is attached, until it is started again. Such a one is left: it holds nothing, and must not fail every later test.
fn remove_network(network: &str) -> Result<()> {
    let Err(error) = each(&["network", "rm"], [network.to_owned()]) else {
        return Ok(());
    };
    let attached = Docker::new(["network", "inspect", "--format", "{{len .Containers}}", network]).run()?;
    if error.to_string().contains("has active endpoints") && attached.trim() == "0" {
        return Ok(());
    }
    Err(error)
}

fn list(args: &[&str]) -> Result<Vec<String>> {
    Ok(words(&Docker::new(args.iter().copied()).run()?))
}

/// One call for all of them; what somebody else has removed meanwhile is no error.
fn each(verb: &[&str], names: impl IntoIterator<Item = String>) -> Result<()> {
    let names: Vec<_> = names.into_iter().collect();
    if names.is_empty() {
        return Ok(());
    }
    match Docker::new(verb.iter().copied()).args(names).run() {
        Err(e) if !only_missing(&e.to_string()) => Err(e),
        _ => Ok(()),
    }
}

fn only_missing(complaint: &str) -> bool {
    let mut errors = complaint.lines().filter(|line| line.contains("Error"));
    errors.all(|line| line.contains("No such") || line.contains("not found") || line.contains("already in progress"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lost_its_owner_is_taken() {
        let listing = format!(
            "sp-dead\t1-1\nsp-kept\tkept\n\t1-1\nsp-mine\t{}",
            owner::this_process().unwrap()
        );
        assert_eq!(without_owner(&listing).collect::<Vec<_>>(), ["sp-dead"]);
    }

    #[test]
    fn a_single_container_is_taken_by_its_name_and_never_one_of_a_project() {
        let listing = format!(
            "sp-dead\tsp-dead-web-1\t1-1\n\tsingle\t1-1\n\tmine\t{}",
            owner::the_runner().unwrap()
        );
        assert_eq!(singles_without_owner(&listing).collect::<Vec<_>>(), ["single"]);
    }

    #[test]
    fn a_missing_container_is_no_failure_but_a_busy_volume_is() {
        assert!(only_missing("docker rm x: exit code 1: Error: No such container: x"));
        assert!(!only_missing(
            "Error: No such container: x\nError response from daemon: remove v: volume is in use"
        ));
    }
}
