//! The way back for stores that cannot hold old and new data side by side: before the first byte is replaced,
//! what they hold is copied into the repository, as a backup that counts as none. It is taken inside the
//! standstill, when nothing writes any more, and nothing is loaded before it is sealed.

use futures::future::join_all;

use super::change::Change;
use super::task::bring;
use crate::backups::{DeletedBy, Lease, ReadError};
use crate::engine::claim::PlatformLock;
use crate::engine::errors::{Error, PreflightError, Refusals, RunFailure};
use crate::engine::plan::Plan;
use crate::engine::platform::Platform;
use crate::engine::room::{self, Spooling};
use crate::engine::seal::make_count;
use crate::engine::site::{Refused, Run, Site};
use crate::engine::standstill::Standstill;
use crate::events::Step;
use crate::manifest::{FORMAT, Manifest, Mode, RunRecord, StoreRecord};
use crate::names::BackupId;
use crate::ports::power::Intent;
use crate::sink::Sink;
use crate::stores::{Cx, Footing, Store, WayBack, together};

/// Where a restore's copy stands: it follows from its claim, so that whoever takes the restore over finds it.
pub(super) fn id_of(intent: &Intent) -> BackupId {
    BackupId::at(intent.since)
}

/// Whether a store's old data is had back from a copy.
pub(super) fn is_copied(store: &dyn Store) -> bool {
    matches!(store.way_back(), WayBack::Copy(_))
}

/// Looks before the stop whether the copy can be made, and takes the repository for it.
pub(super) async fn prepare(
    site: &Site,
    run: &Run,
    intent: &Intent,
    stores: &[&dyn Store],
) -> Result<Option<Lease>, Refused> {
    if stores.is_empty() {
        return Ok(None);
    }
    // What an earlier attempt has stopped cannot be asked; it was, before that.
    if intent.run == *run.report.run() {
        must_fit(site, run, stores).await?.tell(run);
    }
    site.open_for_copies(run, intent).await.map(Some)
}

/// Whether the stores can be copied, and what they spool for it. Writes nothing.
pub(super) async fn must_fit(site: &Site, run: &Run, stores: &[&dyn Store]) -> Result<Spooling, Error> {
    let cx = site.cx(run);
    let looks = join_all(stores.iter().map(|store| store.preflight(&cx))).await;
    run.check()?;
    let (mut able, mut refusals) = (Vec::new(), Vec::new());
    for (store, look) in stores.iter().zip(looks) {
        match look {
            Ok(look) => able.push((store.name(), look)),
            Err(error) => refusals.push(PreflightError::Store(error)),
        }
    }
    if let Some(refusals) = Refusals::of(refusals) {
        return Err(refusals.into());
    }
    let spooling = room::spooling(site, able.iter().map(|(store, look)| (*store, look))).await?;
    if !stores.is_empty() {
        room::must_suffice(site, run, None, able.iter().map(|(_, look)| look.bytes).sum()).await?;
    }
    Ok(spooling)
}

/// The copy that a restore which did not finish has sealed, or else the newest one there is.
pub(super) async fn find(
    site: &Site,
    platform: &Platform,
    unfinished: Option<&Intent>,
) -> Result<Option<Manifest>, Error> {
    if !platform.stores.values().any(|store| is_copied(&**store)) {
        return Ok(None);
    }
    match unfinished.filter(|intent| intent.job.declaration().copies_first) {
        Some(intent) => sealed(site, id_of(intent)).await,
        None => Ok(all(site, platform).await?.pop()),
    }
}

/// Every copy of the platform, oldest first.
pub(super) async fn all(site: &Site, platform: &Platform) -> Result<Vec<Manifest>, Error> {
    if !platform.stores.values().any(|store| is_copied(&**store)) {
        return Ok(Vec::new());
    }
    let copies = site.backups.safety_copies(&platform.name).await;
    copies.map_err(|cause| site.repository_failed(cause))
}

