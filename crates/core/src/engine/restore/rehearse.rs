//! A restore up to the point at which it would stop the platform, and what it would do then. Stops nothing,
//! claims nothing, writes nothing.

use serde::Serialize;

use super::examine::{Examined, examine};
use super::logins::HeldLogin;
use super::pairs::{as_recorded, plan_of};
use super::{Origin, RestoreRequest, safety, to_copy};
use crate::engine::errors::Error;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::manifest::{Artifact, WorkloadRecord};
use crate::names::{BackupId, Project, StoreKind, StoreName};
use crate::ports::power::Intent;

/// What a restore would do.
#[derive(Debug, Serialize)]
pub struct Rehearsed {
    /// The backup.
    pub backup: BackupId,
    /// The platform whose data would be replaced.
    pub platform: Project,
    /// Where the data would come from, where that is not the same platform and stores of the same names.
    #[serde(flatten)]
    pub origin: Origin,
    /// The stores whose data would be replaced.
    pub stores: Vec<Replaced>,
    /// What would be done with each workload, and why.
    pub workloads: Vec<WorkloadRecord>,
    /// The logins that clients hold, which are tried before anything starts again.
    pub logins: Vec<HeldLogin>,
}

/// A store whose data would be replaced.
#[derive(Debug, Serialize)]
pub struct Replaced {
    /// Which.
    pub store: StoreName,
    /// Its kind.
    pub kind: StoreKind,
    /// The version of the server that the data is of.
    pub version: String,
    /// How many artifacts.
    pub artifacts: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The databases that would be replaced alone; none: all of it would be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<String>,
    /// What would become of its passwords, in words; none: it holds none.
    pub passwords: Option<String>,
}

/// Looks whether the restore could succeed, as [`super::restore`] does before it stops anything.
pub async fn rehearse(
    site: &Site,
    run: &Run,
    platform: Platform,
    wanted: &RestoreRequest<'_>,
    unfinished: Option<&Intent>,
) -> Result<Rehearsed, Error> {
    let platform = as_recorded(platform, unfinished);
    let Examined { pairs, logins, .. } = examine(site, run, &platform, wanted, unfinished).await?;
    let RestoreRequest {
        manifest,
        selection,
        passwords,
        ..
    } = *wanted;
    let stores = pairs.iter().map(|(store, record)| Replaced {
        store: store.name().clone(),
        kind: store.kind(),
        version: record.version.clone(),
        artifacts: record.artifacts.len(),
        bytes: record.artifacts.iter().map(Artifact::bytes).sum(),
        passwords: store.passwords(passwords),
        databases: match &selection.databases[..] {
            [] => Vec::new(),
            _ => store.parts(record),
        },
    });
    let plan = plan_of(&platform, &pairs);
    let no_way_back = unfinished.map_or(wanted.no_way_back, |intent| intent.no_way_back);
    let copied = to_copy(site, &platform, &pairs, unfinished, no_way_back).await?;
    if unfinished.is_none() {
        safety::must_fit(site, run, &copied).await?;
    }
    Ok(Rehearsed {
        backup: manifest.id,
        platform: platform.name.clone(),
        origin: Origin::of(selection, &platform.name),
        stores: stores.collect(),
        workloads: plan.records(),
        logins: logins.held(),
    })
}
