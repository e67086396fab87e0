//! The backup, from the first look to the seal. Read [`backup`] and then [`Backup::carry_out`] as tables of contents.
//!
//! No store is stopped: clients stop, every store is pinned while it runs, the clients start again, and the pinned stores
//! are drained. Whatever happens, what ran runs again: nothing between a standstill's begin and its end returns early.

mod drain;
mod manifest;
mod pin;
pub(crate) mod preflight;

use std::collections::BTreeMap;

use futures::channel::oneshot;
use futures::future::{join, join_all, join3};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::claim::PlatformLock;
use super::limits::DEATH_NOTICED;
use super::plan::Plan;
use super::platform::Platform;
use super::prune;
use super::recovery;
use super::seal::of_lease;
use super::site::{Run, Site};
use super::standstill::Standstill;
use super::start::{Degraded, once_each, settled};
use super::unprotected;
use crate::backups::Lease;
use crate::engine::errors::{Error, RunFailure};
use crate::events::Step;
use crate::manifest::{DataKind, FORMAT, Manifest, Mode, RunRecord, StoreRecord};
use crate::names::BackupId;
use crate::ports::journal::Phase;
use crate::ports::power::Intent;
use crate::ports::within;
use crate::sink::Sink;
use crate::stores::Cx;

use drain::Drains;
use pin::Pins;

/// A backup that counts.
#[derive(Debug, Serialize)]
pub struct Sealed {
    /// Its manifest.
    pub manifest: Manifest,
    /// What did not come back as it was. The backup is good all the same.
    pub degraded: Vec<Degraded>,
}

/// Backs up the platform; `mode` is the operator's word for this run. The caller holds the platform's lock.
pub async fn backup(
    site: &Site,
    run: &Run,
    held: &PlatformLock,
    platform: &Platform,
    mode: Option<Mode>,
) -> Result<Sealed, Error> {
    let run = &site.in_a_second_of_its_own(run).await?;
    let mut plan = Plan::of_backup(platform, mode.unwrap_or(site.standstill.mode));
    // Whom it concerns outside the platform is a courtesy; a container that is not seen is not refused for it either.
    let around = site.machine.catalog.neighbours().await.unwrap_or_default();
    plan.note_neighbours(&around);
    // Before the preflight: whoever comes after a death must know of its processes and its canary.
    let intent = site.intend(held, run, &plan, BackupId::at(run.began)).await?;
    let ready = run
        .report
        .step(Step::Preflight, preflight::check(site, run, platform, &plan, &around));
    let lease = match ready.await {
        Ok(lease) => lease,
        Err(refused) => {
            // What is left of it is removed by the next run, which finds this one open.
            if refused.nothing_left {
                site.note(run, &intent, Phase::Closed).await;
            }
            return Err(refused.error);
        }
    };
    let (guarded, lost) = run.guarded();
    let backup = Backup {
        site,
        run: &guarded,
        platform,
        plan: &plan,
        intent: &intent,
        lease: &lease,
    };
    let claimed = lease.keep(&lost, Box::pin(backup.claimed())).await;
    // After a success too: an upload that was begun twice, because an answer got lost, is there once too often.
    let nothing_left = site.remove_remains(run, intent.backup).await;
    // A run that left something behind stays open: the next one finds it and removes what is left.
    if nothing_left {
        site.note(run, &intent, Phase::Closed).await;
    }
    if claimed.holds {
        site.release_claim(run, &intent).await;
    }
    claimed.outcome
}

/// A backup that holds the repository.
struct Backup<'a> {
    site: &'a Site,
    run: &'a Run,
    platform: &'a Platform,
    plan: &'a Plan,
    intent: &'a Intent,
    lease: &'a Lease,
}

/// What became of a run that held the repository.
struct Claimed {
    outcome: Result<Sealed, Error>,
    /// It held the platform too.
    holds: bool,
}

/// What the standstill yielded.
struct Stood {
    /// Stores that were drained inside it.
    records: Vec<StoreRecord>,
    /// Why the backup has failed, if it has.
    failure: Option<RunFailure>,
    /// From when to when it lasted.
    window: Option<crate::manifest::Standstill>,
}

