//! Use case: have a backup's artifacts elsewhere, as the repository holds them.

use crate::backups::{Copied, CopyError};
use crate::engine::errors::{Error, PreflightError};
use crate::engine::site::{Run, Site};
use crate::names::{BackupId, StoreName};
use crate::ports::Repository;

pub(super) async fn get(
    site: &Site,
    run: &Run,
    backup: BackupId,
    stores: &[StoreName],
    into: &dyn Repository,
) -> Result<Copied, Error> {
    let manifest = site.backups.complete(backup).await?;
    let has = |name: &StoreName| manifest.stores.iter().any(|record| record.name == *name);
    if let Some(unknown) = stores.iter().find(|name| !has(name)) {
        return Err(Error::NoStore {
            store: unknown.clone(),
            of: format!("backup {backup}"),
            there: manifest.stores.iter().map(|record| record.name.clone()).collect(),
        });
    }
    let copy = site.backups.copy_out(&manifest, stores, into, &run.report);
    let place = into.place();
    run.unless_cancelled(copy).await?.map_err(|error| match error {
        CopyError::Damaged(damage) => Error::Damaged {
            backup,
            damage: vec![damage],
        },
        CopyError::Source(cause) => site.repository_failed(cause),
        CopyError::Target(cause) => Error::Repository { place, cause },
        CopyError::InTheWay(objects) => Error::InTheWay { place, objects },
        CopyError::NoRoom { room, needed } => PreflightError::NoRoom { place, room, needed }.into(),
    })
}
