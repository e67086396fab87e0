//! Who is told when something goes wrong: listed and tried.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::Problem;
use crate::wire::notices::{Notices, Tried};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/v1/notices", Role::Viewer, notices)
        .post("/api/v1/notices/test", Role::Operator, test)
}

async fn notices(State(app): State<App>) -> Result<Json<Notices>, Problem> {
    app.platform.notices().await.map(Json)
}

/// What each channel answered.
#[derive(Serialize)]
struct Answers {
    channels: Vec<Tried>,
}

async fn test(State(app): State<App>) -> Json<Answers> {
    Json(Answers {
        channels: app.platform.try_notices().await,
    })
}
