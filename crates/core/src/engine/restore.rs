//! The restore, in three phases: full stop, data, full start. Read [`restore`] as a table of contents.
//!
//! Everything that can refuse does so before the stop. After it, every failure leaves the platform
//! stopped on purpose: clients must never meet data that is half old and half new. What was replaced is kept,
//! by the stores or as a copy, until [`discard`] frees it or [`undo`] brings it back.

mod at_rest;
mod change;
pub mod discard;
mod examine;
mod kept;
mod logins;
mod pairing;
mod pairs;
mod parts;
pub(crate) mod refusals;
mod rehearse;
mod safety;
mod task;
pub mod undo;

pub use logins::HeldLogin;
pub use pairing::renamed;
pub use parts::{Chosen, Gap, choose};
pub use rehearse::{Rehearsed, Replaced, rehearse};

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::sync::Mutex;

use super::claim::PlatformLock;
use super::plan::Plan;
use super::platform::Platform;
use super::site::{Run, Site};
use super::standstill::{Ended, Standstill};
use super::start::Degraded;
use crate::backups::Lease;
use crate::engine::errors::{Error, RunFailure};
use crate::events::Step;
use crate::logins::Passwords;
use crate::manifest::Manifest;
use crate::names::{BackupId, Project, StoreName};
use crate::ports::journal::{Loaded, Phase};
use crate::ports::power::Intent;
use crate::selection::Selection;
use crate::stores::{Cx, Footing, Store, together};

use change::Change;
use examine::Examined;
use logins::Logins;
use pairs::{Pair, as_recorded, plan_of};
use task::{Task, compare_all};

/// A restore that succeeded.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// The backup.
    pub backup: BackupId,
    /// The platform whose data was replaced.
    pub platform: Project,
    /// Where the data comes from, where that is not the same platform and stores of the same names.
    #[serde(flatten)]
    pub origin: Origin,
    /// When the platform stood still.
    pub standstill: crate::manifest::Standstill,
    /// What did not come back as it was, or holds a login that its store refuses now. The data is good all the same.
    pub degraded: Vec<Degraded>,
    /// The databases that were restored alone; none: all of the stores that were restored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<String>,
    /// What is missing, as was accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// The data that was replaced is still there, and can be brought back.
    pub old_data_kept: bool,
}

/// Where restored data comes from, where that is not the same platform and stores of the same names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The other platform that the backup is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Project>,
    /// The stores that the backup calls otherwise: its name, and the one here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub renamed: BTreeMap<StoreName, StoreName>,
}

impl Origin {
    /// What the selection says to this platform.
    pub fn of(selection: &Selection, platform: &Project) -> Self {
        let from = selection.from.clone().filter(|from| from != platform);
        let renamed = selection.map.iter().filter(|(old, new)| old != new);
        Self {
            from,
            renamed: renamed.map(|(old, new)| (old.clone(), new.clone())).collect(),
        }
    }
}

/// What is to be restored.
pub struct RestoreRequest<'a> {
    /// The backup, as it lies in the repository.
    pub whole: &'a Manifest,
    /// What was chosen of it.
    pub manifest: &'a Manifest,
    /// How that was chosen.
    pub selection: &'a Selection,
    /// Stores that hold it already: an earlier attempt has loaded them.
    pub loaded: Vec<StoreName>,
    /// What is replaced is not to be kept.
    pub no_way_back: bool,
    /// What becomes of passwords.
    pub passwords: Passwords,
}

