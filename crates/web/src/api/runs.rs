//! Runs: asked for, listed, followed, ended.

use std::convert::Infallible;

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::response::sse::{self, KeepAlive, Sse};
use futures::stream::{self, Stream};
use serde::Deserialize;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::ports::history::{RunRecord, Way};
use tokio::sync::mpsc::{Receiver, channel};

use crate::App;
use crate::auth::{Role, Who};
use crate::routes::Routes;
use crate::wire::{Problem, RunsWanted, Submission, Told};

/// So many runs are listed at most.
const PAGE: u32 = 200;

/// So many facts are read from the history at once.
const FACTS: u32 = 1000;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/v1/runs", Role::Viewer, runs)
        .post("/api/v1/runs", Role::Operator, submit)
        .get("/api/v1/runs/{run}", Role::Viewer, run)
        .get("/api/v1/runs/{run}/events", Role::Viewer, events)
        .post("/api/v1/runs/{run}/cancel", Role::Operator, cancel)
}

async fn submit(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Json(mut submission): Json<Submission>,
) -> Result<impl IntoResponse, Problem> {
    if submission.order.replaces_data() && who.role < Role::Admin {
        return Err(Problem::forbidden(&who, Role::Admin));
    }
    if who.way != Way::Cli {
        submission.asked = who.asked();
    }
    let record = app.platform.submit(submission).await;
    let place = format!("/api/v1/runs/{}", record.run);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(record)))
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

#[derive(Deserialize)]
struct Since {
    after: Option<u64>,
}

async fn events(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(since): Query<Since>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let after = since.after.unwrap_or(0);
    let told = match app.platform.listen(&name, after) {
        Some(told) => told,
        None => remembered(&app, found(&app, &name).await?, after).await?,
    };
    let events = stream::unfold(told, |mut told| async { Some((Ok(event(&told.recv().await?)), told)) });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// What the history knows of a run that is over.
async fn remembered(app: &App, run: RunRecord, mut after: u64) -> Result<Receiver<Told>, Problem> {
    let mut all = Vec::new();
    loop {
        let page = app.platform.facts(&run, after, FACTS).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        let events = page
            .into_iter()
            .filter_map(|fact| serde_json::from_value(fact.event).ok());
        all.extend(events.map(Told::Event));
    }
    all.extend(run.ending.map(Told::Ended));
    let (sender, receiver) = channel(all.len().max(1));
    for told in all {
        // There is room for all of it.
        let _ = sender.try_send(told);
    }
    Ok(receiver)
}

fn event(told: &Told) -> sse::Event {
    let event = match told {
        Told::Event(event) => sse::Event::default().id(event.seq.to_string()),
        _ => sse::Event::default(),
    };
    event.data(serde_json::to_string(told).unwrap_or_default())
}
