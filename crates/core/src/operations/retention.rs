//! Use cases around how long backups stay: delete what is old, keep one for ever, let it go again.

use crate::backups::ReadError;
use crate::engine::errors::Error;
use crate::engine::prune::Pruned;
use crate::engine::remove::{Removed, Removing};
use crate::engine::site::{Run, Site};
use crate::events::Step;
use crate::names::{BackupId, Project};

/// Without `wanted` the repository says whose it is: no engine is needed to look.
pub(super) async fn prune(site: &Site, run: &Run, wanted: Option<&Project>, dry_run: bool) -> Result<Pruned, Error> {
    let platform = owner(site, wanted).await?;
    if dry_run {
        return site.retention(run, &platform).await;
    }
    let _held = site.lock(&platform).await?;
    let lease = site
        .open_for_writing(run, &platform)
        .await
        .map_err(|refused| refused.error)?;
    let (guarded, lost) = run.guarded();
    let work = guarded
        .report
        .step(Step::Prune, site.prune(&guarded, &lease, &platform));
    let pruned = lease.keep(&lost, work).await;
    site.end_lease(run, &lease).await;
    match pruned {
        Ok(pruned) if !pruned.left.is_empty() => Err(pruned.into()),
        pruned => pruned,
    }
}

async fn owner(site: &Site, wanted: Option<&Project>) -> Result<Project, Error> {
    if let Some(wanted) = wanted {
        return Ok(wanted.clone());
    }
    let owner = site
        .backups
        .owner()
        .await
        .map_err(|cause| site.repository_failed(cause))?;
    match owner {
        Some(owner) => Ok(owner),
        None => Ok(site.platform(None).await?.name),
    }
}

/// Deletes what its operator names, under the same locks and in the same way as retention.
pub(super) async fn remove(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    wish: &Removing,
) -> Result<Removed, Error> {
    let platform = owner(site, wanted).await?;
    let _held = site.lock(&platform).await?;
    let lease = site
        .open_for_writing(run, &platform)
        .await
        .map_err(|refused| refused.error)?;
    let (guarded, lost) = run.guarded();
    let work = site.remove(&guarded, &lease, &platform, wish);
    let removed = lease.keep(&lost, work).await;
    site.end_lease(run, &lease).await;
    removed
}

/// Only what counts can be protected: anything else goes whatever is said about it.
pub(super) async fn protect(site: &Site, run: &Run, backup: BackupId) -> Result<(), Error> {
    site.backups.complete(backup).await?;
    let failed = |cause| site.repository_failed(cause);
    let protected = site
        .backups
        .protect(backup, run.report.run(), site.machine.clock.now())
        .await;
    protected.map_err(failed)?;
    // After the mark is there: a deletion that begins from now on sees it.
    if site.backups.is_half_deleted(backup).await.map_err(failed)? {
        site.backups.unprotect(backup).await.map_err(failed)?;
        return Err(ReadError::Unknown(backup).into());
    }
    Ok(())
}

pub(super) async fn unprotect(site: &Site, backup: BackupId) -> Result<(), Error> {
    site.backups.complete(backup).await?;
    let freed = site.backups.unprotect(backup).await;
    freed.map_err(|cause| site.repository_failed(cause))
}
