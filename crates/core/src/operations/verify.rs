//! Use case: prove that a backup can still be read.

use crate::engine::site::{Run, Site};
use crate::errors::Error;
use crate::events::Step;
use crate::manifest::Manifest;
use crate::names::BackupId;

pub(super) async fn verify(site: &Site, run: &Run, backup: BackupId) -> Result<Manifest, Error> {
    let manifest = site.backups.manifest(backup).await?;
    let damage = run
        .report
        .step(Step::Verify, site.backups.damage(&manifest, &run.report))
        .await;
    let damage = damage.map_err(|cause| Error::Repository {
        place: site.backups.place(),
        cause,
    })?;
    if damage.is_empty() {
        Ok(manifest)
    } else {
        Err(Error::Damaged { backup, damage })
    }
}
