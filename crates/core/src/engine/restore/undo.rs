//! Undoing a restore: what it has replaced comes back, whether it finished, failed or died. Until then it is
//! kept, by the stores or as a copy; what a restore that died has not replaced yet stays as it is. May be
//! repeated, and may itself die: then the platform stays down, as after a restore.

use std::collections::BTreeSet;

use serde::Serialize;

use super::at_rest;
use super::change::Change;
use super::kept::Kept;
use super::pairs::as_recorded;
use super::refusals;
use super::safety;
use super::task::{self, Task, compare_all, names};
use crate::backups::Artifacts;
use crate::engine::claim::PlatformLock;
use crate::engine::errors::{Error, RunFailure};
use crate::engine::plan::Plan;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::engine::standstill::Standstill;
use crate::engine::start::Degraded;
use crate::events::Step;
use crate::findings::Finding;
use crate::logins::Passwords;
use crate::manifest::{Manifest, StoreRecord};
use crate::names::{Address, BackupId, StoreName};
use crate::ports::gateway::Verified;
use crate::ports::journal::Loaded;
use crate::ports::power::{Intent, Job};
use crate::stores::{Aside, Cx, Source, Store, WayBack, together};

/// A restore that was undone.
#[derive(Debug, Serialize)]
pub struct Undone {
    /// The stores that hold their old data again.
    pub stores: BTreeSet<StoreName>,
    /// When the platform stood still.
    pub standstill: crate::manifest::Standstill,
    /// What did not come back as it was. The data is good all the same.
    pub degraded: Vec<Degraded>,
}

/// Brings the old data back. The caller holds the lock; `unfinished` is the intent of a restore, or of an
/// undoing, that stands stopped on purpose: it is taken over.
pub async fn undo(
    site: &Site,
    run: &Run,
    held: &PlatformLock,
    platform: Platform,
    unfinished: Option<&Intent>,
) -> Result<Undone, Error> {
    site.must_reap(run, unfinished).await?;
    let platform = as_recorded(platform, unfinished);
    let copy = safety::find(site, &platform, unfinished).await?;
    let backup = copy.as_ref().map_or_else(|| BackupId::at(run.began), |copy| copy.id);
    let artifacts = site.backups.artifacts(backup, &run.report);
    let mut tasks = match unfinished {
        Some(intent) => left(&platform, intent, copy.as_ref(), &artifacts)?,
        None => kept(site, run, &platform, copy.as_ref(), &artifacts).await?,
    };
    must_be_sound(site, run, copy.as_ref(), &artifacts, &mut tasks).await?;
    if unfinished.is_none() {
        must_outlive_a_stop(site, run, &platform, &tasks).await?;
    }
    let plan = Plan::new(&platform, Job::UndoJob).replacing(&names(&tasks));
    let intent = take(site, run, held, &plan, backup, copy.is_some(), unfinished).await?;
    let change = Change {
        site,
        run,
        plan: &plan,
        intent: &intent,
        backup,
        lease: None,
    };
    let standstill = match change.begin().await {
        Ok(standstill) => standstill,
        Err(error) => return Err(change.fail(error).await),
    };
    let ended = match put_back_all(&change, &mut tasks, &standstill).await {
        Ok(()) => change.end(standstill).await,
        Err(cause) => return Err(change.stay_down(standstill, cause).await),
    };
    let nothing_left = forget(site, run, copy.as_ref(), &intent).await;
    Ok(Undone {
        stores: names(&tasks),
        standstill: ended.window,
        degraded: change.close(ended, nothing_left).await,
    })
}

/// What an undoing would lose, in words, one for each store: what stands in the place of the old data, with all that was
/// written into it since. Changes nothing.
pub async fn would_lose(
    site: &Site,
    run: &Run,
    platform: Platform,
    unfinished: Option<&Intent>,
) -> Result<Vec<String>, Error> {
    let platform = as_recorded(platform, unfinished);
    let copy = safety::find(site, &platform, unfinished).await?;
    if let Some(intent) = unfinished {
        let artifacts = site.backups.artifacts(intent.backup, &run.report);
        let tasks = left(&platform, intent, copy.as_ref(), &artifacts)?;
        return Ok(tasks
            .iter()
            .map(|task| format!("store {}", task.store.name()))
            .collect());
    }
    let kept = Kept::must_be(site, run, &platform).await?;
    let aside = kept.aside.iter().filter_map(|(store, _, held)| {
        let replaced: Vec<&str> = held.iter().filter_map(|old| old.replaced_by.as_deref()).collect();
        (!replaced.is_empty()).then(|| format!("store {}: {}", store.name(), replaced.join(", ")))
    });
    let copied = platform
        .stores
        .values()
        .filter(|store| record(copy.as_ref(), &***store).is_some());
    let copied = copied.map(|store| format!("store {}: all of it", store.name()));
    Ok(aside.chain(copied).collect())
}

