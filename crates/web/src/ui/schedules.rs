//! What comes by itself: when, how it stands, who switched it, and what it meets.

mod day;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect};

use super::frame::{Frame, Page, shown};
use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::{Schedule, Standing, Timetable};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/schedules", Role::Viewer, schedules)
        .post("/schedules/{job}/on", Role::Operator, on)
        .post("/schedules/{job}/off", Role::Operator, off)
}

#[derive(Template)]
#[template(path = "schedules.html")]
struct Schedules<'a> {
    frame: &'a Frame,
    all: Timetable,
    day: Option<String>,
    may_act: bool,
}

impl Schedules<'_> {
    fn overdue(&self) -> usize {
        self.count(Standing::Overdue)
    }

    fn off(&self) -> usize {
        self.count(Standing::Off)
    }

    fn count(&self, standing: Standing) -> usize {
        let all = self.all.schedules.iter();
        all.filter(|schedule| schedule.standing == standing).count()
    }

    fn usually(&self, job: &str) -> Option<String> {
        let seconds = self.all.usual_seconds.get(job)?;
        Some(stillpoint_core::words::span(std::time::Duration::from_secs(*seconds)))
    }

    fn job_word<'job>(&self, job: &'job str) -> &'job str {
        let _ = self;
        super::runs::job_word(job)
    }

    /// Whether it can be begun by a press on this page.
    fn can_run_now(&self, job: &str) -> bool {
        self.may_act
            && matches!(
                job,
                "backup_job" | "verify_job" | "prune_job" | "dagster_cleanup_job" | "postgres_repack_job"
            )
    }
}

impl Schedule {
    fn state_class(&self) -> &'static str {
        match self.standing {
            Standing::OnTime => "ok",
            Standing::Overdue => "bad",
            Standing::Off => "warn",
            Standing::NeverHeeded => "idle",
        }
    }

    fn state_word(&self) -> &'static str {
        match self.standing {
            Standing::OnTime => "on time",
            Standing::Overdue => "overdue",
            Standing::Off => "switched off",
            Standing::NeverHeeded => "has not come yet",
        }
    }
}

async fn schedules(State(app): State<App>, frame: Frame) -> Page {
    match app.platform.timetable().await {
        Ok(all) => Ok(shown(&Schedules {
            day: day::svg(&all, &frame.zone, frame.now),
            may_act: frame.who.role >= Role::Operator,
            all,
            frame: &frame,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}

async fn on(app: State<App>, frame: Frame, job: Path<String>) -> Page {
    switched(app, frame, job, true).await
}

async fn off(app: State<App>, frame: Frame, job: Path<String>) -> Page {
    switched(app, frame, job, false).await
}

async fn switched(State(app): State<App>, frame: Frame, Path(job): Path<String>, on: bool) -> Page {
    match app.platform.switch(&job, on, &frame.who).await {
        Ok(()) => Ok(Redirect::to("/schedules").into_response()),
        Err(problem) => Err(frame.refused(problem)),
    }
}
