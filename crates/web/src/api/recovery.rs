//! What can be brought back here: of a host that is new, or of a platform that has lost what it had. Changes nothing.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::Backup;

use super::stores::{Containers, Workload, workloads};
use crate::App;
use crate::auth::Role;
use crate::overview::counts;
use crate::routes::Routes;
use crate::wire::Problem;
use crate::wire::backups::VerifiedAt;

/// So many backups are named.
const NEWEST: usize = 5;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/api/v1/recovery", Role::Viewer, recovery)
}

/// What there is to be brought back, and what there is to bring it back into.
#[derive(Serialize)]
pub(crate) struct Recovery {
    /// The repository.
    pub(crate) repository: String,
    /// Why it cannot be read.
    pub(crate) repository_trouble: Option<Problem>,
    /// How many complete backups it holds.
    pub(crate) complete: usize,
    /// The newest of them, the newest first.
    pub(crate) newest: Vec<Found>,
    /// The newest that is not known to be damaged: the one to restore.
    pub(crate) chosen: Option<BackupId>,
    /// The platform that is here.
    pub(crate) platform: Option<String>,
    /// Why it cannot be told what is here.
    pub(crate) platform_trouble: Option<Problem>,
    /// The stores of the chosen backup, each with the container here that would get its data.
    pub(crate) stores: Vec<Counterpart>,
    /// Stores that are here and that it does not hold.
    pub(crate) only_here: Vec<String>,
}

/// A complete backup in short.
#[derive(Serialize)]
pub(crate) struct Found {
    /// Its id.
    pub(crate) id: BackupId,
    /// The platform of which it was made.
    pub(crate) platform: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// How its last verification ended.
    pub(crate) verified: Option<VerifiedAt>,
}

/// A store of a backup, and what is here of it.
#[derive(Serialize)]
pub(crate) struct Counterpart {
    /// Its name.
    pub(crate) store: String,
    /// Its kind.
    pub(crate) kind: String,
    /// The version of the server whose data it is.
    pub(crate) version: String,
    /// The container here.
    pub(crate) container: Option<String>,
    /// Its image.
    pub(crate) image: Option<String>,
    /// What it is doing.
    pub(crate) state: Option<String>,
}

impl Recovery {
    /// Whether each store of the chosen backup has a container here that runs.
    pub(crate) fn is_all_here(&self) -> bool {
        let runs = |store: &Counterpart| store.state.as_deref() == Some("running");
        !self.stores.is_empty() && self.stores.iter().all(runs)
    }
}

async fn recovery(State(app): State<App>) -> Json<Recovery> {
    Json(look(&app).await)
}

/// What can be told now; each half is there without the other.
pub(crate) async fn look(app: &App) -> Recovery {
    let (list, here) = futures::join!(app.platform.backups(), workloads(app));
    let complete = list.iter().flat_map(|list| &list.backups);
    let complete: Vec<&Backup> = complete.filter(|backup| counts(backup)).collect();
    let of_platform = here.as_ref().ok();
    let is_damaged = |backup: &Backup| backup.verified.is_some_and(|verified| !verified.sound);
    let chosen = complete.iter().rev().find(|backup| !is_damaged(backup));
    let recorded = chosen.map_or(&[][..], |chosen| &chosen.manifest.stores[..]);
    Recovery {
        repository: app.platform.service().site.repository,
        complete: complete.len(),
        newest: complete.iter().rev().take(NEWEST).map(|backup| found(backup)).collect(),
        chosen: chosen.map(|backup| backup.id),
        platform: of_platform.map(|here| here.platform.clone()),
        stores: recorded.iter().map(|store| counterpart(store, of_platform)).collect(),
        only_here: of_platform.map(|here| only_here(here, recorded)).unwrap_or_default(),
        repository_trouble: list.err(),
        platform_trouble: here.err(),
    }
}

fn found(backup: &Backup) -> Found {
    Found {
        id: backup.id,
        platform: backup.manifest.platform.to_string(),
        bytes: backup.size,
        verified: backup.verified.map(|verified| VerifiedAt {
            at: verified.at,
            sound: verified.sound,
        }),
    }
}

fn counterpart(store: &StoreRecord, here: Option<&Containers>) -> Counterpart {
    let mut workloads = here.iter().flat_map(|here| &here.workloads);
    let workload: Option<&Workload> = workloads.find(|one| one.store.as_deref() == Some(store.name.as_str()));
    Counterpart {
        store: store.name.to_string(),
        kind: store.kind.to_string(),
        version: store.version.clone(),
        container: workload.map(|one| one.container.clone()),
        image: workload.map(|one| one.image.clone()),
        state: workload.map(|one| one.state.clone()),
    }
}

fn only_here(here: &Containers, recorded: &[StoreRecord]) -> Vec<String> {
    let recorded: BTreeSet<&str> = recorded.iter().map(|store| store.name.as_str()).collect();
    let names = here.workloads.iter().filter_map(|one| one.store.clone());
    names.filter(|name| !recorded.contains(name.as_str())).collect()
}
