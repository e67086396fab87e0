//! Use cases around the platform's stores: which there are, and whether each can be opened.

use crate::engine::errors::Error;
use crate::engine::site::{Run, Site};
use crate::engine::stores::{CheckedStore, KnownStore, Stores};
use crate::names::{Project, StoreName};

pub(super) async fn list(site: &Site, wanted: Option<&Project>) -> Result<Stores<KnownStore>, Error> {
    let platform = site.platform(wanted).await?;
    Ok(Stores {
        stores: site.known_stores(&platform),
        platform: platform.name,
    })
}

pub(super) async fn check(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    stores: &[StoreName],
) -> Result<Stores<CheckedStore>, Error> {
    let platform = run.unless_cancelled(site.platform(wanted)).await??;
    Ok(Stores {
        stores: site.check_stores(run, &platform, stores).await?,
        platform: platform.name,
    })
}
