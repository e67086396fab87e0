//! The backup, from the first look to the seal. Read [`backup`] as a table of contents.
//!
//! Whatever happens, what ran runs again: nothing between a standstill's begin and its end returns
//! early.

mod capture;
pub(super) mod room;

use std::collections::BTreeSet;

use futures::future::join_all;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::claim::Held;
use super::limits::DEATH_NOTICED;
use super::plan::Plan;
use super::platform::Platform;
use super::prune;
use super::recovery;
use super::site::{Refused, Run, Site};
use super::standstill::{Ended, Standstill};
use super::start::Degraded;
use crate::backups::{Lease, LeaseError};
use crate::errors::{Error, PreflightError, RunFailure};
use crate::events::{Kind, Step};
use crate::manifest::{FORMAT, Manifest, Mode, RunRecord};
use crate::names::BackupId;
use crate::ports::journal::Phase;
use crate::ports::power::{Intent, Job};
use crate::ports::store::Preflight;
use crate::ports::{Cx, within};
use crate::sink::Sink;
use crate::workload::State;

use capture::{Captured, capture};

/// A backup that counts.
#[derive(Debug, Serialize)]
pub struct Sealed {
    /// Its manifest.
    pub manifest: Manifest,
    /// What did not come back as it was. The backup is good all the same.
    pub degraded: Vec<Degraded>,
}

/// Backs up the platform. The caller holds its lock.
pub async fn backup(site: &Site, run: &Run, held: &Held, platform: &Platform) -> Result<Sealed, Error> {
    let plan = Plan::new(platform, Job::BackupJob);
    let id = BackupId::at(run.began);
    // Before the preflight: whoever comes after a death must know of its processes and its canary.
    let intent = site.intend(held, run, &plan, id).await?;
    let ready = run.report.step(Step::Preflight, preflight(site, run, platform, &plan));
    let lease = match ready.await {
        Ok(lease) => lease,
        Err(refused) => {
            // What is left of it is removed by the next run, which finds this one open.
            if refused.tidy {
                site.note(run, &intent, Phase::Closed).await;
            }
            return Err(refused.error);
        }
    };
    let (guarded, lost) = run.guarded();
    let work = Box::pin(claimed(site, &guarded, platform, &plan, &intent, &lease));
    let outcome = lease.keep(&lost, work).await;
    let Claimed { outcome, holds } = outcome;
    // After a success too: an upload that was begun twice, because an answer got lost, is there once too often.
    let tidy = site.tidy(run, intent.backup).await;
    // A run that left something behind stays open: the next one finds it and removes what is left.
    if tidy {
        site.note(run, &intent, Phase::Closed).await;
    }
    if holds {
        site.release_claim(run, &intent).await;
    }
    outcome
}

/// What became of a run that held the repository.
struct Claimed {
    outcome: Result<Sealed, Error>,
    /// It held the platform too.
    holds: bool,
}

async fn claimed(site: &Site, run: &Run, platform: &Platform, plan: &Plan, intent: &Intent, lease: &Lease) -> Claimed {
    let ready = async {
        run.check()?;
        run.report.step(Step::Claim, site.claim(run, intent)).await
    };
    if let Err(error) = ready.await {
        let outcome = Err(error);
        return Claimed { outcome, holds: false };
    }
    let outcome = record(site, run, platform, plan, intent, lease).await;
    if let Ok(sealed) = &outcome {
        prune::after_backup(site, run, lease, &sealed.manifest).await;
    }
    Claimed { outcome, holds: true }
}

