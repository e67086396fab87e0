//! Use cases: bring a backup's data back, look whether that could succeed, and what becomes of the data that was
//! replaced.

use serde::{Deserialize, Serialize};

use crate::backups::ReadError;
use crate::engine::claim::PlatformLock;
use crate::engine::errors::Error;
use crate::engine::platform::Platform;
use crate::engine::restore::discard::{self, Discarded};
use crate::engine::restore::undo::{self, Undone};
use crate::engine::restore::{self, Chosen, Rehearsed, RestoreRequest, Restored};
use crate::engine::site::{Run, Site};
use crate::findings::Finding;
use crate::logins::Passwords;
use crate::manifest::Manifest;
use crate::names::{BackupId, Project, StoreName};
use crate::ports::journal::Loaded;
use crate::ports::power::Intent;
use crate::selection::Selection;

/// What is to be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The backup.
    pub backup: BackupId,
    /// What of it.
    pub selection: Selection,
    /// How.
    pub terms: Terms,
}

/// How a restore is begun or gone on with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// What is replaced is not kept: it is freed once everything runs again, and nothing is copied before.
    pub discard_old: bool,
    /// What becomes of passwords; none: what the restore that is gone on with was begun with, else the default.
    pub passwords: Option<Passwords>,
    /// Databases that may be missing afterwards, beside those of which that was said before.
    pub accept: Vec<String>,
}

impl Terms {
    /// What becomes of passwords. Those who have a password already may have another since the restore that is
    /// gone on with was begun: it cannot change its mind.
    fn passwords(&self, unfinished: Option<&Intent>) -> Result<Passwords, Error> {
        match (self.passwords, unfinished) {
            (asked, None) => Ok(asked.unwrap_or_default()),
            (Some(asked), Some(intent)) if asked != intent.passwords => Err(refuses(
                format!(
                    "{} did not finish, and goes on with --passwords={} alone",
                    intent.described(),
                    intent.passwords
                ),
                "for another choice undo it first (`stillpoint restore undo`)",
            )),
            (_, Some(intent)) => Ok(intent.passwords),
        }
    }
}

impl From<BackupId> for Restore {
    fn from(backup: BackupId) -> Self {
        Self {
            backup,
            selection: Selection::default(),
            terms: Terms::default(),
        }
    }
}

/// A platform that is ours, with what an earlier run left stopped on purpose.
struct Taken {
    held: PlatformLock,
    platform: Platform,
    unfinished: Option<Intent>,
}

