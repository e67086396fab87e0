//! Everything that can refuse a restore, looked at while the platform still runs. All reasons are
//! collected: an operator in trouble should not meet them one by one.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::kept::Kept;
use super::logins::Logins;
use super::pairing::{Paired, is_whole, pair};
use super::pairs::{Pair, plan_of};
use super::refusals::{down, of_store};
use super::task::Task;
use super::{RestoreRequest, at_rest, refusals};
use crate::backups::Damage;
use crate::engine::errors::{Error, PreflightError};
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::engine::startable::Startable;
use crate::events::Step;
use crate::findings::Finding;
use crate::manifest::StoreRecord;
use crate::names::StoreName;
use crate::ports::gateway::Verified;
use crate::ports::power::Intent;
use crate::stores::{Source, Staged, Store};
use crate::workload::State;

/// What a restore goes by.
pub(super) struct Examined<'a> {
    /// Every wanted store with its record.
    pub(super) pairs: Vec<Pair<'a>>,
    /// What is to be done with each.
    pub(super) tasks: Vec<Task<'a>>,
    /// The logins that clients hold for these stores, tried if the stores run.
    pub(super) logins: Logins<'a>,
}

/// Pairs every wanted store with its record, or says why the backup cannot be restored here.
pub(super) async fn examine<'a>(
    site: &Site,
    run: &Run,
    platform: &'a Platform,
    wanted: &RestoreRequest<'a>,
    unfinished: Option<&Intent>,
) -> Result<Examined<'a>, Error> {
    let RestoreRequest {
        manifest, selection, ..
    } = *wanted;
    let Paired {
        pairs,
        mut reasons,
        warnings,
    } = pair(selection, platform, manifest);
    for warning in warnings {
        run.report.warn(warning);
    }
    reasons.extend(unfinished.and_then(|intent| other_stores(platform, intent, &pairs)));
    let read = run.report.step(Step::Verify, read(site, run, wanted, &pairs));
    let Read { damage, objects } = read.await?;
    let damaged = |damage: &Damage| Finding::refuses(damage.to_string(), refusals::DAMAGED);
    reasons.extend(damage.iter().map(damaged));
    let plan = plan_of(platform, &pairs);
    let mut logins = Logins::of(&plan, &pairs);
    let source = |record: &StoreRecord| Source {
        record: record.clone(),
        artifacts: site.backups.artifacts(manifest.id, &run.report),
        objects: objects.get(&record.name).cloned().unwrap_or_default(),
        passwords: wanted.passwords,
        accepted: selection.accept.clone(),
    };
    let sound = reasons.is_empty();
    let looks = async {
        // A store that an earlier restore left stopped cannot be asked; it was, before that restore.
        let (tasks, mut reasons) = if unfinished.is_some() {
            (unasked(&pairs, source), Vec::new())
        } else {
            ask_stores(site, run, platform, &pairs, source).await
        };
        if unfinished.is_none() {
            reasons.extend(Kept::of(site, run, platform).await?.reasons(&pairs));
            let stop = at_rest::look(site, run, platform).await;
            reasons.extend(stop.unstartable);
            for (_, lost) in stop.lost {
                if wanted.no_way_back {
                    run.report.warn(lost);
                } else {
                    reasons.push(Finding::refuses(lost, "--discard-old restores all the same"));
                }
            }
            let around = site.machine.catalog.neighbours().await.unwrap_or_default();
            let Startable { hindered, .. } = site.startable(&plan, &around).await?;
            let hindered = hindered.into_iter().map(PreflightError::Unstartable);
            reasons.extend(hindered.map(|reason| Finding::from(&reason)));
            if sound && reasons.is_empty() {
                logins.try_before(&site.cx(run)).await;
            }
        }
        Ok::<_, Error>((tasks, reasons))
    };
    let (tasks, unfit) = run.report.step(Step::Preflight, looks).await?;
    for reason in unfit {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    run.check()?;
    if reasons.is_empty() {
        Ok(Examined { pairs, tasks, logins })
    } else {
        Err(Error::RestoreRefused(reasons))
    }
}

/// What was read of a backup.
struct Read {
    /// What is wrong with it.
    damage: Vec<Damage>,
    /// What stores have written by themselves, by the name of the store, as far as it is sound.
    objects: BTreeMap<StoreName, Vec<Verified>>,
}

/// Reads the artifacts that would be loaded. By hashes alone: nothing was journaled yet, so
/// no tool may be started that could outlive us.
async fn read(site: &Site, run: &Run, wanted: &RestoreRequest<'_>, pairs: &[Pair<'_>]) -> Result<Read, Error> {
    let manifest = wanted.whole;
    let mut damage = site.unnamed(run, manifest).await?;
    if !is_whole(wanted.selection, manifest) {
        // What was left out on purpose, or by a run that failed, is no damage to what is wanted.
        damage.retain(|damage| {
            pairs
                .iter()
                .any(|(store, _)| store.recognise(&damage.artifact).is_some())
        });
    }
    let mut objects = BTreeMap::new();
    for (_, record) in pairs {
        let (verified, damaged) = site.read_by_hashes(run, manifest.id, record).await?;
        objects.insert(record.name.clone(), verified);
        damage.extend(damaged);
    }
    Ok(Read { damage, objects })
}

/// Taking over half a restore must finish all of it: what it had begun to replace would stay half done.
fn other_stores(platform: &Platform, unfinished: &Intent, pairs: &[Pair<'_>]) -> Option<Finding> {
    let begun = unfinished.workloads.iter().filter(|entry| entry.worked_on);
    let begun: BTreeSet<&StoreName> = begun
        .filter_map(|entry| platform.stores.get(&entry.address))
        .map(|store| store.name())
        .collect();
    let wanted: BTreeSet<&StoreName> = pairs.iter().map(|(store, _)| store.name()).collect();
    let names: Vec<&str> = begun.iter().map(|name| name.as_str()).collect();
    (begun != wanted).then(|| {
        let what = format!("{} did not finish and was of other stores", unfinished.described());
        Finding::refuses(what, format!("restore just {} (--store)", names.join(", ")))
    })
}

fn unasked<'a>(pairs: &[Pair<'a>], source: impl Fn(&StoreRecord) -> Source) -> Vec<Task<'a>> {
    let tasks = pairs
        .iter()
        .map(|(store, record)| task(*store, record, store.unexamined(source(record))));
    tasks.collect()
}

/// What the stores are to do, and why some cannot.
async fn ask_stores<'a>(
    site: &Site,
    run: &Run,
    platform: &Platform,
    pairs: &[Pair<'a>],
    source: impl Fn(&StoreRecord) -> Source,
) -> (Vec<Task<'a>>, Vec<Finding>) {
    let cx = site.cx(run);
    let looks = join_all(pairs.iter().map(async |(store, record)| match platform.state(*store) {
        State::Running => {
            let examined = store.examine(&cx, source(record)).await;
            examined
                .map(|work| task(*store, record, work))
                .map_err(|error| of_store(store.name(), &error))
        }
        state => Err(vec![down(store.name(), state)]),
    }));
    let (mut tasks, mut reasons) = (Vec::new(), Vec::new());
    for look in looks.await {
        match look {
            Ok(task) => tasks.push(task),
            Err(unfit) => reasons.extend(unfit),
        }
    }
    (tasks, reasons)
}

fn task<'a>(store: &'a dyn Store, record: &'a StoreRecord, work: Box<dyn Staged>) -> Task<'a> {
    let record = Some(record);
    Task { store, work, record }
}
