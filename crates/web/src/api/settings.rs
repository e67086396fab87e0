//! The service and its effective configuration.

use axum::Json;
use axum::extract::State;

use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::{Service, Setting};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/v1/service", Role::Viewer, service)
        .get("/api/v1/settings", Role::Viewer, settings)
}

async fn service(State(app): State<App>) -> Json<Service> {
    Json(app.platform.service())
}

async fn settings(State(app): State<App>) -> Json<Vec<Setting>> {
    Json(app.platform.settings())
}
