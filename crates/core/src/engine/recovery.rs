//! Bringing a platform back after the run that stopped it has died. May be repeated, and may itself
//! die: it only starts what an intent recorded as running and nobody has started since.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::deadline::asked;
use super::look::Observed;
use super::platform;
use super::site::{Run, Site};
use super::start::{Degraded, PowerControl, Target, once_each, removed, settled, targets};
use crate::backups::Backups;
use crate::engine::errors::Error;
use crate::findings::Finding;
use crate::names::{BackupId, RunId, WorkloadId};
use crate::ports::power::{Intent, RecordedWorkload};
use crate::stores::{Cx, Store, StoreError};
use crate::workload::{State, Workload};

impl Site {
    /// Ends what a dead run has left running or unfinished; returns whether nothing of it is left.
    ///
    /// What cannot be ended is told: it must not keep the platform down.
    pub async fn reap(&self, run: &Run, intent: &Intent) -> bool {
        let mut left = self.reap_stores(run, intent).await;
        left.extend(sweep(&self.backups, intent).await);
        for error in &left {
            run.report
                .warn(format!("run {} may have left something behind: {error}", intent.run));
        }
        left.is_empty()
    }

    /// Asks the stores, as far as they are still known: the last resort needs none of them. Returns what is left.
    async fn reap_stores(&self, run: &Run, intent: &Intent) -> Vec<String> {
        let cx = self.cx(run);
        let (Observed { workloads, answered }, unlisted) = match self.seen(&intent.platform).await {
            Ok(seen) => (seen, None),
            Err(error) => (Observed::default(), Some(error.to_string())),
        };
        let worked_on = intent.workloads.iter().filter(|entry| entry.worked_on);
        let reaped = join_all(worked_on.map(async |entry| {
            let store = platform::store_at(&entry.address, &workloads, &self.kinds, &self.keep, &answered);
            let (store, unknown) = match store.transpose() {
                Ok(store) => (store, None),
                Err(error) => (None, Some(error)),
            };
            let store = store.as_deref();
            [unknown, reap_store(&cx, entry, store, &intent.run).await.err()]
        }));
        let left = reaped.await.into_iter().flatten().flatten();
        unlisted
            .into_iter()
            .chain(left.map(|error| error.to_string()))
            .collect()
    }

    /// What a dead restore has kept its stores from doing by themselves goes on, where they are still known. Returns
    /// where it does not. `stood` is what ran when it was brought back, and since when.
    pub(super) async fn resume_jobs(
        &self,
        run: &Run,
        intent: &Intent,
        stood: &Standing,
    ) -> Result<Vec<Degraded>, Error> {
        let cx = self.cx(run);
        let Observed { workloads, answered } = self.seen(&intent.platform).await?;
        let runs_since = |id: &WorkloadId| workloads.iter().find(|now| now.id == *id);
        let worked_on = intent.workloads.iter().filter(|entry| entry.worked_on);
        let resumed = join_all(worked_on.map(async |entry| {
            let store = platform::store_at(&entry.address, &workloads, &self.kinds, &self.keep, &answered);
            let resumed = match store? {
                Ok(store) => {
                    let (name, id) = (store.name().clone(), store.workload().clone());
                    let resumed = asked(&cx, format!("letting jobs of {name} run again"), |cx| async move {
                        store.ready(&cx).await?;
                        store.resume_jobs(&cx).await
                    });
                    let resumed = resumed.await;
                    if let (Ok(Some(rests)), Some(now)) = (&resumed, runs_since(&id))
                        && stood.get(&id) == Some(&now.started_at)
                    {
                        cx.report
                            .warn(format!("{name}: until `docker restart {}` {rests}", now.container));
                    }
                    resumed
                }
                Err(error) => Err(error),
            };
            let error = resumed.err()?;
            Some(Degraded {
                workload: entry.address.clone(),
                cause: format!("what the restore has held off in it could not be let go: {error}"),
            })
        }));
        Ok(resumed.await.into_iter().flatten().collect())
    }

