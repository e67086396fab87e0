//! Use cases: bring a backup's data back, and look whether that could succeed.

use crate::backups::ReadError;
use crate::engine::restore::{self, Rehearsed, Restored, Selection};
use crate::engine::site::{Run, Site};
use crate::errors::Error;
use crate::manifest::Manifest;
use crate::names::{BackupId, Project};
use crate::ports::power::Job;

/// What is to be restored.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The backup.
    pub backup: BackupId,
    /// What of it.
    pub selection: Selection,
}

impl From<BackupId> for Restore {
    fn from(backup: BackupId) -> Self {
        let selection = Selection::default();
        Self { backup, selection }
    }
}

pub(super) async fn restore(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    what: &Restore,
) -> Result<Restored, Error> {
    let manifest = read(site, run, what).await?;
    let found = site.platform(wanted).await?;
    let held = site.lock(&found.name).await?;
    let unfinished = site.heal(&held, run).await?;
    let platform = site.platform(Some(&found.name)).await?;
    let selection = &what.selection;
    restore::restore(site, run, &held, platform, &manifest, selection, unfinished.as_ref()).await
}

/// Nothing that a dead run left is brought back for a look; a restore would do that first.
pub(super) async fn rehearse(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    what: &Restore,
) -> Result<Rehearsed, Error> {
    let manifest = read(site, run, what).await?;
    let platform = site.platform(wanted).await?;
    let claimed = site.power.claimed(&platform.name).await?;
    let unfinished = match claimed {
        Some(intent) if intent.job == Job::FullRestoreJob => Some(intent),
        Some(intent) => {
            return Err(Error::Held {
                platform: platform.name,
                by: Some(Box::new(intent)),
            });
        }
        None => None,
    };
    restore::rehearse(site, run, platform, &manifest, &what.selection, unfinished.as_ref()).await
}

/// The manifest of a complete backup, or, where that is accepted, what a failed run said it had left.
async fn read(site: &Site, run: &Run, what: &Restore) -> Result<Manifest, Error> {
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
        ReadError::Incomplete(_, true) => Error::RestoreRefused(vec![format!(
            "{error}; what it left can be restored with --accept-partial"
        )]),
        ReadError::Unreadable { .. } | ReadError::Incomplete(..) => Error::RestoreRefused(vec![error.to_string()]),
        error => error.into(),
    }
}