/// Overwrites the platform's data with the backup's. What clients could log in with before and cannot any more is
/// told and keeps nothing down: the data is good. The caller holds the lock; `unfinished` is
/// the intent of an earlier restore that stands stopped on purpose: it is taken over. A restore that
/// fails after the stop keeps its claim, which says what is to run again.
pub async fn restore(
    site: &Site,
    run: &Run,
    held: &PlatformLock,
    platform: Platform,
    wanted: &RestoreRequest<'_>,
    unfinished: Option<&Intent>,
) -> Result<Restored, Error> {
    site.must_reap(run, unfinished).await?;
    let platform = as_recorded(platform, unfinished);
    let RestoreRequest {
        manifest, selection, ..
    } = *wanted;
    let examined = examine::examine(site, run, &platform, wanted, unfinished).await?;
    let Examined { pairs, tasks, logins } = examined;
    run.check()?;
    let plan = plan_of(&platform, &pairs);
    let followers = platform.followers.clone();
    let no_way_back = unfinished.map_or(wanted.no_way_back, |intent| intent.no_way_back);
    let copied = to_copy(site, &platform, &pairs, unfinished, no_way_back).await?;
    // The copy is named after the second in which the restore begins; that of an earlier attempt has its name.
    let in_own_second = match unfinished {
        None if !copied.is_empty() => site.in_a_second_of_its_own(run).await?,
        _ => run.clone(),
    };
    let run = &in_own_second;
    let intent = note(site, run, held, &plan, wanted, unfinished).await?;
    let lease = match safety::prepare(site, run, &intent, &copied).await {
        Ok(lease) => lease,
        Err(refused) => {
            // What is left of it is removed by the next run, which finds this one open.
            if unfinished.is_none() && refused.nothing_left {
                site.note(run, &intent, Phase::Closed).await;
            }
            return Err(refused.error);
        }
    };
    let change = Change {
        site,
        run,
        plan: &plan,
        intent: &intent,
        backup: manifest.id,
        lease: lease.as_ref(),
    };
    if unfinished.is_none()
        && let Err(error) = run.report.step(Step::Claim, site.claim(run, &intent)).await
    {
        change.end_lease().await;
        return Err(error);
    }
    match replace(&change, wanted, tasks, &copied, &logins).await {
        Ok((ended, Loads { locked_out, gaps })) => {
            let standstill = ended.window;
            let degraded = [change.close(ended, true).await, locked_out].concat();
            for follower in followers {
                run.report.warn(format!(
                    "{follower} is a standby of a store that was restored: it has to replay all of it from there. Look whether \
                     it catches up; if the store has let go of what it needs, or was made anew, it must be rebuilt \
                     (`pg_basebackup -R`)"
                ));
            }
            Ok(Restored {
                backup: manifest.id,
                platform: plan.platform.clone(),
                origin: Origin::of(selection, &plan.platform),
                standstill,
                degraded,
                databases: selection.databases.clone(),
                gaps,
                old_data_kept: !no_way_back,
            })
        }
        Err(error) => Err(change.fail(error).await),
    }
}

/// The stores whose old data has to be copied first. An earlier attempt that has sealed its copy may have
/// replaced some of it by now: that copy is the way back.
async fn to_copy<'a>(
    site: &Site,
    platform: &Platform,
    pairs: &[Pair<'a>],
    unfinished: Option<&Intent>,
    no_way_back: bool,
) -> Result<Vec<&'a dyn Store>, Error> {
    let is_there = match unfinished {
        Some(_) => safety::find(site, platform, unfinished).await?.is_some(),
        None => false,
    };
    if no_way_back || is_there {
        return Ok(Vec::new());
    }
    let stores = pairs.iter().map(|(store, _)| *store);
    Ok(stores.filter(|store| safety::is_copied(*store)).collect())
}

/// Notes what will be done, before anything that could outlive us, or that we go on with what an earlier attempt
/// has begun. What that one has loaded counts only if it is said to: it may have been of another backup.
async fn note(
    site: &Site,
    run: &Run,
    held: &PlatformLock,
    plan: &Plan,
    wanted: &RestoreRequest<'_>,
    unfinished: Option<&Intent>,
) -> Result<Intent, Error> {
    if let Some(intent) = unfinished {
        let loaded = Loaded {
            backup: wanted.manifest.id,
            stores: wanted.loaded.clone(),
            selection: wanted.selection.clone(),
        };
        site.machine.journal.loaded(&intent.run, &loaded).await?;
        return Ok(intent.clone());
    }
    let mut intent = site.intent(held, run, plan, wanted.manifest.id);
    intent.no_way_back = wanted.no_way_back;
    intent.passwords = wanted.passwords;
    intent.selection = wanted.selection.clone();
    intent.guest_of = wanted.selection.from.clone().filter(|from| *from != intent.platform);
    site.machine.journal.plan(&intent).await?;
    Ok(intent)
}

