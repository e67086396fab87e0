//! Use case: prove that a backup can still be read.

use crate::engine::site::{Run, Site};
use crate::errors::Error;
use crate::manifest::Manifest;
use crate::names::BackupId;

pub(super) async fn verify(site: &Site, run: &Run, backup: BackupId) -> Result<Manifest, Error> {
    let manifest = site.backups.manifest(backup).await?;
    let damage = site.damage(run, &manifest).await?;
    if damage.is_empty() {
        Ok(manifest)
    } else {
        Err(Error::Damaged { backup, damage })
    }
}
