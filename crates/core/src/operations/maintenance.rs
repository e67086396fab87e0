//! Use cases around Dagster's databases: delete what is old, give the room back, say how they stand. No other run is at work
//! on the platform meanwhile; clients go on as they do.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::claim::PlatformLock;
use crate::engine::errors::Error;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::events::Step;
use crate::maintenance::{Cleaned, CleanupWish, Repacked, Status};
use crate::names::Project;
use crate::stores::{Cx, Store, StoreError, Upkeep};
use crate::workload::State;

pub(super) async fn cleanup(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    wish: CleanupWish,
) -> Result<Cleaned, Error> {
    let mut cleaned = Cleaned::default();
    if site.maintenance.disabled {
        cleaned.disabled = true;
        return Ok(cleaned);
    }
    let (platform, _held) = hold(site, run, wanted).await?;
    let cx = site.cx(run);
    let dagster = look(&cx, &platform).await?;
    for Database { store, name } in &dagster.databases {
        let Some(upkeep) = store.upkeep() else { continue };
        match done(store, name, upkeep.clean(&cx, name, &site.maintenance, wish).await)? {
            Ok(one) => cleaned.databases.push(one),
            Err(failed) => cleaned.failed.push(failed),
        }
    }
    cleaned.notes = dagster.notes;
    cleaned.failed.extend(dagster.failed);
    Ok(cleaned)
}

