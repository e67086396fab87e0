//! Restore: a backup is chosen, what it would do is looked at, its id is typed, it runs. And what becomes afterwards of the
//! data that was replaced.

#![expect(clippy::unused_self, reason = "templates call these on their page")]

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect};
use jiff::Timestamp;
use serde::Deserialize;
use stillpoint_core::engine::restore::{HeldLogin, Rehearsed};
use stillpoint_core::logins::Passwords;
use stillpoint_core::manifest::{Manifest, WorkloadRecord};
use stillpoint_core::names::{BackupId, Project, StoreName};
use stillpoint_core::operations::{Order, Restore, Terms};
use stillpoint_core::selection::Selection;

use super::frame::{Frame, Page, shown};
use super::runs::{asked_for, to_run};
use super::words;
use crate::App;
use crate::auth::Role;
use crate::backups::Shelf;
use crate::restores::must_be;
use crate::routes::Routes;
use crate::wire::Problem;
use crate::wire::backups::{BackupLine, BackupStanding};
use crate::wire::restores::{Confirmed, PlanState, RestorePlan};

/// What a rehearsal says of a login that is let in.
const ADMITTED: &str = "admitted";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/restore/new", Role::Admin, choose)
        .post("/restore/plans", Role::Admin, begin)
        .get("/restore/plans/{plan}", Role::Admin, plan)
        .post("/restore/plans/{plan}/execute", Role::Admin, execute)
        .post("/restore/resume", Role::Admin, resume)
        .get("/restore/undo", Role::Admin, undo)
        .post("/restore/undo", Role::Admin, really_undo)
        .get("/restore/start", Role::Admin, start)
        .post("/restore/start", Role::Admin, really_start)
        .get("/restore/discard", Role::Admin, discard)
        .post("/restore/discard", Role::Admin, really_discard)
}

#[derive(Deserialize)]
struct Chosen {
    backup: Option<String>,
}

/// Which backup.
#[derive(Template)]
#[template(path = "restore_which.html")]
struct Which<'a> {
    frame: &'a Frame,
    lines: Vec<BackupLine>,
}

/// What of it.
#[derive(Template)]
#[template(path = "restore_what.html")]
struct What<'a> {
    frame: &'a Frame,
    manifest: Manifest,
}

async fn choose(State(app): State<App>, Query(chosen): Query<Chosen>, frame: Frame) -> Page {
    match chosen.backup.filter(|id| !id.is_empty()) {
        Some(id) => match manifest(&app, &id).await {
            Ok(manifest) => Ok(shown(&What {
                frame: &frame,
                manifest,
            })),
            Err(problem) => Err(frame.refused(problem)),
        },
        None => match Shelf::look(&app).await {
            Ok(shelf) => Ok(shown(&Which {
                frame: &frame,
                lines: restorable(&shelf),
            })),
            Err(problem) => Err(frame.refused(problem)),
        },
    }
}

fn restorable(shelf: &Shelf) -> Vec<BackupLine> {
    let lines = shelf.lines().into_iter().rev();
    let can_be = |line: &BackupLine| matches!(line.standing, BackupStanding::Complete | BackupStanding::Damaged);
    lines.filter(can_be).collect()
}

async fn manifest(app: &App, id: &str) -> Result<Manifest, Problem> {
    let id: BackupId = id.parse().map_err(|error| Problem::unknown_backup(&error))?;
    app.platform.backup(id).await
}

/// What a form of the page before says: the same name may come more than once.
async fn begin(State(app): State<App>, frame: Frame, Form(said): Form<Vec<(String, String)>>) -> Page {
    let begun = match wanted(&said) {
        Ok(what) => app.plans.begin(app.platform.clone(), what, &frame.who),
        Err(problem) => Err(problem),
    };
    match begun {
        Ok(plan) => Ok(Redirect::to(&format!("/restore/plans/{}", plan.id)).into_response()),
        Err(problem) => Err(frame.refused(problem)),
    }
}

