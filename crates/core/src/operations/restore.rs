//! Use case: bring a backup's data back.

use crate::engine::restore::{self, Restored};
use crate::engine::site::{Run, Site};
use crate::errors::Error;
use crate::names::{BackupId, Project};

pub(super) async fn restore(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    backup: BackupId,
) -> Result<Restored, Error> {
    let manifest = site.backups.complete(backup).await.map_err(refused)?;
    let found = site.platform(wanted).await?;
    let held = site.lock(&found.name).await?;
    let unfinished = site.heal(&held, run).await?;
    let platform = site.platform(Some(&found.name)).await?;
    restore::restore(site, run, &held, platform, &manifest, unfinished.as_ref()).await
}

/// A manifest that cannot be used is no damage report here: the restore is refused.
fn refused(error: crate::backups::ReadError) -> Error {
    match error {
        crate::backups::ReadError::Unreadable { .. } | crate::backups::ReadError::Incomplete(..) => {
            Error::RestoreRefused(vec![error.to_string()])
        }
        error => error.into(),
    }
}