    /// The tools of a dead run may still be writing to the stores that would be loaded.
    pub(super) async fn must_reap(&self, run: &Run, unfinished: Option<&Intent>) -> Result<(), Error> {
        match unfinished {
            Some(dead) if !self.reap(run, dead).await => {
                let left = format!("what run {} has left behind could not be ended", dead.run);
                let remedy = "look at the engine and at the containers of the stores, then try again";
                Err(Error::RestoreRefused(vec![Finding::refuses(left, remedy)]))
            }
            _ => Ok(()),
        }
    }
}

/// A container that was made anew has left its siblings to be found by its old name.
async fn reap_store(
    cx: &Cx,
    entry: &RecordedWorkload,
    store: Option<&dyn Store>,
    dead: &RunId,
) -> Result<(), StoreError> {
    if let Some(store) = store {
        let what = format!("ending what run {dead} has left of {}", store.name());
        asked(cx, what, |cx| async move { store.reap(&cx, dead).await }).await?;
        if *store.workload() == entry.id {
            return Ok(());
        }
    }
    Ok(cx.shell.reap(&entry.id, dead).await?)
}

/// Only where the run has written: another platform's repository is none of its business. Returns what is left.
async fn sweep(backups: &Backups, intent: &Intent) -> Vec<String> {
    match backups.owner().await {
        Ok(Some(owner)) if !intent.may_write_into(&owner) => {
            let place = backups.place();
            return vec![format!(
                "{place} is the repository of platform {owner}; what is left in that of {} is removed by the next run \
                 that is told of it",
                intent.platform
            )];
        }
        Ok(_) => {}
        Err(error) => return vec![error.to_string()],
    }
    let mut left = Vec::new();
    for directory in written(intent) {
        let unswept = backups.sweep(directory, &intent.run).await.err();
        left.extend(unswept.map(|error| error.to_string()));
    }
    left
}

/// Where the run may have written: its backup, or the safety copy of what it was to replace.
fn written(intent: &Intent) -> Vec<BackupId> {
    let copies_first = intent.job.declaration().copies_first;
    let copy = copies_first.then(|| BackupId::at(intent.since));
    [intent.backup].into_iter().chain(copy).collect()
}

/// What is not as it was before a run.
#[derive(Default)]
pub struct Recovered {
    /// What is there and not as it was.
    pub degraded: Vec<Degraded>,
    /// What somebody has removed. A claim that waits for it would block the platform for ever.
    pub gone: Vec<Degraded>,
    /// What had a process before anything was started.
    pub(super) stood: Standing,
}

/// When workloads that run were started.
pub(super) type Standing = BTreeMap<WorkloadId, Option<Timestamp>>;

impl Recovered {
    /// All of it.
    pub fn all(self) -> Vec<Degraded> {
        once_each([self.degraded, self.gone].concat())
    }
}

/// What the intent recorded and has no container now.
pub fn gone(intent: &Intent, now: &[Workload]) -> Vec<Degraded> {
    let is_here = |entry: &&RecordedWorkload| now.iter().any(|workload| workload.address == entry.address);
    let gone = intent.workloads.iter().filter(|entry| !is_here(entry));
    let degraded = gone.map(|entry| Degraded {
        workload: entry.address.clone(),
        cause: removed(&entry.address, entry.compose.as_ref()),
    });
    degraded.collect()
}

/// Thaws the stores that the intent's run had paused for their pin: nothing that it has left in them ends while they are
/// frozen. What fails here is told when all is started. A restore pauses nothing.
pub async fn thaw(control: &PowerControl, intent: &Intent) -> Result<(), Error> {
    if intent.job.replaces_data() {
        return Ok(());
    }
    let now = control.catalog.workloads().await?;
    let frozen = now.iter().filter(|workload| {
        let was_running = |entry: &RecordedWorkload| entry.worked_on && entry.state == State::Running;
        let by_the_run = recorded(intent, workload).is_some_and(was_running) && is_ours(intent, workload);
        by_the_run && workload.state == State::Paused
    });
    join_all(frozen.map(|workload| control.power.start(&workload.id))).await;
    Ok(())
}

