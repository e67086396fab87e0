//! The moment from which a backup counts. Never without the lease: whoever has taken it over may be writing.

use super::errors::RunFailure;
use super::site::Site;
use crate::backups::{Lease, LeaseError};
use crate::manifest::Manifest;

/// A run that was frozen, and whose lease somebody has taken over since, must not seal.
pub(super) async fn make_count(site: &Site, lease: &Lease, manifest: &Manifest) -> Result<(), RunFailure> {
    lease.renew().await.map_err(|cause| of_lease(site, cause))?;
    let sealed = site.backups.seal(manifest).await;
    sealed.map_err(|cause| RunFailure::Repository {
        place: site.backups.place(),
        cause,
    })
}

pub(super) fn of_lease(site: &Site, cause: LeaseError) -> RunFailure {
    let place = site.backups.place();
    match cause {
        LeaseError::Repository(cause) => RunFailure::Repository { place, cause },
        cause => RunFailure::Lease { place, cause },
    }
}
