//! All that can be known before anything is stopped: nothing is, unless this has passed.

use futures::future::join_all;

use crate::backups::Lease;
use crate::engine::deadline::asked;
use crate::engine::errors::PreflightError;
use crate::engine::plan::Plan;
use crate::engine::platform::Platform;
use crate::engine::room;
use crate::engine::site::{Refused, Run, Site};
use crate::engine::unprotected;
use crate::manifest::Manifest;
use crate::names::BackupId;
use crate::ports::Neighbour;
use crate::stores::Preflight;
use crate::workload::State;

/// Looks whether the backup can succeed, and enters the repository for it.
pub(super) async fn check(
    site: &Site,
    run: &Run,
    platform: &Platform,
    plan: &Plan,
    around: &[Neighbour],
) -> Result<Lease, Refused> {
    stores_run(plan)?;
    site.must_be_startable(plan, around).await?;
    plan.warnings().for_each(|warning| run.report.warn(warning));
    let cx = site.cx(run);
    let looks = platform.stores.values().map(|store| {
        let what = format!("looking whether {} can be backed up", store.name());
        asked(&cx, what, move |cx| async move { store.preflight(&cx).await })
    });
    let looks = join_all(looks).await;
    run.check()?;
    let looks: Result<Vec<Preflight>, _> = looks.into_iter().collect();
    let looks = looks.map_err(PreflightError::Store)?;
    looks
        .iter()
        .flat_map(|look| &look.warnings)
        .for_each(|warning| run.report.warn(warning));
    let named = platform.stores.values().map(|store| store.name()).zip(&looks);
    room::must_spool(site, run, named).await?;
    let live = looks.iter().map(|look| look.bytes).sum();
    let lease = site.open_for_writing(run, &plan.platform).await?;
    let fits = async {
        let canary = site.backups.canary(run.report.run().as_str()).await;
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

/// A dump needs a server that runs: one that is down would be missing from the backup.
fn stores_run(plan: &Plan) -> Result<(), PreflightError> {
    for entry in &plan.entries {
        if let (Some(store), false) = (entry.store(), entry.workload.state == State::Running) {
            let state = entry.workload.state.to_string();
            return Err(PreflightError::StoreDown {
                store: store.clone(),
                state,
            });
        }
    }
    Ok(())
}