pub(super) async fn count(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<Cleaned, Error> {
    let platform = run.unless_cancelled(site.platform(wanted)).await??;
    let cx = site.cx(run);
    let dagster = look(&cx, &platform).await?;
    let mut cleaned = Cleaned {
        dry_run: true,
        ..Cleaned::default()
    };
    for Database { store, name } in &dagster.databases {
        let Some(upkeep) = store.upkeep() else { continue };
        match done(store, name, upkeep.count(&cx, name, &site.maintenance).await)? {
            Ok(one) => cleaned.databases.push(one),
            Err(failed) => cleaned.failed.push(failed),
        }
    }
    cleaned.notes = dagster.notes;
    cleaned.failed.extend(dagster.failed);
    Ok(cleaned)
}

pub(super) async fn repack(site: &Site, run: &Run, wanted: Option<&Project>, dry_run: bool) -> Result<Repacked, Error> {
    let mut repacked = Repacked {
        dry_run,
        ..Repacked::default()
    };
    if site.maintenance.disabled && !dry_run {
        repacked.disabled = true;
        return Ok(repacked);
    }
    let (platform, _held) = if dry_run {
        (run.unless_cancelled(site.platform(wanted)).await??, None)
    } else {
        let (platform, held) = hold(site, run, wanted).await?;
        (platform, Some(held))
    };
    let cx = site.cx(run);
    let dagster = look(&cx, &platform).await?;
    for Database { store, name } in &dagster.databases {
        let Some(upkeep) = store.upkeep() else { continue };
        let work = run.report.step(Step::Repack, upkeep.repack(&cx, name, dry_run));
        match done(store, name, work.await)? {
            Ok(one) => repacked.databases.push(one),
            Err(failed) => repacked.failed.push(failed),
        }
    }
    repacked.notes = dagster.notes;
    repacked.failed.extend(dagster.failed);
    Ok(repacked)
}

pub(super) async fn status(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<Status, Error> {
    let platform = run.unless_cancelled(site.platform(wanted)).await??;
    let cx = site.cx(run);
    let dagster = look(&cx, &platform).await?;
    let mut status = Status {
        disabled: site.maintenance.disabled,
        ..Status::default()
    };
    for Database { store, name } in &dagster.databases {
        let Some(upkeep) = store.upkeep() else { continue };
        match done(store, name, upkeep.status(&cx, name, &site.maintenance).await)? {
            Ok(one) => status.databases.push(one),
            Err(failed) => status.failed.push(failed),
        }
    }
    status.notes = dagster.notes;
    status.failed.extend(dagster.failed);
    Ok(status)
}

/// Shuts out other runs and brings back what a dead one has left: a platform that is down on purpose is not worked on.
async fn hold(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<(Platform, PlatformLock), Error> {
    let found = run.unless_cancelled(site.platform(wanted)).await??;
    let held = site.lock(&found.name).await?;
    if let Some(unfinished) = site.heal(&held, run).await? {
        return Err(Error::RestoreUnfinished(Box::new(unfinished)));
    }
    // Listed again: healing may have started what was down.
    Ok((site.platform(Some(&found.name)).await?, held))
}

/// What there is to do.
struct Dagster {
    databases: Vec<Database>,
    notes: Vec<String>,
    failed: Vec<String>,
}

struct Database {
    store: Arc<dyn Store>,
    name: String,
}

/// A name that is looked for.
#[derive(Default)]
struct Wanted {
    is_there: bool,
    /// Their operator has said it.
    are_named: bool,
    /// The servers that do not have it.
    not_on: Vec<String>,
}

/// Looks for Dagster's databases on every server that runs.
async fn look(cx: &Cx, platform: &Platform) -> Result<Dagster, Error> {
    let mut dagster = Dagster {
        databases: Vec::new(),
        notes: Vec::new(),
        failed: Vec::new(),
    };
    let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
    let mut absent = Vec::new();
    for store in platform.stores.values() {
        let Some(upkeep) = store.upkeep() else { continue };
        if platform.state(&**store) != State::Running {
            let why = "it does not run, so nobody can look whether Dagster's database is there";
            dagster.notes.push(format!("{}: {why}", store.name()));
            continue;
        }
        match looked_at(cx, upkeep).await {
            Ok(found) if found.is_standby => dagster.notes.push(format!(
                "{}: it is a standby, which takes no writes: its databases are kept lean by the server that it follows",
                store.name()
            )),
            Ok(found) => {
                let of = store.name();
                for name in found.missing {
                    let one = wanted.entry(name).or_default();
                    one.are_named |= found.are_named;
                    one.not_on.push(of.to_string());
                }
                for name in found.there {
                    wanted.entry(name.clone()).or_default().is_there = true;
                    dagster.databases.push(Database {
                        store: store.clone(),
                        name,
                    });
                }
            }
            Err(StoreError::Cancelled) => return Err(Error::Interrupted),
            Err(error) => dagster.failed.push(told(store, &error)),
        }
    }
    for (name, one) in wanted.into_iter().filter(|(_, one)| !one.is_there) {
        let missing = one
            .not_on
            .into_iter()
            .map(|store| format!("{store}: there is no database `{name}`"));
        // A name that was mistyped must not look as if all were well; of a server that did not answer nobody knows.
        if one.are_named && dagster.failed.is_empty() {
            let mend = "DAGSTER_DB names it: name the one that Dagster uses, or set MAINTENANCE_DISABLED=true";
            absent.extend(missing.map(|text| format!("{text} ({mend})")));
        } else if dagster.databases.is_empty() {
            dagster.notes.extend(missing);
        }
    }
    dagster.failed.extend(absent);
    if dagster.databases.is_empty() && dagster.notes.is_empty() && dagster.failed.is_empty() {
        dagster.notes.push("there is no PostgreSQL in this platform".to_owned());
    }
    Ok(dagster)
}

async fn looked_at(cx: &Cx, upkeep: &dyn Upkeep) -> Result<crate::maintenance::Found, StoreError> {
    let looked = cx.cancel.run_until_cancelled(upkeep.databases(cx)).await;
    looked.unwrap_or(Err(StoreError::Cancelled))
}

/// What one database's failure is for the run: the others have their turn all the same.
fn done<T>(store: &Arc<dyn Store>, database: &str, outcome: Result<T, StoreError>) -> Result<Result<T, String>, Error> {
    match outcome {
        Ok(one) => Ok(Ok(one)),
        Err(StoreError::Cancelled) => Err(Error::Interrupted),
        Err(error) => Ok(Err(format!("{}, database `{database}`: {error}", store.name()))),
    }
}

/// With what helps against it, where the error knows it.
fn told(store: &Arc<dyn Store>, error: &StoreError) -> String {
    match error {
        StoreError::Credential { remedy, .. } => format!("{error}; {remedy}"),
        StoreError::Silent { .. } => error.to_string(),
        _ => format!("{}: {error}", store.name()),
    }
}
