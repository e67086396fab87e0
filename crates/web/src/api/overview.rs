//! How the platform stands.

use axum::Json;
use axum::extract::State;

use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::overview::Overview;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/api/v1/overview", Role::Viewer, overview)
}

async fn overview(State(app): State<App>) -> Json<Overview> {
    Json(crate::overview::look(&app).await)
}