/// What is to be told of data that was loaded and compared.
struct Loads {
    locked_out: Vec<Degraded>,
    gaps: Vec<Gap>,
}

async fn replace(
    change: &Change<'_>,
    wanted: &RestoreRequest<'_>,
    tasks: Vec<Task<'_>>,
    copied: &[&dyn Store],
    logins: &Logins<'_>,
) -> Result<(Ended, Loads), Error> {
    let standstill = change.begin().await?;
    if let Some(lease) = change.lease
        && let Err(cause) = copy(change, lease, &standstill, copied).await
    {
        return Err(change.abandon(standstill, cause).await);
    }
    match load_all(change, wanted, tasks, &standstill, logins).await {
        Ok(loads) => Ok((change.end(standstill).await, loads)),
        Err(cause) => Err(change.stay_down(standstill, cause).await),
    }
}

/// Copies what cannot be set aside, for as long as the repository is ours.
async fn copy(
    change: &Change<'_>,
    lease: &Lease,
    standstill: &Standstill,
    stores: &[&dyn Store],
) -> Result<(), RunFailure> {
    let (guarded, lost) = change.run.guarded();
    let cx = change.site.cx_as(&guarded, &change.intent.run);
    let work = safety::copy(change, lease, &cx, standstill, stores, change.backup);
    Box::pin(lease.keep(&lost, work)).await
}

async fn load_all(
    change: &Change<'_>,
    wanted: &RestoreRequest<'_>,
    mut tasks: Vec<Task<'_>>,
    standstill: &Standstill,
    logins: &Logins<'_>,
) -> Result<Loads, RunFailure> {
    let (site, run) = (change.site, change.run);
    // Also a takeover's processes bear the name that the claim tells.
    let cx = site.cx_as(run, &change.intent.run);
    let loaded = Mutex::new(wanted.loaded.clone());
    let is_there = |task: &&mut Task<'_>| wanted.loaded.contains(task.store.name());
    let (there, missing): (Vec<_>, Vec<_>) = tasks.iter_mut().partition(is_there);
    let loads = together(&cx, missing.len(), missing, |task, cx| {
        load(change, wanted, task, cx, standstill, &loaded)
    });
    let all = async {
        for task in there {
            task::bring(task.store, &cx, standstill, Footing::Running).await?;
        }
        loads.await.1.map_or(Ok(()), Err)
    };
    run.report.step(Step::Load, all).await?;
    let gaps = run
        .report
        .step(Step::Compare, compare_all(&cx, &tasks, &wanted.selection.accept))
        .await?;
    task::resume_jobs(&cx, &tasks, standstill).await?;
    let locked_out = logins.try_after(&cx).await;
    standstill.unbroken(change.plan).await?;
    Ok(Loads { locked_out, gaps })
}

/// Loads one store and notes it. What could not be noted is loaded again by the next attempt.
async fn load(
    change: &Change<'_>,
    wanted: &RestoreRequest<'_>,
    task: &mut Task<'_>,
    cx: Cx,
    standstill: &Standstill,
    loaded: &Mutex<Vec<StoreName>>,
) -> Result<(), RunFailure> {
    task.carry_out(&cx, standstill).await?;
    // Nobody else would know of its gaps.
    if !task.work.gaps().is_empty() {
        return Ok(());
    }
    let mut loaded = loaded.lock().await;
    loaded.push(task.store.name().clone());
    let noted = Loaded {
        backup: change.backup,
        stores: loaded.clone(),
        selection: wanted.selection.clone(),
    };
    if let Err(error) = change.site.machine.journal.loaded(&change.intent.run, &noted).await {
        cx.report.warn(error.to_string());
    }
    Ok(())
}
