//! The JSON API: a file for each resource.

pub(crate) mod accounts;
mod health;
mod runs;

use axum::Json;
use axum::extract::State;

use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::Service;

/// Its routes.
pub(crate) fn routes(routes: Routes) -> Routes {
    let routes = health::routes(accounts::routes(routes));
    runs::routes(routes.get("/api/v1/service", Role::Viewer, service))
}

async fn service(State(app): State<App>) -> Json<Service> {
    Json(app.platform.service())
}