/// What there is to put back after a restore that ended: whatever is kept.
async fn kept<'a>(
    site: &Site,
    run: &Run,
    platform: &'a Platform,
    copy: Option<&'a Manifest>,
    artifacts: &'a Artifacts,
) -> Result<Vec<Task<'a>>, Error> {
    let kept = Kept::must_be(site, run, platform).await?;
    let aside = kept.aside.into_iter().map(|(store, aside, _)| of_aside(store, aside));
    let copied = platform.stores.values().filter_map(|store| {
        let record = record(copy, &**store)?;
        Some(of_copy(&**store, record, artifacts, Vec::new()))
    });
    Ok(aside.chain(copied).collect())
}

/// What there is to put back after a restore that did not end: of the stores that it meant to replace those
/// whose turn may have come.
fn left<'a>(
    platform: &'a Platform,
    intent: &Intent,
    copy: Option<&'a Manifest>,
    artifacts: &'a Artifacts,
) -> Result<Vec<Task<'a>>, Error> {
    let begun: BTreeSet<&Address> = intent
        .workloads
        .iter()
        .filter(|entry| entry.worked_on)
        .map(|entry| &entry.address)
        .collect();
    let mut tasks = Vec::new();
    let mut reasons = Vec::new();
    for (address, store) in platform.stores.iter().filter(|(address, _)| begun.contains(address)) {
        let store = &**store;
        let task = match (store.way_back(), record(copy, store)) {
            (WayBack::Aside(aside), _) => of_aside(store, aside),
            (WayBack::Copy(_), Some(record)) => of_copy(store, record, artifacts, Vec::new()),
            // Nothing is replaced before the copy is sealed.
            (WayBack::Copy(_), None) if !intent.no_way_back => continue,
            (WayBack::Copy(_), None) => {
                let what = format!(
                    "{address}: {} was told to keep no way back, so what it has replaced there is gone",
                    intent.described()
                );
                reasons.push(Finding::refuses(what, "restore a backup"));
                continue;
            }
        };
        tasks.push(task);
    }
    if reasons.is_empty() {
        Ok(tasks)
    } else {
        Err(Error::RestoreRefused(reasons))
    }
}

fn of_aside<'a>(store: &'a dyn Store, aside: &dyn Aside) -> Task<'a> {
    Task {
        store,
        work: aside.put_back(),
        record: None,
    }
}

fn of_copy<'a>(
    store: &'a dyn Store,
    record: &'a StoreRecord,
    artifacts: &Artifacts,
    objects: Vec<Verified>,
) -> Task<'a> {
    let source = Source {
        record: record.clone(),
        artifacts: artifacts.clone(),
        objects,
        passwords: Passwords::Keep,
        accepted: Vec::new(),
    };
    Task {
        store,
        work: store.unexamined(source),
        record: Some(record),
    }
}

fn record<'a>(copy: Option<&'a Manifest>, store: &dyn Store) -> Option<&'a StoreRecord> {
    copy?.stores.iter().find(|record| record.name == *store.name())
}

