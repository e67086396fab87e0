//! Restores, in two steps: a plan, which has no effect, and that it is meant.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use stillpoint_core::operations::{Order, Restore};
use stillpoint_core::ports::history::RunRecord;

use crate::App;
use crate::auth::{Role, Who};
use crate::routes::Routes;
use crate::wire::restores::{Confirmed, RestorePlan};
use crate::wire::{Problem, Submission};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .post("/api/v1/restore-plans", Role::Admin, plan)
        .get("/api/v1/restore-plans/{plan}", Role::Admin, look)
        .post("/api/v1/restore-plans/{plan}/execute", Role::Admin, execute)
}

async fn plan(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Json(what): Json<Restore>,
) -> Result<impl IntoResponse, Problem> {
    let plan = app.plans.begin(app.platform.clone(), what, &who)?;
    let place = format!("/api/v1/restore-plans/{}", plan.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(plan)))
}

async fn look(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<Json<RestorePlan>, Problem> {
    app.plans.find(&id, &who, app.platform.now()).map(Json)
}

async fn execute(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    Json(said): Json<Confirmed>,
) -> Result<impl IntoResponse, Problem> {
    let record = carry_out(&app, &who, &id, &said).await?;
    let place = format!("/api/v1/runs/{}", record.run);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(record)))
}

/// Hands a plan in that is meant.
pub(crate) async fn carry_out(app: &App, who: &Who, id: &str, said: &Confirmed) -> Result<RunRecord, Problem> {
    let platform = app.platform.project().await?;
    let what = app.plans.confirm(id, who, said, app.platform.now())?;
    let submission = Submission {
        order: Order::Restore(what),
        platform: Some(platform),
        asked: who.asked(),
    };
    Ok(app.platform.submit(submission).await)
}
