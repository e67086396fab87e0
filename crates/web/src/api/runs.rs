//! Runs: asked for, listed, followed, repeated, ended.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::names::Project;
use stillpoint_core::operations::Order;
use stillpoint_core::ports::history::{Asked, FactFilter, RunRecord, Way, Weight};

use super::keys::{Seen, key_of};
use crate::App;
use crate::auth::{Role, Who};
use crate::restores::must_be;
use crate::routes::Routes;
use crate::told::{LOG, Line, line};
use crate::wire::{Problem, RunsWanted, Submission};

/// So many runs are listed at most.
const PAGE: u32 = 200;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/v1/runs", Role::Viewer, runs)
        .post("/api/v1/runs", Role::Operator, submit)
        .get("/api/v1/runs/{run}", Role::Viewer, run)
        .get("/api/v1/runs/{run}/log", Role::Viewer, log)
        .post("/api/v1/runs/{run}/cancel", Role::Operator, cancel)
        .post("/api/v1/runs/{run}/retry", Role::Operator, retry)
}

/// What is sent to have a run.
#[derive(Deserialize)]
struct Wanted {
    order: Order,
    platform: Option<Project>,
    /// Who asked, as far as somebody may say so for himself: over the socket.
    asked: Option<Asked>,
    /// The platform's name once more, for what cannot be undone.
    confirm: Option<String>,
}

async fn submit(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(wanted) = wanted.map_err(|why| not_an_order(&why))?;
    if wanted.order.replaces_data() && who.role < Role::Admin {
        return Err(Problem::forbidden(&who, Role::Admin));
    }
    is_meant(&app, &who, &wanted).await?;
    let asked = wanted.asked.filter(|_| who.way == Way::Cli);
    let submission = Submission {
        order: wanted.order,
        platform: wanted.platform,
        asked: asked.unwrap_or_else(|| who.asked()),
    };
    let Some(key) = key_of(&headers)? else {
        return Ok(accepted(app.platform.submit(submission).await));
    };
    // Held until the run is known: the same that is sent twice at once is one run.
    let mut keys = app.keys.lock().await;
    match keys.seen(&who, &key, &submission) {
        Seen::Never => {}
        Seen::AsOther => {
            return Err(Problem::conflict(
                format!("the Idempotency-Key {key} was sent with another order"),
                "take a new key for each order",
            ));
        }
        Seen::AsThis(run) => return Ok(accepted(found(&app, run.as_str()).await?)),
    }
    let record = app.platform.submit(submission.clone()).await;
    keys.remember(&who, key, &submission, record.run.clone());
    Ok(accepted(record))
}

/// A command on the host has asked its operator already. Over the network a restore is looked at first, and what cannot be
/// undone names its platform.
async fn is_meant(app: &App, who: &Who, wanted: &Wanted) -> Result<(), Problem> {
    match wanted.order {
        _ if who.way == Way::Cli => Ok(()),
        Order::Restore(_) => Err(Problem::conflict(
            "a restore is looked at before it is asked for; nothing was done".to_owned(),
            "`POST /api/v1/restore-plans`, then execute the plan with its confirmation",
        )),
        Order::UndoRestore | Order::DiscardOld | Order::StartContainers { .. } => {
            let platform = app.platform.project().await?;
            let typed = wanted.confirm.as_deref().unwrap_or_default();
            must_be(typed, platform.as_str(), r#"send the platform's name as `"confirm"`"#)
        }
        _ => Ok(()),
    }
}

fn accepted(record: RunRecord) -> Response {
    let place = format!("/api/v1/runs/{}", record.run);
    (StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(record)).into_response()
}

fn not_an_order(why: &JsonRejection) -> Problem {
    Problem {
        status: why.status().as_u16(),
        ..Problem::unusable(
            format!("this is no order: {}", why.body_text()),
            r#"send JSON, as `{"order": {"order": "backup"}}`"#,
        )
    }
}

async fn runs(State(app): State<App>, Query(mut wanted): Query<RunsWanted>) -> Result<Json<Vec<RunRecord>>, Problem> {
    wanted.limit = Some(wanted.limit.unwrap_or(PAGE).min(PAGE));
    app.platform.runs(wanted).await.map(Json)
}

async fn run(State(app): State<App>, Path(name): Path<String>) -> Result<Json<RunRecord>, Problem> {
    found(&app, &name).await.map(Json)
}

/// The run with this number or id.
pub(crate) async fn found(app: &App, name: &str) -> Result<RunRecord, Problem> {
    let found = app.platform.run(name).await?;
    found.ok_or_else(|| Problem::unknown_run(name))
}

/// Which lines of a run's log are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct LogWanted {
    /// Those before this one.
    pub(crate) before: Option<u64>,
    /// Those of this store.
    pub(crate) store: Option<String>,
    /// `warning`: warnings and what failed, alone.
    pub(crate) level: Option<String>,
}

impl LogWanted {
    /// As the history is asked. What a form leaves empty is not asked for.
    pub(crate) fn filter(&self) -> FactFilter {
        FactFilter {
            before: self.before,
            store: self.store.clone().filter(|store| !store.is_empty()),
            weight: if self.level.as_deref() == Some("warning") {
                Weight::Warning
            } else {
                Weight::Any
            },
        }
    }
}

async fn log(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(wanted): Query<LogWanted>,
) -> Result<Json<Vec<Line>>, Problem> {
    let run = found(&app, &name).await?;
    let facts = app.platform.last_facts(&run, wanted.filter(), LOG).await?;
    let zone = app.platform.zone();
    Ok(Json(facts.iter().filter_map(|fact| line(fact, &zone)).collect()))
}

async fn cancel(State(app): State<App>, Path(name): Path<String>) -> Result<Json<RunRecord>, Problem> {
    ended(&app, &name).await.map(Json)
}

/// Ends a run, or says why not.
pub(crate) async fn ended(app: &App, name: &str) -> Result<RunRecord, Problem> {
    if let Some(cancelled) = app.platform.cancel(name).await {
        return Ok(cancelled);
    }
    let run = found(app, name).await?;
    Err(Problem {
        title: format!("run {name} cannot be cancelled: {}", run.state),
        hint: if run.state.is_over() {
            "it is over".to_owned()
        } else {
            format!(
                "it runs in a process of its own: end process {} with SIGTERM",
                run.process
            )
        },
        status: 409,
        exit: Exit::Held as u8,
    })
}

async fn retry(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let run = found(&app, &name).await?;
    let order = order_of(&run)?;
    if order.replaces_data() {
        let what = format!("run {name} ({}) replaces data, and is not repeated unasked", run.job);
        let hint =
            "ask for it anew: a restore by `POST /api/v1/restore-plans`, the others on their page or by their command";
        return Err(Problem::conflict(what, hint));
    }
    let submission = Submission {
        order,
        platform: run.platform,
        asked: who.asked(),
    };
    Ok(accepted(app.platform.submit(submission).await))
}

/// How a run was asked for.
pub(crate) fn order_of(run: &RunRecord) -> Result<Order, Problem> {
    serde_json::from_value(run.options.clone()).map_err(|error| {
        let name = run.called();
        let what =
            format!("run {name} was asked for by another version, in a way that this one does not know: {error}");
        Problem::conflict(what, "ask for it anew")
    })
}