/// Starts what the intent's run had stopped and awaits that all of it is what it was.
/// Returns what is not.
pub async fn recover(control: &PowerControl, intent: &Intent) -> Result<Recovered, Error> {
    let now = control.catalog.workloads().await?;
    let gone = gone(intent, &now);
    for gone in &gone {
        control.report.warn(gone.to_string());
    }
    let targets = targets(intent, &now);
    let (ours, others): (Vec<Target>, Vec<Target>) =
        targets.into_iter().partition(|target| is_ours(intent, &target.was));
    tell_others(control, &others).await;
    finish_stops(control, intent, &now).await;
    let mut degraded = control.put_policies_back(&others).await;
    let started = control.start(&ours).await;
    degraded.extend(settled(started, control.confirm(&ours).await));
    let stood = now.into_iter().filter(|workload| workload.state.is_up());
    Ok(Recovered {
        degraded: once_each(degraded),
        gone,
        stood: stood.map(|workload| (workload.id, workload.started_at)).collect(),
    })
}

/// A stop that the dead run asked for goes on in the engine: what still runs may end a moment after we
/// have looked. Asking for the same stop again returns when it has ended.
async fn finish_stops(control: &PowerControl, intent: &Intent, now: &[Workload]) {
    let asked = intent.workloads.iter().filter_map(|entry| {
        let here = |workload: &&Workload| workload.id == entry.id && is_unstarted(entry, workload);
        let up = now.iter().find(here).filter(|workload| workload.state.is_up())?;
        Some((&up.id, Duration::from_secs(entry.grace?)))
    });
    let stops = join_all(asked.map(|(id, grace)| control.power.stop(id, grace))).await;
    for error in stops.into_iter().filter_map(Result::err) {
        control
            .report
            .warn(format!("a stop of the dead run may still go on: {error}"));
    }
}

/// What somebody has started since the intent was recorded.
pub async fn touched(control: &PowerControl, intent: &Intent) -> Result<Vec<Degraded>, Error> {
    let now = control.catalog.workloads().await?;
    let targets = targets(intent, &now);
    let others = targets.into_iter().filter(|target| !is_ours(intent, &target.was));
    let degraded = others.map(|target| Degraded {
        workload: target.was.address,
        cause: format!(
            "was started since {}, when run {} recorded it",
            intent.since, intent.run
        ),
    });
    Ok(degraded.collect())
}

/// Nobody but the run has started it since it was recorded: whatever state it is in is the run's doing.
fn is_ours(intent: &Intent, now: &Workload) -> bool {
    recorded(intent, now).is_some_and(|entry| {
        let by_the_run = entry.worked_on && intent.job.replaces_data();
        by_the_run || is_unstarted(entry, now)
    })
}

fn recorded<'a>(intent: &'a Intent, now: &Workload) -> Option<&'a RecordedWorkload> {
    intent.workloads.iter().find(|entry| entry.address == now.address)
}

/// Nothing but its restart policy has started it since it was recorded: a policy's start counts up, a start by hand
/// sets the count to 0. (`FinishedAt` cannot tell: an engine's restart rewrites it.)
fn is_unstarted(entry: &RecordedWorkload, now: &Workload) -> bool {
    let only_its_policy = entry.restart_count.is_some_and(|recorded| now.restart_count > recorded);
    entry.started_at == now.started_at || only_its_policy
}

/// Somebody, or the run itself at its end, has started these since: they are looked at, never touched.
async fn tell_others(control: &PowerControl, others: &[Target]) {
    let looks = join_all(others.iter().map(|target| control.catalog.inspect(&target.was.id))).await;
    for (target, look) in others.iter().zip(looks) {
        let was = &target.was;
        if let Some(now) = look.ok().filter(|now| now.state != was.state) {
            control.report.warn(format!(
                "{} was {} and has been started since; it is left as it is: {}",
                was.address, was.state, now.state
            ));
        }
    }
}
