//! The workloads of the platform, and what a backup does with each.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stillpoint_core::engine::plan::{Action, Entry, Plan};
use stillpoint_core::findings::Finding;
use stillpoint_core::manifest::{LeftOut, Manifest, StoreRecord};

use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::Problem;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/api/v1/stores", Role::Viewer, stores)
}

/// A platform, and what a backup would do with it.
#[derive(Serialize)]
pub(crate) struct Containers {
    /// Its name.
    pub(crate) platform: String,
    /// How the clients are kept away: `pin` or `hold`.
    pub(crate) mode: String,
    /// One for each container.
    pub(crate) workloads: Vec<Workload>,
    /// What should be known, a sentence each.
    pub(crate) warnings: Vec<String>,
    /// What a backup would find before it stops anything.
    pub(crate) findings: Vec<Finding>,
}

/// One container.
#[derive(Serialize)]
pub(crate) struct Workload {
    /// Its service, and its number where it is not the first.
    pub(crate) name: String,
    /// The container's name.
    pub(crate) container: String,
    /// Its image.
    pub(crate) image: String,
    /// What it is doing.
    pub(crate) state: String,
    /// The outcome of its health check, where it has one.
    pub(crate) health: Option<String>,
    /// `store`, `client` or `kept`.
    pub(crate) role: String,
    /// The store's name.
    pub(crate) store: Option<String>,
    /// What sort of store it is, as the newest backup recorded it.
    pub(crate) kind: Option<String>,
    /// The server's version, as the newest backup recorded it.
    pub(crate) version: Option<String>,
    /// `stop` or `leave`.
    pub(crate) action: String,
    /// How long it may take to stop.
    pub(crate) grace_seconds: Option<u64>,
    /// Why.
    pub(crate) reason: String,
    /// What it keeps that no backup holds.
    pub(crate) left_out: Vec<LeftOut>,
}

async fn stores(State(app): State<App>) -> Result<Json<Containers>, Problem> {
    workloads(&app).await.map(Json)
}

/// How it stands now. What sort of store it is, is taken from the newest backup: without a repository it is not known.
pub(crate) async fn workloads(app: &App) -> Result<Containers, Problem> {
    let plan = app.platform.plan().await?;
    let backups = app.platform.backups().await.ok();
    let newest = backups.as_ref().and_then(|list| list.backups.last());
    Ok(of_plan(&plan, newest.map(|newest| &newest.manifest)))
}

fn of_plan(plan: &Plan, newest: Option<&Manifest>) -> Containers {
    let recorded = |entry: &Entry| {
        let name = entry.store()?;
        newest?.stores.iter().find(|record| record.name == *name)
    };
    Containers {
        platform: plan.platform.to_string(),
        mode: plan.mode.to_string(),
        workloads: plan
            .entries
            .iter()
            .map(|entry| workload(entry, recorded(entry)))
            .collect(),
        warnings: plan.warnings().collect(),
        findings: plan.findings.clone(),
    }
}

fn workload(entry: &Entry, recorded: Option<&StoreRecord>) -> Workload {
    let workload = &entry.workload;
    let address = &workload.address;
    Workload {
        name: match address.number {
            1 => address.service.clone(),
            number => format!("{}-{number}", address.service),
        },
        container: workload.container.clone(),
        image: workload.image.clone(),
        state: workload.state.to_string(),
        health: workload.health.map(|health| format!("{health:?}").to_lowercase()),
        role: entry.role.to_string(),
        store: entry.store().map(ToString::to_string),
        kind: recorded.map(|record| record.kind.to_string()),
        version: recorded.map(|record| record.version.clone()),
        action: entry.action.to_string(),
        grace_seconds: match entry.action {
            Action::Stop(grace) => Some(grace.as_secs()),
            Action::Leave => None,
        },
        reason: entry.reason.clone(),
        left_out: entry.left_out.clone().unwrap_or_default(),
    }
}