/// Nothing is stopped before this has passed, and the repository is ours.
async fn preflight(site: &Site, run: &Run, platform: &Platform, plan: &Plan) -> Result<Lease, Refused> {
    stores_run(plan)?;
    plan.warnings().for_each(|warning| run.report.warn(warning));
    let cx = site.cx(run);
    let looks = join_all(platform.stores.values().map(|store| store.preflight(&cx))).await;
    run.check()?;
    let looks: Result<Vec<Preflight>, _> = looks.into_iter().collect();
    let looks = looks.map_err(PreflightError::Store)?;
    looks
        .iter()
        .flat_map(|look| &look.warnings)
        .for_each(|warning| run.report.warn(warning));
    room::must_spool(
        site,
        run,
        platform.stores.values().map(|store| store.name()).zip(&looks),
    )
    .await?;
    let live = looks.iter().map(|look| look.bytes).sum();
    let lease = site.enter(run, &plan.platform).await?;
    let fits = async {
        let canary = site.backups.canary(run.report.run().as_str()).await;
        canary.map_err(|cause| site.unfit(cause))?;
        let last = site.backups.last_size().await.map_err(|cause| site.unfit(cause))?;
        room::must_suffice(site, run, last, live).await?;
        run.check()
    };
    match fits.await {
        Ok(()) => Ok(lease),
        Err(error) => {
            let tidy = site.tidy(run, BackupId::at(run.began)).await;
            Err(Refused { error, tidy })
        }
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

/// Opens the backup's directory and either seals it or says that it failed.
async fn record(
    site: &Site,
    run: &Run,
    platform: &Platform,
    plan: &Plan,
    intent: &Intent,
    lease: &Lease,
) -> Result<Sealed, Error> {
    let id = intent.backup;
    let first = RunRecord {
        format: FORMAT,
        platform: platform.name.clone(),
        run: run.report.run().clone(),
        host: site.host.clone(),
        process: site.process,
        began: run.began,
    };
    let begun = site.backups.begin(id, &first, &run.report).await;
    let sink = begun.map_err(|cause| Error::Repository {
        place: site.backups.place(),
        cause,
    })?;
    let (mut captured, ended) = stand_still(site, run, platform, plan, intent, &sink).await;
    if let (Some(RunFailure::Interrupted), Some(lost)) = (&captured.failure, lease.lost().await) {
        captured.failure = Some(of_lease(site, lost));
    }
    let manifest = manifest(site, run, plan, id, &captured, &ended);
    let failed = captured.failure.is_some();
    let sealed = seal(site, run, lease, &manifest, captured.failure).await;
    // After the seal: the backup is safe before the last health check has passed.
    let mut degraded = ended.degraded;
    degraded.extend(site.hands(run).confirm(&ended.targets).await);
    if failed {
        find_out_deaths(site, run, platform).await;
        degraded.extend(kept_too(site, run, intent).await);
    }
    let degraded = once_each(degraded);
    if degraded.is_empty() {
        site.note(run, intent, Phase::Verified).await;
    }
    match sealed {
        Ok(()) => Ok(Sealed { manifest, degraded }),
        Err(cause) => Err(Error::Run {
            cause: Box::new(cause),
            degraded,
        }),
    }
}

/// What made the run fail may have been the death of a store. The engine may call it running for a moment more, so
/// the store itself is asked: one that does not answer is given the time in which its death is noticed.
async fn find_out_deaths(site: &Site, run: &Run, platform: &Platform) {
    let cx = Cx {
        cancel: CancellationToken::new(),
        ..site.cx(run)
    };
    let asked = join_all(platform.stores.values().map(|store| store.ready(&cx)));
    drop(within(&*site.clock, DEATH_NOTICED, "every store answering", asked).await);
}

/// What made the run fail may have taken down more than the run had stopped: an engine that died took
/// the kept containers with it.
async fn kept_too(site: &Site, run: &Run, intent: &Intent) -> Vec<Degraded> {
    match recovery::recover(&site.hands(run), intent).await {
        Ok(degraded) => degraded,
        Err(error) => {
            run.report
                .warn(format!("whether everything runs again could not be seen: {error}"));
            Vec::new()
        }
    }
}

/// Stops, captures, starts. The only part in which the platform is down.
async fn stand_still(
    site: &Site,
    run: &Run,
    platform: &Platform,
    plan: &Plan,
    intent: &Intent,
    sink: &Sink,
) -> (Captured, Ended) {
    let begun = run
        .report
        .step(Step::Stop, Standstill::begin(site.hands(run), plan))
        .await;
    let (captured, standstill) = match begun {
        Ok(standstill) => {
            site.keep_claim(run, intent).await;
            let captured = capture(site, run, platform, plan, &standstill, sink).await;
            (captured, standstill)
        }
        Err(broken) => (Captured::failed(broken.cause.into()), broken.standstill),
    };
    site.keep_claim(run, intent).await;
    site.note(run, intent, Phase::Undoing).await;
    (captured, standstill.end_as_step(run).await)
}

/// A workload that did not start is not healthy either: its first cause is the one that tells.
pub(super) fn once_each(mut degraded: Vec<Degraded>) -> Vec<Degraded> {
    let mut seen = BTreeSet::new();
    degraded.retain(|entry| seen.insert(entry.workload.clone()));
    degraded
}

/// Makes the backup count, or says why it does not and describes what there is of it.
async fn seal(
    site: &Site,
    run: &Run,
    lease: &Lease,
    manifest: &Manifest,
    failure: Option<RunFailure>,
) -> Result<(), RunFailure> {
    let sealed = match failure {
        None => run.report.step(Step::Seal, make_count(site, lease, manifest)).await,
        Some(failure) => Err(failure),
    };
    match &sealed {
        Ok(()) => run.report.tell(Kind::Sealed { backup: manifest.id }),
        Err(failure) => describe(site, run, manifest, failure).await,
    }
    sealed
}

/// A run that was frozen, and whose lease somebody has taken over since, must not seal.
pub(super) async fn make_count(site: &Site, lease: &Lease, manifest: &Manifest) -> Result<(), RunFailure> {
    lease.renew().await.map_err(|cause| of_lease(site, cause))?;
    let sealed = site.backups.seal(manifest).await;
    sealed.map_err(|cause| RunFailure::Repository {
        place: site.backups.place(),
        cause,
    })
}

fn of_lease(site: &Site, cause: LeaseError) -> RunFailure {
    let place = site.backups.place();
    match cause {
        LeaseError::Repository(cause) => RunFailure::Repository { place, cause },
        cause => RunFailure::Lease { place, cause },
    }
}

async fn describe(site: &Site, run: &Run, manifest: &Manifest, failure: &RunFailure) {
    let partial = Manifest {
        failure: Some(failure.to_string()),
        ..manifest.clone()
    };
    if let Err(error) = site.backups.seal_partial(&partial).await {
        run.report
            .warn(format!("what the failed run left could not be described: {error}"));
    }
}

fn manifest(site: &Site, run: &Run, plan: &Plan, id: BackupId, captured: &Captured, ended: &Ended) -> Manifest {
    Manifest {
        format: FORMAT,
        stillpoint: site.version.clone(),
        id,
        platform: plan.platform.clone(),
        run: run.report.run().clone(),
        mode: Mode::Hold,
        began: run.began,
        sealed: site.clock.now(),
        standstill: Some(ended.window),
        workloads: plan.records(),
        stores: captured.records.clone(),
        adopted: false,
        safety_of: None,
        failure: None,
    }
}