pub(super) async fn sealed(site: &Site, id: BackupId) -> Result<Option<Manifest>, Error> {
    match site.backups.manifest(id).await {
        Ok(manifest) if manifest.safety_of.is_some() => Ok(Some(manifest)),
        Ok(_) | Err(ReadError::Unknown(_) | ReadError::Incomplete(..)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Notes what becomes of copies, and in whose repository they lie: a restore of another platform's backup has left them
/// in that one's.
pub(super) async fn intend(
    site: &Site,
    held: &PlatformLock,
    run: &Run,
    plan: &Plan,
    backup: BackupId,
    has_copies: bool,
) -> Result<Intent, Error> {
    let mut intent = site.intent(held, run, plan, backup);
    if has_copies {
        let owner = site.backups.owner().await;
        let owner = owner.map_err(|cause| site.repository_failed(cause))?;
        intent.guest_of = owner.filter(|owner| *owner != intent.platform);
    }
    site.machine.journal.plan(&intent).await?;
    Ok(intent)
}

/// Copies what the stores hold. Not to be called where an earlier attempt has sealed one: by now the stores may
/// hold half of the new data.
pub(super) async fn copy(
    change: &Change<'_>,
    lease: &Lease,
    cx: &Cx,
    standstill: &Standstill,
    stores: &[&dyn Store],
    of: BackupId,
) -> Result<(), RunFailure> {
    let id = id_of(change.intent);
    let copied = async {
        if change.is_taken_over() {
            clear(change, id).await?;
        }
        for store in stores {
            bring(*store, cx, standstill, Footing::Running).await?;
        }
        let sink = begin(change, id).await?;
        let (mut records, failure) = together(cx, stores.len(), stores, |store, cx| drain(*store, cx, &sink)).await;
        let listed = sink.list_objects(&mut records).await;
        let unlisted = listed.err().map(|cause| RunFailure::Repository {
            place: change.site.backups.place(),
            cause,
        });
        match failure.or(unlisted) {
            None => make_count(change.site, lease, &manifest(change, id, of, records)).await,
            Some(failure) => Err(failure),
        }
    };
    let copied = change.run.report.step(Step::Copy, copied).await;
    if copied.is_err() {
        remove(change, id).await;
    }
    copied
}

/// What a guest has left of a copy that it did not seal: the owner of the repository never removes what is another's.
pub(super) async fn left_with_host(site: &Site, intent: &Intent) -> Option<BackupId> {
    let copy = intent.guest_of.as_ref().map(|_| id_of(intent))?;
    let copies_first = intent.job.declaration().copies_first;
    let is_left = matches!(site.backups.complete(copy).await, Err(ReadError::Incomplete(..)));
    (copies_first && is_left).then_some(copy)
}

/// Removes what an attempt that died has left of a copy that it did not seal.
async fn clear(change: &Change<'_>, id: BackupId) -> Result<(), RunFailure> {
    let site = change.site;
    let cleared = match site.backups.complete(id).await {
        Err(ReadError::Incomplete(..)) => site.backups.remove(id, &order(site, change.run, change.intent)).await,
        Err(ReadError::Repository(cause)) => Err(cause),
        _ => Ok(()),
    };
    cleared.map_err(|cause| RunFailure::Repository {
        place: site.backups.place(),
        cause,
    })
}

async fn begin(change: &Change<'_>, id: BackupId) -> Result<Sink, RunFailure> {
    let (site, run) = (change.site, change.run);
    let first = RunRecord {
        format: FORMAT,
        platform: change.intent.platform.clone(),
        run: run.report.run().clone(),
        host: site.machine.host.clone(),
        process: site.machine.process,
        began: run.began,
    };
    let begun = site.backups.begin(id, &first, &run.report).await;
    begun.map_err(|cause| RunFailure::Repository {
        place: site.backups.place(),
        cause,
    })
}

async fn drain(store: &dyn Store, cx: Cx, sink: &Sink) -> Result<StoreRecord, RunFailure> {
    let failed = |cause| RunFailure::of(store.name(), cause);
    let mut pinned = store.pin(&cx, sink).await.map_err(failed)?;
    let drained = pinned.drain(&cx, sink).await;
    pinned.release().await;
    drained.map(|drained| drained.record(store, None, None)).map_err(failed)
}

fn manifest(change: &Change<'_>, id: BackupId, of: BackupId, stores: Vec<StoreRecord>) -> Manifest {
    let (site, run) = (change.site, change.run);
    Manifest {
        format: FORMAT,
        stillpoint: site.machine.version.clone(),
        id,
        platform: change.intent.platform.clone(),
        run: run.report.run().clone(),
        mode: Mode::Hold,
        began: run.began,
        sealed: site.machine.clock.now(),
        standstill: None,
        workloads: change.plan.records(),
        stores,
        adopted: false,
        safety_of: Some(of),
        failure: None,
    }
}

/// Removes one that did not come about. What is left of it is no backup, and goes with the next prune.
async fn remove(change: &Change<'_>, id: BackupId) {
    let order = order(change.site, change.run, change.intent);
    if let Err(error) = change.site.backups.remove(id, &order).await {
        let said = format!("what there is of the safety copy {id} could not be removed: {error}");
        change.run.report.warn(said);
    }
}

/// Deletes copies; returns whether nothing is left of having done so.
pub(super) async fn remove_all(site: &Site, run: &Run, intent: &Intent, copies: &[BackupId]) -> Result<bool, Error> {
    if copies.is_empty() {
        return Ok(true);
    }
    let entered = site.open_for_copies(run, intent).await;
    let lease = entered.map_err(|refused| refused.error)?;
    let removed = async {
        for id in copies {
            lease.renew().await.map_err(|cause| site.lease_failed(cause))?;
            let removed = site.backups.remove(*id, &order(site, run, intent)).await;
            removed.map_err(|cause| site.repository_failed(cause))?;
        }
        Ok(())
    };
    let removed: Result<(), Error> = removed.await;
    let nothing_left = site.end_lease(run, &lease).await;
    removed.map(|()| nothing_left)
}

/// Why a copy is deleted.
fn order(site: &Site, run: &Run, intent: &Intent) -> DeletedBy {
    DeletedBy {
        platform: intent.platform.clone(),
        run: run.report.run().clone(),
        at: site.machine.clock.now(),
        reason: "a safety copy that is not needed any more".to_owned(),
    }
}
