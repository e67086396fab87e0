//! Use case: prove that backups can still be read.

use serde::{Deserialize, Serialize};

use crate::backups::{Content, Outcome};
use crate::engine::errors::Error;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::manifest::Manifest;
use crate::names::{BackupId, Project};

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This backup.
    One(BackupId),
    /// Every complete backup.
    All,
    /// Of the complete backups those whose last verification is the longest ago, as many as have this
    /// many bytes together, and at least one: day by day everything is read in turn.
    Within(u64),
}

/// What a verification found.
#[derive(Debug, Serialize)]
pub struct Verification {
    /// The backups that were read.
    pub checked: Vec<Checked>,
    /// Those whose manifest cannot be used, and why.
    pub unreadable: Vec<(BackupId, String)>,
}

/// A backup that was read to its last byte.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// How many artifacts it has.
    pub artifacts: usize,
    /// What was found.
    #[serde(flatten)]
    pub outcome: Outcome,
}

pub(super) async fn verify(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    scope: Scope,
) -> Result<Verification, Error> {
    let Chosen { manifests, unreadable } = choose(site, scope).await?;
    // Without its platform a backup can be read all the same, by hashes alone.
    let platform = site.platform(wanted).await.ok();
    let mut checked = Vec::new();
    for manifest in manifests {
        checked.push(check(site, run, platform.as_ref(), &manifest).await?);
    }
    Ok(Verification { checked, unreadable })
}

async fn check(site: &Site, run: &Run, platform: Option<&Platform>, manifest: &Manifest) -> Result<Checked, Error> {
    let damage = site.damage(run, manifest, platform).await?;
    let outcome = Outcome {
        format: 1,
        backup: manifest.id,
        at: site.machine.clock.now(),
        run: run.report.run().clone(),
        stillpoint: site.machine.version.clone(),
        bytes: manifest.size(),
        damage,
    };
    if let Err(error) = site.backups.note_outcome(&outcome).await {
        // Read-only credentials are a good idea for whoever only reads.
        run.report
            .warn(format!("the outcome could not be written beside the backup: {error}"));
    }
    Ok(Checked {
        artifacts: manifest.artifacts().count(),
        outcome,
    })
}

struct Chosen {
    manifests: Vec<Manifest>,
    unreadable: Vec<(BackupId, String)>,
}

async fn choose(site: &Site, scope: Scope) -> Result<Chosen, Error> {
    let mut unreadable = Vec::new();
    if let Scope::One(backup) = scope {
        let manifests = vec![site.backups.complete(backup).await?];
        return Ok(Chosen { manifests, unreadable });
    }
    let failed = |cause| site.repository_failed(cause);
    let listed = site.backups.list().await.map_err(failed)?;
    let marks = site.backups.marks().await.map_err(failed)?;
    let complete = listed.into_iter().filter_map(|listed| match listed.content {
        Content::Complete(manifest) => Some(*manifest),
        Content::Unreadable(cause) => {
            unreadable.push((listed.id, cause.to_string()));
            None
        }
        Content::Partial(_) | Content::Incomplete => None,
    });
    let mut manifests: Vec<Manifest> = complete.collect();
    if let Scope::Within(budget) = scope {
        manifests.sort_by_key(|manifest| marks.verified.get(&manifest.id).map(|verified| verified.at));
        manifests.truncate(within(budget, manifests.iter().map(Manifest::size)));
    }
    Ok(Chosen { manifests, unreadable })
}

/// How many of these sizes fit into the budget; at least one, else a large one would never be read.
fn within(budget: u64, sizes: impl Iterator<Item = u64>) -> usize {
    let sums = sizes.scan(0_u64, |sum, size| {
        *sum = sum.saturating_add(size);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= budget).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_budget_reads_as_many_as_fit_and_always_one() {
        assert_eq!(within(10, [3, 3, 3, 3].into_iter()), 3);
        assert_eq!(within(10, [30, 3].into_iter()), 1);
        assert_eq!(within(9, [3, 3, 3].into_iter()), 3);
    }
}