impl Stood {
    fn unknown() -> Self {
        Self {
            records: Vec::new(),
            failure: Some(RunFailure::Interrupted),
            window: None,
        }
    }
}

impl Backup<'_> {
    async fn claimed(&self) -> Claimed {
        let ready = async {
            self.run.check()?;
            let claim = self.site.claim(self.run, self.intent);
            self.run.report.step(Step::Claim, claim).await
        };
        if let Err(error) = ready.await {
            let outcome = Err(error);
            return Claimed { outcome, holds: false };
        }
        let outcome = Box::pin(self.carry_out()).await;
        if let Ok(sealed) = &outcome {
            prune::after_backup(self.site, self.run, self.lease, &sealed.manifest).await;
        }
        Claimed { outcome, holds: true }
    }

    async fn carry_out(&self) -> Result<Sealed, Error> {
        // The backup's directory.
        let sink = self.open_directory().await?;
        // Stop the clients.
        let begun = Standstill::begin(self.site.control(self.run), self.plan);
        let begun = self.run.report.step(Step::Stop, begun).await;
        // Pin every store, and see that nobody wrote meanwhile.
        let (standstill, pinned) = match begun {
            Ok(standstill) => {
                self.site.keep_claim(self.run, self.intent).await;
                let pinned = Box::pin(self.pin(&standstill, &sink)).await;
                (standstill, pinned)
            }
            Err(broken) => (broken.standstill, Err(broken.cause.into())),
        };
        // Start the clients, as soon as no store needs them down; drain the stores, and seal.
        let (pins, failure) = pinned.map_or_else(|failure| (Pins::new(), Some(failure)), |pins| (pins, None));
        let (holding, mut running) = self.split(pins);
        // Those for which the clients wait keep writers out until they are drained.
        pin::let_writers_in(&self.site.cx(self.run), &mut running).await;
        let (stood, stands) = oneshot::channel();
        let (started, starts) = oneshot::channel();
        let starts = holding.is_empty().then_some(starts);
        let back = self.bring_back(standstill, holding, failure, &sink, (started, stood));
        let drained = self.drain_and_seal(running, &sink, (starts, stands));
        let (back, (manifest, sealed)) = join(back, drained).await;
        // See that what ran is back.
        let degraded = self.confirm(back, sealed.is_err()).await;
        self.site.remember_or_warn(self.run, self.intent, &degraded).await;
        match sealed {
            Ok(()) => Ok(Sealed { manifest, degraded }),
            Err(cause) => Err(Error::Run {
                cause: Box::new(cause),
                degraded,
            }),
        }
    }

    async fn open_directory(&self) -> Result<Sink, Error> {
        let site = self.site;
        let first = RunRecord {
            format: FORMAT,
            platform: self.platform.name.clone(),
            run: self.run.report.run().clone(),
            host: site.machine.host.clone(),
            process: site.machine.process,
            began: self.run.began,
        };
        let begun = site.backups.begin(self.intent.backup, &first, &self.run.report).await;
        begun.map_err(|cause| Error::Repository {
            place: site.backups.place(),
            cause,
        })
    }

    /// Those that must be drained while the clients are down, and the others.
    fn split(&self, pins: Pins) -> (Pins, Pins) {
        let holds = |pin: &pin::Pin| pin.pinned.needs_standstill() || self.plan.holds(pin.store.name());
        pins.into_iter().partition(holds)
    }

    /// Drains what needs the standstill, and ends it. It is told when the first clients were started, and what the
    /// standstill yielded when all were; whether they are well is awaited afterwards. Returns what is not as it was.
    async fn bring_back(
        &self,
        standstill: Standstill,
        holding: Pins,
        failure: Option<RunFailure>,
        sink: &Sink,
        (started, stood): (oneshot::Sender<()>, oneshot::Sender<Stood>),
    ) -> Vec<Degraded> {
        let mut drains = Drains {
            failure,
            ..Drains::default()
        };
        if !holding.is_empty() {
            drains = self.drain_in(&standstill, holding, sink).await;
        }
        self.site.keep_claim(self.run, self.intent).await;
        self.site.note(self.run, self.intent, Phase::Undoing).await;
        // Whoever waits for these lives as long as we do.
        let begun = || started.send(()).unwrap_or_default();
        let ended = standstill.end_as_step(begun).await;
        let Drains { records, failure } = drains;
        let is_well = failure.is_none();
        let _ = stood.send(Stood {
            records,
            failure,
            window: Some(ended.window),
        });
        let confirmed = self.site.control(self.run).confirm(&ended.targets).await;
        let degraded = settled(ended.degraded, confirmed);
        if is_well && degraded.is_empty() {
            self.site.note(self.run, self.intent, Phase::Verified).await;
        }
        degraded
    }

    /// Drains the stores that do not keep the clients down, and makes the backup count. Under pin the drains begin when
    /// the first clients were started; beside others that keep the clients down they begin at once.
    async fn drain_and_seal(
        &self,
        running: Pins,
        sink: &Sink,
        (starts, stands): (Option<oneshot::Receiver<()>>, oneshot::Receiver<Stood>),
    ) -> (Manifest, Result<(), RunFailure>) {
        let drains = async {
            if let Some(starts) = starts {
                // Where nothing is to be started nobody says so: the sender is gone.
                let _ = starts.await;
            }
            self.drain_beside(running, sink).await
        };
        let (drains, stood, sizes) = join3(drains, stands, self.sizes()).await;
        let Stood {
            records,
            failure,
            window,
        } = stood.unwrap_or_else(|_| Stood::unknown());
        let mut records = [records, drains.records].concat();
        let listed = sink.list_objects(&mut records).await;
        let unlisted = listed.err().map(|cause| RunFailure::Repository {
            place: self.site.backups.place(),
            cause,
        });
        // What broke the standstill tells more than what came of it.
        let failure = match failure.or(drains.failure).or(unlisted) {
            Some(RunFailure::Interrupted) => Some(self.why_interrupted().await),
            failure => failure,
        };
        let mut manifest = self.describe(records, window);
        let records = manifest.workloads.iter_mut();
        unprotected::measure(records.flat_map(|record| record.left_out.iter_mut().flatten()), &sizes);
        let sealed = self.seal(&manifest, failure).await;
        (manifest, sealed)
    }

    /// How large volumes are, for what is told of those that the backup does not hold. Asked while stores drain: the
    /// engine may have to read through all of them, and nobody is down for it.
    async fn sizes(&self) -> BTreeMap<String, u64> {
        let mut left_out = self
            .plan
            .entries
            .iter()
            .flat_map(|entry| entry.left_out.iter().flatten());
        if !left_out.any(|one| one.what == DataKind::Volume) {
            return BTreeMap::new();
        }
        self.site.machine.catalog.volume_sizes().await.unwrap_or_default()
    }

    /// A run whose lease was lost is ended as by its operator.
    async fn why_interrupted(&self) -> RunFailure {
        let lost = self.lease.lost().await;
        lost.map_or(RunFailure::Interrupted, |lost| of_lease(self.site, lost))
    }

    /// Returns what is not as it was. What made a run fail may have taken down more than the run had stopped.
    async fn confirm(&self, mut degraded: Vec<Degraded>, failed: bool) -> Vec<Degraded> {
        if failed {
            self.find_out_deaths().await;
            degraded.extend(self.kept_too().await);
            degraded = once_each(degraded);
            if degraded.is_empty() {
                self.site.note(self.run, self.intent, Phase::Verified).await;
            }
        }
        degraded
    }

    /// What made the run fail may have been the death of a store. The engine may call it running for a moment more, so
    /// the store itself is asked: one that does not answer is given the time in which its death is noticed.
    async fn find_out_deaths(&self) {
        let cx = Cx {
            cancel: CancellationToken::new(),
            ..self.site.cx(self.run)
        };
        let asked = join_all(self.platform.stores.values().map(|store| store.ready(&cx)));
        drop(within(&*self.site.machine.clock, DEATH_NOTICED, "every store answering", asked).await);
    }

    /// An engine that died took stores and kept containers with it.
    async fn kept_too(&self) -> Vec<Degraded> {
        match recovery::recover(&self.site.control(self.run), self.intent).await {
            Ok(recovered) => recovered.all(),
            Err(error) => {
                let said = format!("whether everything runs again could not be seen: {error}");
                self.run.report.warn(said);
                Vec::new()
            }
        }
    }
}
