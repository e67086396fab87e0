//! What can be asked of the service, as JSON over HTTP. Whoever may open the socket may do all of it: the file's permissions
//! are the login.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream::{self, Stream};
use serde::Deserialize;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::ports::history::{Fact, HistoryError, RunRecord};
use tokio::sync::mpsc::{Receiver, channel};

use super::daemon::Daemon;
use super::wire::{Problem, Service, Submission, Told};

/// So many runs are listed at most.
const PAGE: u32 = 200;

/// So many facts are read from the history at once.
const FACTS: u32 = 1000;

type Shared = State<Arc<Daemon>>;

/// The routes.
pub(super) fn routes(daemon: Arc<Daemon>) -> Router {
    Router::new()
        .route("/api/v1/service", get(service))
        .route("/api/v1/runs", get(runs).post(submit))
        .route("/api/v1/runs/{run}", get(run))
        .route("/api/v1/runs/{run}/events", get(events))
        .route("/api/v1/runs/{run}/cancel", post(cancel))
        .with_state(daemon)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, kind, Json(self)).into_response()
    }
}

fn unknown(run: &str) -> Problem {
    Problem {
        title: format!("there is no run {run}"),
        hint: "`stillpoint runs ls` lists them".to_owned(),
        status: 404,
        exit: Exit::NotFound as u8,
    }
}

fn unreadable(error: &HistoryError) -> Problem {
    Problem {
        title: error.to_string(),
        hint: "look at the state directory: its disk, its owner".to_owned(),
        status: 503,
        exit: Exit::Preflight as u8,
    }
}

async fn service(State(daemon): Shared) -> Json<Service> {
    Json(daemon.service())
}

async fn submit(State(daemon): Shared, Json(submission): Json<Submission>) -> impl IntoResponse {
    let record = daemon.submit(submission).await;
    let place = format!("/api/v1/runs/{}", record.run);
    (StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(record))
}

#[derive(Deserialize)]
struct Wanted {
    limit: Option<u32>,
    before: Option<u64>,
}

async fn runs(State(daemon): Shared, Query(wanted): Query<Wanted>) -> Result<Json<Vec<RunRecord>>, Problem> {
    let limit = wanted.limit.unwrap_or(PAGE).min(PAGE);
    let listed = daemon.historian.history.runs(wanted.before, limit).await;
    let listed = listed.map_err(|error| unreadable(&error))?.into_iter();
    // What the service knows of itself is newer than what was noted.
    Ok(Json(
        listed
            .map(|run| daemon.known(run.run.as_str()).unwrap_or(run))
            .collect(),
    ))
}

async fn run(State(daemon): Shared, Path(name): Path<String>) -> Result<Json<RunRecord>, Problem> {
    found(&daemon, &name).await.map(Json)
}

async fn found(daemon: &Daemon, name: &str) -> Result<RunRecord, Problem> {
    if let Some(known) = daemon.known(name) {
        return Ok(known);
    }
    let found = daemon
        .historian
        .history
        .run(name)
        .await
        .map_err(|error| unreadable(&error))?;
    found.ok_or_else(|| unknown(name))
}

async fn cancel(State(daemon): Shared, Path(name): Path<String>) -> Result<Json<RunRecord>, Problem> {
    if let Some(cancelled) = daemon.cancel(&name).await {
        return Ok(Json(cancelled));
    }
    let run = found(&daemon, &name).await?;
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
    State(daemon): Shared,
    Path(name): Path<String>,
    Query(since): Query<Since>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let after = since.after.unwrap_or(0);
    let told = match daemon.feed(&name) {
        Some(feed) => feed.listen(after),
        None => remembered(&daemon, found(&daemon, &name).await?, after).await?,
    };
    let events = stream::unfold(told, |mut told| async { Some((Ok(event(&told.recv().await?)), told)) });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// What the history knows of a run that is over.
async fn remembered(daemon: &Daemon, run: RunRecord, mut after: u64) -> Result<Receiver<Told>, Problem> {
    let mut all = Vec::new();
    loop {
        let page = daemon.historian.history.facts(&run.run, after, FACTS).await;
        let page: Vec<Fact> = page.map_err(|error| unreadable(&error))?;
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
