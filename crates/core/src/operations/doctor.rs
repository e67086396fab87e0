//! Use case: gather what a doctor goes by. Changes nothing but for what it tries the repository with, and takes that away again;
//! what a death leaves of it is small, counts as nothing, and goes with the next retention.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{join, join_all};

use crate::backups::{Canary, LeaseError, When};
use crate::doctor::{Known, PlatformFacts, RepositoryFacts, SiteFacts};
use crate::engine::backup::preflight;
use crate::engine::errors::{Error, PreflightError};
use crate::engine::plan::Plan;
use crate::engine::platform::Platform;
use crate::engine::restore::refusals;
use crate::engine::site::{Run, Site};
use crate::events::{Event, EventKind, Listener, Reporter};
use crate::findings::Finding;
use crate::logins::Passwords;
use crate::manifest::{Manifest, StoreRecord};
use crate::names::{Project, WorkloadId};
use crate::ports::RepositoryError;
use crate::retention::CLOCK_TOLERANCE;
use crate::stores::{Source, Store, StoreError};
use crate::workload::State;

use super::list::list;

/// Of a host's own names.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Asks engine, stores and repository. That something cannot be asked is a fact like any other; a run that is cancelled is none.
pub(super) async fn examine(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<SiteFacts, Error> {
    let mut unseen = Vec::new();
    let engine = run.unless_cancelled(site.machine.catalog.engine()).await?;
    let found = match &engine {
        Ok(_) => Some(run.unless_cancelled(site.platform(wanted)).await?),
        Err(_) => None,
    };
    let name = found.as_ref().and_then(|found| Some(found.as_ref().ok()?.name.clone()));
    let mut repository = run
        .unless_cancelled(look_at_repository(site, run, name.as_ref()))
        .await?;
    let mut sees_host = false;
    let platform = match found {
        Some(Ok(platform)) => {
            sees_host = sees_host_of(site, &platform).await;
            let newest = repository.backups.as_ref().and_then(Known::newest);
            let looked = look_at_platform(site, run, &platform, newest, &mut unseen);
            let looked = run.unless_cancelled(looked).await?;
            if let Ok(facts) = &looked {
                repository.served_here = served_here(site, facts);
            }
            Some(looked.map_err(|error| finding(&error)))
        }
        Some(Err(error)) => Some(Err(finding(&error))),
        None => None,
    };
    run.check()?;
    Ok(SiteFacts {
        now: site.machine.clock.now(),
        engine: engine.map_err(|error| finding(&error.into())),
        platform,
        repository,
        sees_host,
        unseen,
    })
}

async fn sees_host_of(site: &Site, platform: &Platform) -> bool {
    let Some(one) = platform.workloads.first() else {
        return false;
    };
    let none_missing = site.machine.catalog.missing(&one.id, &[]).await;
    none_missing.is_ok_and(|seen| seen.is_some())
}

fn finding(error: &Error) -> Finding {
    Finding::refuses(error.to_string(), error.class().hint)
}

async fn look_at_platform(
    site: &Site,
    run: &Run,
    platform: &Platform,
    newest: Option<&Manifest>,
    unseen: &mut Vec<String>,
) -> Result<PlatformFacts, Error> {
    let mut plan = Plan::of_backup(platform, site.standstill.mode);
    let missing = site.missing(&platform.name, &platform.workloads).await?;
    if let Some(newest) = newest {
        plan.measure_as(&newest.workloads);
    }
    let around = site.machine.catalog.neighbours().await?;
    plan.note_neighbours(&around);
    let look = preflight::look(site, run, platform, &plan, &around).await?;
    if look.unseen {
        unseen.push("whether the host's files and folders that containers use are still there".to_owned());
    }
    let left = site.left_behind(&platform.name).await;
    let at_work = match site.machine.power.claimed(&platform.name).await? {
        Some(intent) if left.is_none() => Some(format!("{} (run {})", intent.described(), intent.run)),
        _ => None,
    };
    if let Some(at_work) = &at_work {
        unseen.push(format!("what is down now: {at_work} is at work"));
    }
    let ids: Vec<WorkloadId> = platform.workloads.iter().map(|workload| workload.id.clone()).collect();
    let lost = site.machine.catalog.lost(&ids).await?;
    let (unrestorable, altered) = match newest {
        Some(newest) if at_work.is_none() && left.is_none() => would_restore(site, run, platform, newest).await,
        _ => (Vec::new(), Vec::new()),
    };
    Ok(PlatformFacts {
        refusals: look.refusals,
        told: look.told,
        versions: look.versions,
        live: look.live,
        plan,
        missing,
        at_work,
        left,
        lost,
        around,
        unrestorable,
        altered,
    })
}

/// Has each store look whether its share of the newest backup could be loaded into it, without reading the backup: extensions
/// and libraries that its server no longer has are found out here. What a store writes by itself is not looked at: that has
/// to be read first.
async fn would_restore(site: &Site, run: &Run, platform: &Platform, newest: &Manifest) -> (Vec<Finding>, Vec<String>) {
    let ear = Arc::new(Ear::default());
    let apart = Run {
        report: Reporter::new(run.report.run().clone(), site.machine.clock.clone(), ear.clone()),
        ..run.clone()
    };
    let asked = platform.stores.values().filter_map(|store| {
        let record = newest.stores.iter().find(|record| record.name == *store.name())?;
        let is_plain = record.artifacts.iter().all(|artifact| artifact.lists.is_none());
        let runs = platform.state(&**store) == State::Running;
        (is_plain && runs && record.kind == store.kind()).then_some((store, record))
    });
    let looks = asked.map(async |(store, record)| {
        let source = source(site, &apart, newest, record);
        match site.ask(&apart, &**store, source).await {
            Err(error) => refusals::of_store(store.name(), &error),
            Ok(()) => Vec::new(),
        }
    });
    let refused = join_all(looks).await.into_iter().flatten();
    let refused = refused.map(|refusal| Finding {
        what: format!("{} could not be restored here now: {}", newest.id, refusal.what),
        ..refusal
    });
    (refused.collect(), ear.heard())
}

fn source(site: &Site, run: &Run, newest: &Manifest, record: &StoreRecord) -> Source {
    Source {
        record: record.clone(),
        artifacts: site.backups.artifacts(newest.id, &run.report),
        objects: Vec::new(),
        passwords: Passwords::default(),
        accepted: Vec::new(),
    }
}

async fn look_at_repository(site: &Site, run: &Run, platform: Option<&Project>) -> RepositoryFacts {
    let place = site.backups.place();
    let mut facts = RepositoryFacts {
        place,
        refusals: Vec::new(),
        careless: None,
        room: None,
        keeps: None,
        backups: None,
        served_here: None,
    };
    // Whatever is asked next of what does not answer says the same again.
    if let Err(cause) = try_repository(site, run, platform, &mut facts).await {
        let place = facts.place.clone();
        facts.refusals.push(PreflightError::Repository { place, cause });
    }
    facts
}

async fn try_repository(
    site: &Site,
    run: &Run,
    platform: Option<&Project>,
    facts: &mut RepositoryFacts,
) -> Result<(), RepositoryError> {
    let backups = &site.backups;
    let owner = backups.owner().await?;
    let place = || site.backups.place();
    if let (Some(owner), Some(platform)) = (owner, platform)
        && owner != *platform
    {
        let reason = PreflightError::ForeignRepository { place: place(), owner };
        facts.refusals.push(reason);
        return Ok(());
    }
    let (theirs, ours) = (backups.clock().await?, site.machine.clock.now());
    if ours.duration_since(theirs).abs() > CLOCK_TOLERANCE {
        let reason = PreflightError::Clocks {
            place: place(),
            ours,
            theirs,
        };
        facts.refusals.push(reason);
    }
    let (known, room) = join(known(site), backups.room()).await;
    facts.backups = Some(known?);
    facts.room = room?;
    let id = run.report.run();
    let deletes = match backups.probe(id).await {
        Ok(cannot_delete) => cannot_delete.is_none(),
        Err(LeaseError::Repository(error)) => return Err(error),
        Err(careless) => {
            facts.careless = Some(site.lease_failed(careless));
            true
        }
    };
    facts.keeps = backups.keeps().await;
    // What may not be deleted would stay for ever, once for each look.
    if deletes && facts.keeps.is_none() {
        let has_none = facts.backups.as_ref().is_none_or(|known| known.complete.is_empty());
        // What the newest backup has proven is not proven again.
        let tried = if has_none { Canary::Large } else { Canary::Small };
        backups.canary(id, When::Before, tried).await?;
    }
    Ok(())
}

async fn known(site: &Site) -> Result<Known, RepositoryError> {
    let listed = match list(site).await {
        Ok(listed) => listed,
        Err(Error::Repository { cause, .. }) => return Err(cause),
        // Listing fails by nothing else.
        Err(error) => {
            let (key, cause) = ("its backups".to_owned(), error.to_string());
            return Err(RepositoryError::Failed { key, cause });
        }
    };
    let mut complete: Vec<_> = listed
        .backups
        .into_iter()
        .map(|one| (one.manifest, one.verified))
        .collect();
    complete.retain(|(manifest, _)| manifest.safety_of.is_none());
    Ok(Known {
        complete,
        unreadable: listed.unreadable,
    })
}

/// The container of this engine that serves the repository, or this host itself.
fn served_here(site: &Site, facts: &PlatformFacts) -> Option<String> {
    let server = site.keep.server.as_ref()?;
    let mut inside = facts.plan.entries.iter();
    let inside = inside.find(|entry| entry.workload.is_called(server));
    let outside = || facts.around.iter().find(|one| one.container == *server);
    match (inside, outside()) {
        (Some(entry), _) => Some(format!("container {}", entry.workload.container)),
        (None, Some(one)) => Some(format!("container {}", one.container)),
        (None, None) => LOOPBACK.contains(&server.as_str()).then(|| server.clone()),
    }
}

impl Site {
    /// Asks a store whether it could take this, within the limit of such calls.
    async fn ask(&self, run: &Run, store: &dyn Store, source: Source) -> Result<(), StoreError> {
        let what = format!("looking whether {} can be restored", store.name());
        let cx = self.cx(run);
        crate::engine::asked(&cx, what, move |cx| async move {
            store.examine(&cx, source).await.map(drop)
        })
        .await
    }
}

/// Hears what stores tell.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Ear {
    fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Listener for Ear {
    fn hear(&self, event: &Event) {
        if let EventKind::Warning { message } = &event.kind {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(message.clone());
        }
    }
}
