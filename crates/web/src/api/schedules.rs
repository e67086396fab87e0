//! What comes by itself: listed and switched.

use axum::Json;
use axum::extract::{Extension, Path, State};

use crate::App;
use crate::auth::{Role, Who};
use crate::routes::Routes;
use crate::wire::{Problem, Schedule, Timetable};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/v1/schedules", Role::Viewer, timetable)
        .post("/api/v1/schedules/{job}/on", Role::Operator, on)
        .post("/api/v1/schedules/{job}/off", Role::Operator, off)
}

async fn timetable(State(app): State<App>) -> Result<Json<Timetable>, Problem> {
    app.platform.timetable().await.map(Json)
}

async fn on(app: State<App>, who: Extension<Who>, job: Path<String>) -> Result<Json<Schedule>, Problem> {
    switched(app, who, job, true).await
}

async fn off(app: State<App>, who: Extension<Who>, job: Path<String>) -> Result<Json<Schedule>, Problem> {
    switched(app, who, job, false).await
}

/// The job as it stands afterwards.
async fn switched(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path(job): Path<String>,
    on: bool,
) -> Result<Json<Schedule>, Problem> {
    app.platform.switch(&job, on, &who).await?;
    let schedules = app.platform.schedules().await?;
    let switched = schedules.into_iter().find(|schedule| schedule.job == job);
    let gone = || {
        Problem::not_found(
            format!("no job {job} has a schedule"),
            "`GET /api/v1/schedules` lists them",
        )
    };
    switched.map(Json).ok_or_else(gone)
}
