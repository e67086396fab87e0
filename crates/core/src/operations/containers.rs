//! Use cases around the platform's containers: what would be done with each, and bringing back what
//! an earlier run left down.
//!
//! Bringing back is the operator's last resort: it works from claims and journal alone, also where no store is
//! recognised any more.

use std::collections::BTreeSet;

use crate::engine::backup::preflight;
use crate::engine::errors::Error;
use crate::engine::plan::Plan;
use crate::engine::platform::{Platform, PlatformError};
use crate::engine::site::{Run, Site};
use crate::manifest::Mode;
use crate::names::Project;
use crate::ports::job::Death;

pub(super) async fn plan(site: &Site, wanted: Option<&Project>) -> Result<Plan, Error> {
    let platform = site.platform(wanted).await?;
    planned(site, &platform, site.standstill.mode).await
}

/// The plan, with everything that a backup would find before it stops anything.
pub(super) async fn look_ahead(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    mode: Option<Mode>,
) -> Result<Plan, Error> {
    let mode = mode.unwrap_or(site.standstill.mode);
    let platform = run.unless_cancelled(site.platform(wanted)).await??;
    let mut plan = run.unless_cancelled(planned(site, &platform, mode)).await??;
    let around = site.machine.catalog.neighbours().await?;
    plan.note_neighbours(&around);
    plan.findings = preflight::look(site, run, &platform, &plan, &around).await?.findings();
    if let Some(left) = site.left_behind(&platform.name).await {
        plan.findings.insert(0, left);
    }
    Ok(plan)
}

async fn planned(site: &Site, platform: &Platform, mode: Mode) -> Result<Plan, Error> {
    let mut plan = Plan::of_backup(platform, mode);
    plan.note_missing(site.missing(&platform.name, &platform.workloads).await?);
    // A plan is shown also while the repository does not answer.
    if let Ok(Some(newest)) = site.backups.newest().await {
        plan.expect(&newest.stores);
        plan.measure_as(&newest.workloads);
    }
    Ok(plan)
}

/// The operator's word: also what a restore stopped on purpose is started, and a claim made from
/// another host is taken over. So is what earlier runs did not bring back, or forgotten.
pub(super) async fn start(site: &Site, run: &Run, wanted: Option<&Project>, forget: bool) -> Result<(), Error> {
    let Some(platform) = which(site, run, wanted).await? else {
        return Ok(());
    };
    let held = site.lock_after_watchdog(run, &platform).await?;
    match site.unfinished(&held, run).await? {
        Some(intent) if site.is_at_work(&intent) => {
            let by = Some(Box::new(intent));
            return Err(Error::Held { platform, by });
        }
        Some(intent) if intent.job.declaration().death == Death::Finish => {
            site.finish_discard(&held, run, &intent).await?;
        }
        Some(intent) => site.bring_back(&held, run, &intent).await?,
        None => {}
    }
    if forget {
        return site.forget_missing(&platform).await;
    }
    site.start_missing(run, &platform).await?;
    site.must_be_whole(&platform).await
}

/// The platform that was named, or the only one on which something is left; none if nothing is.
async fn which(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<Option<Project>, Error> {
    let left = site.left(run).await?;
    if let Some(wanted) = wanted {
        if !left.contains(wanted) {
            must_be_there(site, wanted).await?;
        }
        return Ok(Some(wanted.clone()));
    }
    let mut candidates = left.iter();
    if let (only, None) = (candidates.next(), candidates.next()) {
        return Ok(only.cloned());
    }
    let found = left.into_iter().collect();
    Err(PlatformError::Ambiguous { found }.into())
}

/// A name that was mistyped must not look as if all were well.
async fn must_be_there(site: &Site, wanted: &Project) -> Result<(), Error> {
    let workloads = site.machine.catalog.workloads().await?;
    let mut projects = workloads.iter().map(|workload| &workload.address.project);
    if projects.any(|project| project == wanted) {
        return Ok(());
    }
    site.platform(Some(wanted)).await.map(drop)
}

/// Nobody's word: what dead runs left down is brought back, what stands stopped on purpose is told.
/// Without a platform, every one on which something is left.
pub(super) async fn recover(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<(), Error> {
    let projects = match wanted {
        Some(project) => BTreeSet::from([project.clone()]),
        None => site.left(run).await?,
    };
    let mut outcome = Ok(());
    for project in &projects {
        // One platform's trouble must not keep another down; the first is what the operator hears.
        let recovered = recover_one(site, run, project).await;
        outcome = outcome.and(recovered);
    }
    outcome
}

async fn recover_one(site: &Site, run: &Run, project: &Project) -> Result<(), Error> {
    let held = site.lock_after_watchdog(run, project).await?;
    match site.heal(&held, run).await? {
        Some(unfinished) => Err(Error::RestoreUnfinished(Box::new(unfinished))),
        None => site.must_be_whole(project).await,
    }
}
