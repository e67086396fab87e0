//! How Dagster's databases stand. Changes nothing.

use axum::Json;
use axum::extract::State;
use stillpoint_core::maintenance::Status;

use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::Problem;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/api/v1/maintenance", Role::Viewer, maintenance)
}

async fn maintenance(State(app): State<App>) -> Result<Json<Status>, Problem> {
    app.platform.maintenance().await.map(Json)
}
