//! What happens, while it happens: one stream for all runs, one for each. Server-sent events: who comes back says what he heard
//! last, and hears the rest.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::IntoResponse;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;
use stillpoint_core::events::Event;
use stillpoint_core::ports::history::{Fact, RunRecord};
use tokio::sync::mpsc::Receiver;

use super::runs::found;
use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::told::{line_of, progress};
use crate::wire::{Change, Problem, Told};

/// So many facts are read from the history at once.
const FACTS: u32 = 1000;

/// Something is sent as often, so that whoever stands between does not take a quiet stream for a dead one.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Proxies are told to hand on what comes as it comes.
const UNBUFFERED: [(HeaderName, &str); 1] = [(HeaderName::from_static("x-accel-buffering"), "no")];

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/v1/events", Role::Viewer, all)
        .get("/api/v1/runs/{run}/events", Role::Viewer, of_run)
}

fn streamed(messages: impl Stream<Item = Message> + Send + 'static) -> impl IntoResponse {
    let messages = messages.map(Ok::<_, Infallible>);
    (
        UNBUFFERED,
        Sse::new(messages).keep_alive(KeepAlive::new().interval(HEARTBEAT)),
    )
}

fn heard<T: Send + 'static>(receiver: Receiver<T>) -> impl Stream<Item = T> + Send {
    stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    })
}

/// What changes in any run. It begins with how those stand that are not over, so that nothing needs to be sent again.
async fn all(State(app): State<App>) -> impl IntoResponse {
    streamed(heard(app.platform.watch()).map(|change| message(&change, change_name(&change))))
}

fn change_name(change: &Change) -> &'static str {
    match change {
        Change::Run(_) => "run",
        Change::Event(event) if event.kind.is_progress() => "progress",
        Change::Event(_) => "event",
    }
}

fn message(told: &impl serde::Serialize, name: &str) -> Message {
    let message = if name.is_empty() {
        Message::default()
    } else {
        Message::default().event(name)
    };
    message.data(serde_json::to_string(told).unwrap_or_default())
}

#[derive(Deserialize)]
struct Since {
    after: Option<u64>,
    /// `lines`: as a page shows it.
    form: Option<String>,
}

async fn of_run(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(since): Query<Since>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    // A browser that comes back asks at the same address as at first, and says what it heard last.
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let after = since.after.max(last).unwrap_or(0);
    let told = match app.platform.listen(&name, after) {
        Some(told) => heard(told).boxed(),
        None => remembered(app.clone(), found(&app, &name).await?, after),
    };
    let zone = app.platform.zone();
    let as_lines = since.form.as_deref() == Some("lines");
    Ok(streamed(told.filter_map(move |told| {
        let sent = if as_lines {
            shown(&told, &zone)
        } else {
            Some(plain(&told))
        };
        async { sent }
    })))
}

/// What the history knows of a run that the service does not do itself, page by page.
fn remembered(app: App, run: RunRecord, after: u64) -> BoxStream<'static, Told> {
    let ending = run.ending.clone().map(Told::Ended);
    let pages = stream::unfold(Some(after), move |after| {
        let (app, run) = (app.clone(), run.clone());
        async move {
            // A history that cannot be read any more ends the stream: who listens comes back.
            let page = app.platform.facts(&run, after?, FACTS).await.ok()?;
            let last = page.last()?.seq;
            Some((page, Some(last)))
        }
    });
    let told = pages.flat_map(|page| stream::iter(page.into_iter().filter_map(told)));
    told.chain(stream::iter(ending)).boxed()
}

fn told(fact: Fact) -> Option<Told> {
    serde_json::from_value(fact.event).ok().map(Told::Event)
}

fn plain(told: &Told) -> Message {
    numbered(message(told, ""), told)
}

/// What has a number begins the next stream.
fn numbered(message: Message, told: &Told) -> Message {
    match told {
        Told::Event(event) => message.id(event.seq.to_string()),
        _ => message,
    }
}

/// As a page shows it: lines, how far an artifact is, for whom it waits, how it ended.
fn shown(told: &Told, zone: &TimeZone) -> Option<Message> {
    let sent = match told {
        Told::Waits(whom) => message(&json!({ "text": format!("waits for {whom}") }), "waits"),
        Told::Ended(ending) => message(&json!({ "exit": ending.exit, "reason": ending.reason }), "ended"),
        Told::Event(event) => shown_event(event, zone)?,
    };
    Some(numbered(sent, told))
}

fn shown_event(event: &Event, zone: &TimeZone) -> Option<Message> {
    match progress(event) {
        Some(text) => Some(message(&json!({ "text": text }), "progress")),
        None => Some(message(&line_of(event, zone)?, "line")),
    }
}