fn wanted(said: &[(String, String)]) -> Result<Restore, Problem> {
    let all = |name: &'static str| {
        said.iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let backup = all("backup").next().unwrap_or_default();
    let backup: BackupId = backup.parse().map_err(|error| Problem::unknown_backup(&error))?;
    let stores: Vec<StoreName> = all("store").map(StoreName::new).collect();
    // All of the backup is more than its stores by name: also one that is called otherwise here.
    let is_all = all("of").any(|of| of == stores.len().to_string());
    if stores.is_empty() {
        return Err(Problem {
            title: "no store was chosen".to_owned(),
            hint: "choose at least one".to_owned(),
            status: 422,
            exit: stillpoint_core::engine::errors::Exit::Usage as u8,
        });
    }
    let passwords = all("passwords").any(|passwords| passwords == "backup");
    Ok(Restore {
        backup,
        selection: Selection {
            stores: if is_all { Vec::new() } else { stores },
            ..Selection::default()
        },
        terms: Terms {
            discard_old: all("old").any(|old| old == "discard"),
            passwords: passwords.then_some(Passwords::Backup),
            accept: Vec::new(),
        },
    })
}

/// What it would do, and that it is meant.
#[derive(Template)]
#[template(path = "restore_plan.html")]
struct PlanPage<'a> {
    frame: &'a Frame,
    plan: RestorePlan,
    /// What was typed wrong.
    wrong: Option<Problem>,
}

impl PlanPage<'_> {
    fn stopped<'r>(&self, rehearsed: &'r Rehearsed) -> Vec<&'r WorkloadRecord> {
        let stopped = rehearsed.workloads.iter().filter(|workload| workload.action == "stop");
        stopped.collect()
    }

    fn bytes(&self, rehearsed: &Rehearsed) -> u64 {
        rehearsed.stores.iter().map(|store| store.bytes).sum()
    }

    fn artifacts(&self, rehearsed: &Rehearsed) -> usize {
        rehearsed.stores.iter().map(|store| store.artifacts).sum()
    }

    /// The logins that their stores let in now.
    fn admitted<'r>(&self, rehearsed: &'r Rehearsed) -> Vec<&'r HeldLogin> {
        let logins = rehearsed.logins.iter();
        logins.filter(|login| login.now == ADMITTED).collect()
    }

    /// Those that are refused, or could not be tried.
    fn others<'r>(&self, rehearsed: &'r Rehearsed) -> Vec<&'r HeldLogin> {
        let logins = rehearsed.logins.iter();
        logins.filter(|login| login.now != ADMITTED).collect()
    }

    /// What was written since then is lost.
    fn age(&self) -> String {
        let since = self.frame.now.duration_since(self.plan.restore.backup.timestamp());
        words::about(since)
    }

    fn left(&self) -> String {
        let until = self.plan.expires.unwrap_or(self.frame.now);
        words::about(until.duration_since(self.frame.now))
    }

    fn moment(&self) -> Timestamp {
        self.plan.restore.backup.timestamp()
    }

    /// Before the state of the plan is known, the page asks again by itself.
    fn word(&self) -> &'static str {
        match self.plan.state {
            PlanState::Checking => "● Looking",
            PlanState::Refused => "✗ Refused",
            PlanState::Ready => "▲ To be confirmed",
        }
    }
}

