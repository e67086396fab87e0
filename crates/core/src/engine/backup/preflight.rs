//! All that can be known before anything is stopped: nothing is, unless this has passed.

use std::collections::BTreeMap;

use futures::future::{join, join_all};

use crate::backups::{Canary, Lease, When};
use crate::engine::deadline::asked;
use crate::engine::errors::{Error, PreflightError, Refusals};
use crate::engine::plan::Plan;
use crate::engine::platform::Platform;
use crate::engine::room::{self, Spooling};
use crate::engine::site::{Refused, Run, Site};
use crate::engine::unprotected;
use crate::findings::Finding;
use crate::manifest::Manifest;
use crate::names::{BackupId, StoreName};
use crate::ports::Neighbour;
use crate::workload::State;

const UNSEEN: &str = "whether the host's folders that containers use are still there is not checked: Stillpoint does not see \
                      that host's files";

/// What was found before anything was written.
pub(crate) struct Look {
    /// What refuses the backup.
    pub(crate) refusals: Vec<PreflightError>,
    /// What stores tell of themselves that their operator should know.
    pub(crate) told: Vec<(StoreName, String)>,
    /// The version of each store that answers.
    pub(crate) versions: BTreeMap<StoreName, String>,
    /// Files of the host were not looked for: they are not seen from here.
    pub(crate) unseen: bool,
    /// Bytes of live data.
    pub(crate) live: u64,
    /// What the plan tells.
    planned: Vec<String>,
    spooling: Option<Spooling>,
}

impl Look {
    /// As an operator reads it: what refuses the backup comes first.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let refusals = self.refusals.iter().map(Finding::from);
        refusals.chain(self.warnings().map(Finding::warns)).collect()
    }

    fn warnings(&self) -> impl Iterator<Item = String> {
        let told = self.told.iter().map(|(_, warning)| warning);
        let unseen = self.unseen.then(|| UNSEEN.to_owned());
        self.planned.iter().chain(told).cloned().chain(unseen)
    }
}

/// Looks whether a backup can succeed, as far as that is seen without writing anything. All that is found is
/// collected: an operator should not meet it one by one.
pub(crate) async fn look(
    site: &Site,
    run: &Run,
    platform: &Platform,
    plan: &Plan,
    around: &[Neighbour],
) -> Result<Look, Error> {
    let (running, down): (Vec<_>, Vec<_>) = plan
        .entries
        .iter()
        .filter_map(|entry| Some((platform.stores.get(&entry.workload.address)?, entry.workload.state)))
        .partition(|(_, state)| *state == State::Running);
    // A dump needs a server that runs: one that is down would be missing from the backup.
    let mut refusals: Vec<PreflightError> = down
        .into_iter()
        .map(|(store, state)| PreflightError::StoreDown {
            store: store.name().clone(),
            state: state.to_string(),
        })
        .collect();
    let cx = site.cx(run);
    let looks = running.iter().map(|(store, _)| {
        let what = format!("looking whether {} can be backed up", store.name());
        asked(&cx, what, move |cx| async move { store.preflight(&cx).await })
    });
    let (looks, startable) = join(join_all(looks), site.startable(plan, around)).await;
    run.check()?;
    let (mut told, mut able) = (Vec::new(), Vec::new());
    for ((store, _), look) in running.iter().zip(looks) {
        match look {
            Ok(look) => {
                let name = store.name();
                told.extend(look.warnings.iter().map(|warning| (name.clone(), warning.clone())));
                able.push((name, look));
            }
            Err(error) => refusals.push(PreflightError::Store(error)),
        }
    }
    let startable = startable?;
    refusals.extend(startable.hindered.into_iter().map(PreflightError::Unstartable));
    let spooling = room::spooling(site, able.iter().map(|(store, look)| (*store, look))).await;
    let spooling = spooling.map_err(|error| refusals.push(error)).ok();
    Ok(Look {
        refusals,
        told,
        versions: able
            .iter()
            .map(|(store, look)| ((*store).clone(), look.version.clone()))
            .collect(),
        unseen: startable.unseen,
        live: able.iter().map(|(_, look)| look.bytes).sum(),
        planned: plan.warnings().collect(),
        spooling,
    })
}

/// Looks whether the backup can succeed, and enters the repository for it.
pub(super) async fn check(
    site: &Site,
    run: &Run,
    platform: &Platform,
    plan: &Plan,
    around: &[Neighbour],
) -> Result<Lease, Refused> {
    let look = look(site, run, platform, plan, around).await?;
    for warning in look.warnings() {
        run.report.warn(warning);
    }
    let Look {
        refusals,
        spooling,
        live,
        ..
    } = look;
    if let Some(refusals) = Refusals::of(refusals) {
        return Err(Error::Preflight(refusals).into());
    }
    if let Some(spooling) = spooling {
        spooling.tell(run);
    }
    let lease = site.open_for_writing(run, &plan.platform).await?;
    let fits = async {
        let stays = lease.cannot_delete().is_some() || site.backups.keeps().await.is_some();
        let tried = if stays { Canary::Small } else { Canary::Large };
        let canary = site.backups.canary(run.report.run(), When::Before, tried).await;
        canary.map_err(|cause| site.unfit(cause))?;
        let last = site.backups.newest().await.map_err(|cause| site.unfit(cause))?;
        room::must_suffice(site, run, last.as_ref().map(Manifest::size), live).await?;
        tell_new(run, plan, last.as_ref());
        run.check()
    };
    match fits.await {
        Ok(()) => Ok(lease),
        Err(error) => {
            let nothing_left = site.remove_remains(run, BackupId::at(run.began)).await;
            Err(Refused { error, nothing_left })
        }
    }
}

/// Data that nobody has seen left out before may have been meant to be in.
fn tell_new(run: &Run, plan: &Plan, last: Option<&Manifest>) {
    let records = plan.records();
    let new = last.map_or_else(Vec::new, |last| unprotected::new_since(last, &records));
    for (address, one) in new {
        run.report.warn(format!(
            "new since the last backup and NOT in the backup: {one}, of {address}"
        ));
    }
}
