//! What could make the next backup or a restore fail. Stops nothing.

use axum::Json;
use axum::extract::State;
use stillpoint_core::doctor::Diagnosis;

use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::Problem;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/api/v1/doctor", Role::Viewer, doctor)
}

async fn doctor(State(app): State<App>) -> Result<Json<Diagnosis>, Problem> {
    app.platform.doctor().await.map(Json)
}