async fn plan(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Page {
    match app.plans.find(&id, &frame.who, frame.now) {
        Ok(plan) => Ok(shown(&PlanPage {
            frame: &frame,
            plan,
            wrong: None,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}

async fn execute(State(app): State<App>, Path(id): Path<String>, frame: Frame, Form(said): Form<Confirmed>) -> Page {
    match crate::api::restores::carry_out(&app, &frame.who, &id, &said).await {
        Ok(run) => Ok(to_run(&run).into_response()),
        // A slip of the hand voids no plan.
        Err(problem) if problem.status == 422 => match app.plans.find(&id, &frame.who, frame.now) {
            Ok(plan) => {
                let page = PlanPage {
                    frame: &frame,
                    plan,
                    wrong: Some(problem),
                };
                Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, shown(&page)).into_response())
            }
            Err(problem) => Err(frame.refused(problem)),
        },
        Err(problem) => Err(frame.refused(problem)),
    }
}

async fn resume(State(app): State<App>, frame: Frame) -> Page {
    submit(&app, frame, Order::ResumeRestore(Terms::default())).await
}

/// What cannot be undone: of which platform it is meant is typed.
#[derive(Template)]
#[template(path = "restore_after.html")]
struct After<'a> {
    frame: &'a Frame,
    title: &'static str,
    what: &'static str,
    lost: Vec<String>,
    act: &'static str,
    address: &'static str,
    command: &'static str,
    platform: Project,
    wrong: Option<Problem>,
}

async fn undo(State(app): State<App>, frame: Frame) -> Page {
    undo_page(&app, frame, None).await
}

async fn undo_page(app: &App, frame: Frame, wrong: Option<Problem>) -> Page {
    let (platform, lost) = futures::join!(app.platform.project(), app.platform.undo_would_lose());
    match (platform, lost) {
        (Ok(platform), Ok(lost)) => Ok(shown(&After {
            frame: &frame,
            title: "Undo the restore",
            what: "This stops the platform and brings back what the restore replaced. What was written since is lost.",
            lost,
            act: "Undo the restore",
            address: "/restore/undo",
            command: "stillpoint restore undo",
            platform,
            wrong,
        })),
        (Err(problem), _) | (_, Err(problem)) => Err(frame.refused(problem)),
    }
}

async fn discard(State(app): State<App>, frame: Frame) -> Page {
    discard_page(&app, frame, None).await
}

async fn discard_page(app: &App, frame: Frame, wrong: Option<Problem>) -> Page {
    match app.platform.project().await {
        Ok(platform) => Ok(shown(&After {
            frame: &frame,
            title: "Free the old data",
            what: "This frees what the restore replaced. The restore cannot be undone then. Nothing is stopped.",
            lost: Vec::new(),
            act: "Free the old data",
            address: "/restore/discard",
            command: "stillpoint restore discard-old",
            platform,
            wrong,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}

async fn start(State(app): State<App>, frame: Frame) -> Page {
    start_page(&app, frame, None).await
}

async fn start_page(app: &App, frame: Frame, wrong: Option<Problem>) -> Page {
    match app.platform.project().await {
        Ok(platform) => Ok(shown(&After {
            frame: &frame,
            title: "Start it as it is",
            what: "This starts everything that the restore has left stopped. Clients then work on data that is partly old and \
                   partly restored. What was replaced is kept, and the restore can be undone still.",
            lost: Vec::new(),
            act: "Start the platform",
            address: "/restore/start",
            command: "stillpoint containers start",
            platform,
            wrong,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}

async fn really_start(State(app): State<App>, frame: Frame, Form(typed): Form<Typed>) -> Page {
    match is_meant(&app, &typed).await {
        Ok(()) => submit(&app, frame, Order::StartContainers { forget: false }).await,
        Err(problem) if problem.status == 422 => start_page(&app, frame, Some(problem)).await,
        Err(problem) => Err(frame.refused(problem)),
    }
}

#[derive(Deserialize)]
struct Typed {
    platform: String,
}

async fn really_undo(State(app): State<App>, frame: Frame, Form(typed): Form<Typed>) -> Page {
    match is_meant(&app, &typed).await {
        Ok(()) => submit(&app, frame, Order::UndoRestore).await,
        Err(problem) if problem.status == 422 => undo_page(&app, frame, Some(problem)).await,
        Err(problem) => Err(frame.refused(problem)),
    }
}

async fn really_discard(State(app): State<App>, frame: Frame, Form(typed): Form<Typed>) -> Page {
    match is_meant(&app, &typed).await {
        Ok(()) => submit(&app, frame, Order::DiscardOld).await,
        Err(problem) if problem.status == 422 => discard_page(&app, frame, Some(problem)).await,
        Err(problem) => Err(frame.refused(problem)),
    }
}

async fn is_meant(app: &App, typed: &Typed) -> Result<(), Problem> {
    let platform = app.platform.project().await?;
    must_be(
        &typed.platform,
        platform.as_str(),
        "type the platform's name as it stands on the page",
    )
}

async fn submit(app: &App, frame: Frame, order: Order) -> Page {
    match app.platform.project().await {
        Ok(platform) => Ok(asked_for(app, &frame.who, order, Some(platform)).await.into_response()),
        Err(problem) => Err(frame.refused(problem)),
    }
}
