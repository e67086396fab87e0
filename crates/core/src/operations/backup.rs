//! Use case: make a backup.

use crate::engine::backup::{self, Sealed};
use crate::engine::errors::Error;
use crate::engine::site::{Run, Site};
use crate::manifest::Mode;
use crate::names::Project;

pub(super) async fn backup(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    mode: Option<Mode>,
) -> Result<Sealed, Error> {
    let found = site.platform(wanted).await?;
    let held = site.lock(&found.name).await?;
    if let Some(unfinished) = site.heal(&held, run).await? {
        return Err(Error::RestoreUnfinished(Box::new(unfinished)));
    }
    // Listed again: healing may have started what was down.
    let platform = site.platform(Some(&found.name)).await?;
    let platform = site.after_jobs(run, platform).await?;
    let platform = site.after_work(run, platform).await?;
    let sealed = backup::backup(site, run, &held, &platform, mode).await;
    site.with_missing(run, &platform.name, sealed, |sealed| &mut sealed.degraded)
        .await
}