/// What was written since goes where old data comes back, and nowhere else; and all of it must start again.
async fn must_outlive_a_stop(site: &Site, run: &Run, platform: &Platform, tasks: &[Task<'_>]) -> Result<(), Error> {
    let at_rest::Stop { lost, unstartable } = at_rest::look(site, run, platform).await;
    let put_back = names(tasks);
    let lost = lost.into_iter().filter(|(store, _)| !put_back.contains(store));
    let lost = lost.map(|(_, lost)| Finding::refuses(lost, "see first that it is saved"));
    let reasons: Vec<Finding> = unstartable.into_iter().chain(lost).collect();
    if reasons.is_empty() {
        Ok(())
    } else {
        Err(Error::RestoreRefused(reasons))
    }
}

/// A copy that is damaged must not replace anything: what is loaded is what was read here.
async fn must_be_sound(
    site: &Site,
    run: &Run,
    copy: Option<&Manifest>,
    artifacts: &Artifacts,
    tasks: &mut [Task<'_>],
) -> Result<(), Error> {
    let Some(copy) = copy else { return Ok(()) };
    let check = async {
        let mut damage = Vec::new();
        for task in tasks {
            if let Some(record) = task.record {
                let (objects, damaged) = site.read_by_hashes(run, copy.id, record).await?;
                damage.extend(damaged);
                *task = of_copy(task.store, record, artifacts, objects);
            }
        }
        if damage.is_empty() {
            return Ok(());
        }
        let damage = damage.iter().map(|damage| {
            let what = format!("the copy {}: {damage}", copy.id);
            Finding::refuses(what, refusals::DAMAGED)
        });
        Err(Error::RestoreRefused(damage.collect()))
    };
    run.report.step(Step::Verify, check).await
}

/// Takes the platform, or goes on with what an earlier attempt has taken. What that one has loaded is no longer
/// there from now on.
async fn take(
    site: &Site,
    run: &Run,
    held: &PlatformLock,
    plan: &Plan,
    backup: BackupId,
    has_copy: bool,
    unfinished: Option<&Intent>,
) -> Result<Intent, Error> {
    if let Some(intent) = unfinished {
        let nothing = Loaded {
            backup: intent.backup,
            stores: Vec::new(),
            selection: intent.selection.clone(),
        };
        site.machine.journal.loaded(&intent.run, &nothing).await?;
        return Ok(intent.clone());
    }
    let claim = async {
        let intent = safety::intend(site, held, run, plan, backup, has_copy).await?;
        site.claim(run, &intent).await?;
        Ok::<_, Error>(intent)
    };
    run.report.step(Step::Claim, claim).await
}

async fn put_back_all(change: &Change<'_>, tasks: &mut [Task<'_>], standstill: &Standstill) -> Result<(), RunFailure> {
    let cx = change.site.cx_as(change.run, &change.intent.run);
    let work = together(&cx, tasks.len(), tasks.iter_mut(), |task, cx| {
        put_back(task, cx, standstill)
    });
    let all = async { work.await.1.map_or(Ok(()), Err) };
    change.run.report.step(Step::PutBack, all).await?;
    change
        .run
        .report
        .step(Step::Compare, compare_all(&cx, tasks, &[]))
        .await?;
    task::resume_jobs(&cx, tasks, standstill).await?;
    standstill.unbroken(change.plan).await?;
    Ok(())
}

/// What the restore has brought beside the old data goes too.
async fn put_back(task: &mut Task<'_>, cx: Cx, standstill: &Standstill) -> Result<(), RunFailure> {
    task.carry_out(&cx, standstill).await?;
    match (task.store.way_back(), task.record) {
        (WayBack::Copy(copied), Some(record)) => copied
            .keep_only(&cx, record)
            .await
            .map_err(|cause| RunFailure::of(task.store.name(), cause)),
        _ => Ok(()),
    }
}

/// What an undoing could not remove of its copy, although all that it brought back ran again. Returns whether
/// nothing is left of it.
pub async fn forget_later(site: &Site, run: &Run, undone: &Intent) -> bool {
    let copy = safety::sealed(site, undone.backup).await;
    match copy {
        Ok(copy) => forget(site, run, copy.as_ref(), undone).await,
        Err(error) => {
            run.report.warn(error.to_string());
            false
        }
    }
}

/// The data lives again: its copy is not needed any more, and must not be loaded over what is written from now on.
/// Returns whether nothing is left to remove.
async fn forget(site: &Site, run: &Run, copy: Option<&Manifest>, intent: &Intent) -> bool {
    let copy = match copy {
        Some(copy) => Some(copy.id),
        None => safety::left_with_host(site, intent).await,
    };
    let Some(copy) = copy else { return true };
    let removed = safety::remove_all(site, run, intent, &[copy]).await;
    removed.unwrap_or_else(|error| {
        run.report.warn(format!(
            "the copy {copy} of what is back now could not be removed (`stillpoint restore discard-old` does it): {error}"
        ));
        false
    })
}
