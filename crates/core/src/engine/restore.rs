//! The restore, in three phases: full stop, data, full start. Read [`restore`] as a table of contents.
//!
//! Everything that can refuse does so before the stop. After it, every failure leaves the platform
//! stopped on purpose: clients must never meet data that is half old and half new.

mod examine;
mod rehearse;
mod selection;

pub use rehearse::{Rehearsed, Replaced, rehearse};
pub use selection::Selection;

use futures::future::join_all;
use serde::Serialize;

use super::backup::once_each;
use super::claim::Held;
use super::plan::Plan;
use super::platform::Platform;
use super::site::{Run, Site};
use super::standstill::{Broken, Ended, Standstill};
use super::start::Degraded;
use crate::backups::Artifacts;
use crate::errors::{Error, RunFailure};
use crate::events::Step;
use crate::manifest::{Manifest, StoreRecord};
use crate::names::BackupId;
use crate::ports::journal::Phase;
use crate::ports::power::{Intent, Job};
use crate::ports::{Cx, Footing, Store, together};
use crate::workload::Workload;

/// A restore that succeeded.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// The backup.
    pub backup: BackupId,
    /// When the platform stood still.
    pub standstill: crate::manifest::Standstill,
    /// What did not come back as it was. The data is good all the same.
    pub degraded: Vec<Degraded>,
}

/// Overwrites the platform's data with the backup's. The caller holds the lock; `unfinished` is
/// the intent of an earlier restore that stands stopped on purpose: it is taken over. A restore that
/// fails after the stop keeps its claim, which says what is to run again.
pub async fn restore(
    site: &Site,
    run: &Run,
    held: &Held,
    platform: Platform,
    manifest: &Manifest,
    selection: &Selection,
    unfinished: Option<&Intent>,
) -> Result<Restored, Error> {
    if let Some(dead) = unfinished
        && !site.reap(run, dead).await
    {
        // Its tools may still be writing to the stores that would be loaded.
        let left = format!("what run {} has left behind could not be ended", dead.run);
        return Err(Error::RestoreRefused(vec![left]));
    }
    let platform = as_recorded(platform, unfinished);
    let pairs = examine::examine(site, run, &platform, manifest, selection, unfinished).await?;
    run.check()?;
    let plan = plan_of(&platform, &pairs);
    let intent = if let Some(intent) = unfinished {
        intent.clone()
    } else {
        let claim = async {
            let intent = site.intend(held, run, &plan, Job::FullRestoreJob, manifest.id).await?;
            site.claim(run, &intent).await?;
            Ok::<_, Error>(intent)
        };
        run.report.step(Step::Claim, claim).await?
    };
    let ended = match replace(site, run, &plan, &pairs, &intent, manifest.id).await {
        Ok(ended) => ended,
        Err(error) => {
            if !matches!(error, Error::StoppedOnPurpose { .. }) {
                site.release(run, &intent).await;
            }
            return Err(error);
        }
    };
    let confirmed = site.hands(run).confirm(&ended.targets).await;
    let degraded = once_each(ended.degraded.into_iter().chain(confirmed).collect());
    if degraded.is_empty() {
        site.note(run, &intent, Phase::Verified).await;
    }
    site.release(run, &intent).await;
    Ok(Restored {
        backup: manifest.id,
        standstill: ended.window,
        degraded,
    })
}

/// A store with what the backup holds of it.
type Pair<'a> = (&'a dyn Store, &'a StoreRecord);