/// Listed again after the lock: healing may have started what was down.
async fn take(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<Taken, Error> {
    let found = site.platform(wanted).await?;
    let held = site.lock(&found.name).await?;
    let unfinished = site.heal(&held, run).await?;
    let platform = site.platform(Some(&found.name)).await?;
    Ok(Taken {
        held,
        platform,
        unfinished,
    })
}

pub(super) async fn restore(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    what: &Restore,
) -> Result<Restored, Error> {
    let whole = read(site, run, what).await?;
    let taken = take(site, run, wanted).await?;
    if let Some(intent) = &taken.unfinished {
        must_cover(&what.selection, &loaded(site, run, intent).await.selection, intent)?;
    }
    let chosen = choose(&taken.platform, &whole, what)?;
    let wanted = RestoreRequest {
        whole: &whole,
        manifest: &chosen.manifest,
        selection: &chosen.selection,
        loaded: Vec::new(),
        no_way_back: what.terms.discard_old,
        passwords: what.terms.passwords(taken.unfinished.as_ref())?,
    };
    carry_out(site, run, taken, wanted).await
}

/// Goes on with the restore that stands unfinished: what it has loaded stays.
pub(super) async fn resume(site: &Site, run: &Run, wanted: Option<&Project>, terms: Terms) -> Result<Restored, Error> {
    let taken = take(site, run, wanted).await?;
    let intent = match &taken.unfinished {
        Some(intent) if intent.job.is_resumable() => intent,
        Some(intent) => return Err(Error::RestoreUnfinished(Box::new(intent.clone()))),
        None => return Err(Error::NothingUnfinished(taken.platform.name)),
    };
    let passwords = terms.passwords(Some(intent))?;
    let Loaded {
        backup,
        stores,
        selection,
    } = loaded(site, run, intent).await;
    let begun = intent.workloads.iter().filter(|entry| entry.worked_on);
    let begun: Vec<StoreName> = begun
        .filter_map(|entry| taken.platform.stores.get(&entry.address))
        .map(|store| store.name().clone())
        .collect();
    let what = Restore {
        backup,
        selection: Selection {
            stores: begun,
            // It was accepted when it was begun.
            accept_partial: true,
            ..selection
        },
        terms,
    };
    let whole = read(site, run, &what).await?;
    let chosen = choose(&taken.platform, &whole, &what)?;
    let wanted = RestoreRequest {
        whole: &whole,
        manifest: &chosen.manifest,
        selection: &chosen.selection,
        loaded: stores,
        no_way_back: what.terms.discard_old,
        passwords,
    };
    carry_out(site, run, taken, wanted).await
}

/// What the journal says that was loaded; without it, all of the claim's backup is loaded again.
async fn loaded(site: &Site, run: &Run, intent: &Intent) -> Loaded {
    let nothing = Loaded {
        backup: intent.backup,
        stores: Vec::new(),
        selection: intent.selection.clone(),
    };
    match site.machine.journal.open_runs(&intent.platform).await {
        Ok(open) => {
            let ours = open.into_iter().find(|open| open.intent.run == intent.run);
            ours.and_then(|open| open.loaded).unwrap_or(nothing)
        }
        Err(error) => {
            run.report.warn(format!("{error}; everything is loaded again"));
            nothing
        }
    }
}

async fn carry_out(site: &Site, run: &Run, taken: Taken, mut wanted: RestoreRequest<'_>) -> Result<Restored, Error> {
    let Taken {
        held,
        platform,
        unfinished,
    } = taken;
    let name = platform.name.clone();
    let discards = wanted.no_way_back || unfinished.as_ref().is_some_and(|intent| intent.no_way_back);
    wanted.no_way_back = discards;
    let restored = restore::restore(site, run, &held, platform, &wanted, unfinished.as_ref()).await;
    let restored = site.with_missing(run, &name, restored, |restored| &mut restored.degraded);
    let mut restored = restored.await?;
    if discards && !restored.gaps.is_empty() {
        let kept = "what the restore replaced is not freed, for something is missing: `stillpoint restore discard-old` does it";
        run.report.warn(kept);
    } else if discards {
        discard_after(site, run, &held, &name, &mut restored).await;
    }
    Ok(restored)
}

/// The restore is complete, whatever becomes of this: what fails is told.
async fn discard_after(site: &Site, run: &Run, held: &PlatformLock, name: &Project, restored: &mut Restored) {
    let discarded = async {
        let platform = site.platform(Some(name)).await?;
        discard::discard(site, run, held, &platform).await
    };
    match discarded.await {
        // A platform whose stores keep nothing.
        Ok(_) | Err(Error::NothingKept(_)) => restored.old_data_kept = false,
        Err(error) => {
            restored.old_data_kept = true;
            run.report.warn(error.to_string());
        }
    }
}

/// Brings back what a restore has replaced.
pub(super) async fn undo(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<Undone, Error> {
    let Taken {
        held,
        platform,
        unfinished,
    } = take(site, run, wanted).await?;
    let name = platform.name.clone();
    let undone = undo::undo(site, run, &held, platform, unfinished.as_ref()).await;
    site.with_missing(run, &name, undone, |undone| &mut undone.degraded)
        .await
}

/// What an undoing would lose. Nothing that a dead run left is brought back for a look.
pub(super) async fn undo_would_lose(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<Vec<String>, Error> {
    let platform = site.platform(wanted).await?;
    let unfinished = site.machine.power.claimed(&platform.name).await?;
    let unfinished = unfinished.filter(|intent| intent.job.replaces_data());
    undo::would_lose(site, run, platform, unfinished.as_ref()).await
}

/// Frees what a restore has replaced.
pub(super) async fn discard_old(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<Discarded, Error> {
    let taken = take(site, run, wanted).await?;
    match taken.unfinished {
        Some(intent) => Err(Error::RestoreUnfinished(Box::new(intent))),
        None => discard::discard(site, run, &taken.held, &taken.platform).await,
    }
}

/// Nothing that a dead run left is brought back for a look; a restore would do that first.
pub(super) async fn rehearse(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    what: &Restore,
) -> Result<Rehearsed, Error> {
    let whole = read(site, run, what).await?;
    let platform = site.platform(wanted).await?;
    let claimed = site.machine.power.claimed(&platform.name).await?;
    let unfinished = match claimed {
        Some(intent) if intent.job.replaces_data() => Some(intent),
        Some(intent) => {
            return Err(Error::Held {
                platform: platform.name,
                by: Some(Box::new(intent)),
            });
        }
        None => None,
    };
    let chosen = choose(&platform, &whole, what)?;
    let wanted = RestoreRequest {
        whole: &whole,
        manifest: &chosen.manifest,
        selection: &chosen.selection,
        loaded: Vec::new(),
        no_way_back: what.terms.discard_old,
        passwords: what.terms.passwords(unfinished.as_ref())?,
    };
    restore::rehearse(site, run, platform, &wanted, unfinished.as_ref()).await
}

/// What of the backup is restored into this platform, and what of that may be missing.
fn choose(platform: &Platform, whole: &Manifest, what: &Restore) -> Result<Chosen, Error> {
    let mut selection = what.selection.clone();
    for part in &what.terms.accept {
        if !selection.accept.contains(part) {
            selection.accept.push(part.clone());
        }
    }
    restore::choose(platform, whole, &selection).map_err(Error::RestoreRefused)
}

/// Taking over half a restore must finish all of it.
fn must_cover(wanted: &Selection, before: &Selection, unfinished: &Intent) -> Result<(), Error> {
    match wanted.leaves_out(before) {
        None => Ok(()),
        Some((of, remedy)) => {
            let what = format!("{} did not finish and was {of}", unfinished.described());
            Err(refuses(what, &remedy))
        }
    }
}

/// The manifest of a complete backup, or, where that is accepted, what a failed run said it had left. Its stores are
/// called as they are here.
async fn read(site: &Site, run: &Run, what: &Restore) -> Result<Manifest, Error> {
    let manifest = read_as_written(site, run, what).await?;
    restore::renamed(manifest, &what.selection.map).map_err(Error::RestoreRefused)
}

async fn read_as_written(site: &Site, run: &Run, what: &Restore) -> Result<Manifest, Error> {
    match site.backups.complete(what.backup).await {
        Err(ReadError::Incomplete(id, true)) if what.selection.accept_partial => {
            let partial = site.backups.partial(id).await.map_err(refused)?;
            let failure = partial.failure.as_deref().unwrap_or("unknown");
            run.report
                .warn(format!("{id} is what a failed run left; it failed because: {failure}"));
            Ok(partial)
        }
        read => read.map_err(refused),
    }
}

/// A manifest that cannot be used is no damage report here: the restore is refused.
fn refused(error: ReadError) -> Error {
    match error {
        ReadError::Incomplete(_, true) => {
            refuses(error.to_string(), "what it left can be restored with --accept-partial")
        }
        ReadError::Unreadable { .. } | ReadError::Incomplete(..) => {
            refuses(error.to_string(), "choose another backup (`stillpoint backups ls`)")
        }
        error => error.into(),
    }
}

fn refuses(what: String, remedy: &str) -> Error {
    Error::RestoreRefused(vec![Finding::refuses(what, remedy)])
}
