//! Use cases around the platform's containers: what would be done with each, and bringing back what
//! an earlier run left down.

use std::collections::BTreeSet;

use crate::engine::errors::Error;
use crate::engine::plan::Plan;
use crate::engine::site::{Run, Site};
use crate::names::Project;
use crate::ports::power::Job;

pub(super) async fn plan(site: &Site, wanted: Option<&Project>) -> Result<Plan, Error> {
    let mut plan = Plan::of_backup(&site.platform(wanted).await?, site.standstill.mode);
    // A plan is shown also while the repository does not answer.
    if let Ok(Some(newest)) = site.backups.newest().await {
        plan.expect(&newest.stores);
    }
    Ok(plan)
}

/// The operator's word: also what a restore stopped on purpose is started, and a claim made from
/// another host is taken over.
pub(super) async fn start(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<(), Error> {
    let platform = site.platform(wanted).await?;
    let held = site.lock(&platform.name).await?;
    match site.unfinished(&held, run).await? {
        Some(intent) if intent.job == Job::DiscardJob => site.finish_discard(&held, run, &intent).await,
        Some(intent) => site.bring_back(&held, run, &intent).await,
        None => Ok(()),
    }
}

/// Nobody's word: what dead runs left down is brought back, what stands stopped on purpose is told.
/// Without a platform, every one that this engine knows.
pub(super) async fn recover(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<(), Error> {
    let projects: BTreeSet<Project> = match wanted {
        Some(project) => [project.clone()].into(),
        None => site
            .machine
            .catalog
            .workloads()
            .await?
            .into_iter()
            .map(|workload| workload.address.project)
            .collect(),
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
    let held = site.lock(project).await?;
    match site.heal(&held, run).await? {
        Some(unfinished) => Err(Error::RestoreUnfinished(Box::new(unfinished))),
        None => Ok(()),
    }
}
