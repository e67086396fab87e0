//! The JSON API: a file for each resource.

mod runs;

use axum::Json;
use axum::extract::State;

use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::Service;

/// Its routes.
pub(crate) fn routes(routes: Routes) -> Routes {
    runs::routes(routes.get("/api/v1/service", Role::Viewer, service))
}

async fn service(State(app): State<App>) -> Json<Service> {
    Json(app.platform.service())
}