/// Everything is stopped, whatever is restored: no client may meet data of which half is old.
fn plan_of(platform: &Platform, pairs: &[Pair<'_>]) -> Plan {
    let stores = pairs.iter().map(|(store, _)| store.name().clone()).collect();
    Plan::new(platform, Job::FullRestoreJob).replacing(&stores)
}

/// What an unfinished restore had stopped is planned as what it was before that restore.
fn as_recorded(mut platform: Platform, unfinished: Option<&Intent>) -> Platform {
    let recorded = unfinished.map_or(&[][..], |intent| &intent.workloads);
    for entry in recorded {
        let here = |workload: &&mut Workload| workload.address == entry.address;
        if let Some(workload) = platform.workloads.iter_mut().find(here) {
            workload.state = entry.state;
            workload.restart = entry.restart.clone();
        }
    }
    platform
}

async fn replace(
    site: &Site,
    run: &Run,
    plan: &Plan,
    pairs: &[Pair<'_>],
    intent: &Intent,
    backup: BackupId,
) -> Result<Ended, Error> {
    let half_done = intent.run != *run.report.run();
    let begun = run
        .report
        .step(Step::Stop, Standstill::begin(site.hands(run), plan))
        .await;
    let standstill = match begun {
        Ok(standstill) => standstill,
        Err(broken) if half_done => return Err(stay_down(broken.standstill, plan, backup, broken.cause.into()).await),
        Err(broken) => return Err(not_begun(run, *broken).await),
    };
    site.keep_claim(run, intent).await;
    // Also a takeover's processes bear the name that the claim tells.
    let cx = site.cx_as(run, &intent.run);
    let loaded = load_all(site, &cx, run, &standstill, plan, pairs, backup).await;
    site.keep_claim(run, intent).await;
    match loaded {
        Ok(()) => {
            site.note(run, intent, Phase::Undoing).await;
            Ok(standstill.end_as_step(run).await)
        }
        Err(cause) => Err(stay_down(standstill, plan, backup, cause).await),
    }
}

/// Nothing was overwritten yet: the platform runs again.
async fn not_begun(run: &Run, broken: Broken) -> Error {
    let ended = broken.standstill.end_as_step(run).await;
    Error::Run {
        cause: Box::new(broken.cause.into()),
        degraded: ended.degraded,
    }
}

async fn stay_down(standstill: Standstill, plan: &Plan, backup: BackupId, cause: RunFailure) -> Error {
    Error::StoppedOnPurpose {
        backup,
        cause: Box::new(cause),
        still_running: standstill.leave_stopped(plan).await,
    }
}

async fn load_all(
    site: &Site,
    cx: &Cx,
    run: &Run,
    standstill: &Standstill,
    plan: &Plan,
    pairs: &[Pair<'_>],
    backup: BackupId,
) -> Result<(), RunFailure> {
    let artifacts = site.backups.artifacts(backup, &run.report);
    let loads = together(cx, pairs.len(), pairs, |pair, cx| {
        load(pair, cx, standstill, &artifacts)
    });
    let loaded = async { loads.await.1.map_or(Ok(()), Err) };
    run.report.step(Step::Load, loaded).await?;
    run.report.step(Step::Compare, compare_all(cx, pairs)).await?;
    standstill.unbroken(plan).await?;
    run.report.step(Step::Settle, settle_all(cx, pairs)).await
}

/// Takes one store through its stages and leaves it running: what is in it is to be counted.
async fn load(
    (store, record): &Pair<'_>,
    cx: Cx,
    standstill: &Standstill,
    artifacts: &Artifacts,
) -> Result<(), RunFailure> {
    let failed = |cause| RunFailure::of(store.name(), cause);
    let stages = store.restore_stages();
    for (stage, footing) in stages.iter().enumerate() {
        bring(*store, &cx, standstill, *footing).await?;
        store.restore(&cx, stage, record, artifacts).await.map_err(failed)?;
    }
    match stages.last() {
        Some(Footing::Running) => Ok(()),
        _ => bring(*store, &cx, standstill, Footing::Running).await,
    }
}

async fn bring(store: &dyn Store, cx: &Cx, standstill: &Standstill, footing: Footing) -> Result<(), RunFailure> {
    if cx.cancel.is_cancelled() {
        return Err(RunFailure::Interrupted);
    }
    standstill.bring(store, footing).await?;
    match footing {
        Footing::Running => store
            .ready(cx)
            .await
            .map_err(|cause| RunFailure::of(store.name(), cause)),
        Footing::Stopped => Ok(()),
    }
}

fn each<T>(pairs: &[Pair<'_>], outcomes: Vec<Result<T, crate::ports::StoreError>>) -> Result<Vec<T>, RunFailure> {
    let named = pairs
        .iter()
        .zip(outcomes)
        .map(|((store, _), outcome)| outcome.map_err(|cause| RunFailure::of(store.name(), cause)));
    named.collect()
}

/// Every store must hold what was backed up before a single client starts.
async fn compare_all(cx: &Cx, pairs: &[Pair<'_>]) -> Result<(), RunFailure> {
    let counts = join_all(pairs.iter().map(|(store, record)| store.inventory(cx, record))).await;
    for ((store, record), found) in pairs.iter().zip(each(pairs, counts)?) {
        let differences = record.inventory.differences(&found);
        if !differences.is_empty() {
            return Err(RunFailure::Inventory {
                store: store.name().clone(),
                differences,
            });
        }
    }
    Ok(())
}

async fn settle_all(cx: &Cx, pairs: &[Pair<'_>]) -> Result<(), RunFailure> {
    let settled = join_all(pairs.iter().map(|(store, _)| store.settle(cx))).await;
    each(pairs, settled).map(|_| ())
}
