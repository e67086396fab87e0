//! One run: how it stands and why, what happened over time, its containers, its log, and what can be done about it.

use std::collections::BTreeSet;

use askama::Template;
use axum::body::Body;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use futures::stream;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use stillpoint_core::events::{Event, EventKind};
use stillpoint_core::names::{Address, Project};
use stillpoint_core::operations::Order;
use stillpoint_core::ports::history::{Fact, FactFilter, RunRecord, RunState, Weight};

use super::command::command;
use super::lanes::{self, Lanes};
use super::{asked_for, bad_form, job_word, query_of, span, state_class, state_word, took};
use crate::App;
use crate::api::runs::{LogWanted, found, order_of};
use crate::auth::Role;
use crate::routes::Routes;
use crate::told::{LOG, Line, clock, line};
use crate::ui::frame::{Frame, Page, shown};
use crate::ui::words;
use crate::wire::{Problem, RunsWanted};

/// So many facts that say how far a run is are read: a run has some hundred.
const MARKS: u32 = 2000;

/// So many of its first facts are read beside the last, for the lanes of its stores.
const FIRST: u32 = 1000;

/// So many runs say how long a job usually takes.
const USUAL: u32 = 9;

/// So many facts are read at once for the whole log.
const TEXT: u32 = 1000;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/runs/{run}", Role::Viewer, run)
        .get("/runs/{run}/log.txt", Role::Viewer, text)
        .get("/runs/{run}/retry", Role::Admin, confirm)
        .post("/runs/{run}/retry", Role::Operator, retry)
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage<'a> {
    frame: &'a Frame,
    run: &'a RunRecord,
    name: String,
    /// It is not over.
    open: bool,
    took: Option<String>,
    seconds: i64,
    usual: Option<SignedDuration>,
    phase: Option<String>,
    down_seconds: Option<i64>,
    lanes: Lanes,
    svg: String,
    /// Not every artifact was read for the lanes.
    in_part: bool,
    containers: Vec<Container>,
    log: Vec<Line>,
    wanted: LogWanted,
    older: Option<String>,
    stores: BTreeSet<String>,
    last: u64,
    command: Option<String>,
    may_cancel: bool,
    retry: Retry,
}

/// How a run is asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    /// It cannot be, or not yet, or not by this one.
    No,
    /// With a press.
    AtOnce,
    /// After its operator has agreed to it on a page of its own.
    Confirmed,
}

/// What became of a container in a run.
struct Container {
    name: String,
    killed: bool,
    stopped: Option<Timestamp>,
    started: Option<Timestamp>,
}

impl Container {
    fn down(&self) -> Option<String> {
        Some(span(self.started?.duration_since(self.stopped?)))
    }
}

impl RunPage<'_> {
    fn title_mark(&self) -> String {
        match (self.run.state, self.usual) {
            (RunState::Started, Some(usual)) => format!("● {} % – ", percent(self.seconds, usual)),
            (RunState::Success, _) => "✓ ".to_owned(),
            (RunState::Degraded, _) => "! ".to_owned(),
            (RunState::Failure, _) => "✗ ".to_owned(),
            (state, _) if state.is_over() => String::new(),
            _ => "● ".to_owned(),
        }
    }

    fn percent(&self) -> Option<i64> {
        let usual = self.usual.filter(|_| self.run.state == RunState::Started);
        usual.map(|usual| percent(self.seconds, usual))
    }

    fn state_class(&self) -> &'static str {
        state_class(self.run.state)
    }

    fn state_word(&self) -> &'static str {
        state_word(self.run.state)
    }

    fn job_word(&self) -> &str {
        job_word(&self.run.job)
    }

    #[expect(
        clippy::unused_self,
        clippy::trivially_copy_pass_by_ref,
        reason = "templates reach it through the page, and hand references on"
    )]
    fn seconds_words(&self, seconds: &i64) -> String {
        span(SignedDuration::from_secs(*seconds))
    }

    fn down_words(&self) -> Option<String> {
        let (from, until) = self.lanes.down?;
        Some(span(until.duration_since(from)))
    }

    fn usual_words(&self) -> String {
        self.usual.map(span).unwrap_or_default()
    }

    fn usual_seconds(&self) -> i64 {
        self.usual.map_or(0, |usual| usual.as_secs())
    }

    fn clock(&self, at: &Timestamp) -> String {
        clock(*at, &self.frame.zone)
    }

    /// The newest lines, and all of them: what happens next belongs below them.
    fn is_live(&self) -> bool {
        self.open && self.wanted == LogWanted::default()
    }

    fn wants_store(&self, store: &str) -> bool {
        self.wanted.store.as_deref() == Some(store)
    }

    fn wants_warnings(&self) -> bool {
        self.wanted.level.as_deref() == Some("warning")
    }

    fn reason(&self) -> Option<&str> {
        self.run.ending.as_ref()?.reason.as_deref()
    }

    fn hint(&self) -> Option<&str> {
        self.run.ending.as_ref()?.hint.as_deref()
    }

    fn said(&self) -> Option<&str> {
        self.run.ending.as_ref()?.said.as_deref()
    }

    fn exit(&self) -> Option<u8> {
        self.run.ending.as_ref()?.exit
    }
}

/// How much of its usual time a run has taken: never all of it while it is at work.
fn percent(seconds: i64, usual: SignedDuration) -> i64 {
    (seconds.saturating_mul(100) / usual.as_secs().max(1)).clamp(0, 99)
}

async fn run(State(app): State<App>, frame: Frame, Path(run): Path<String>, wanted: Query<LogWanted>) -> Page {
    match read(&app, &frame, &run, wanted.0).await {
        Ok(page) => Ok(page),
        Err(problem) => Err(frame.refused(problem)),
    }
}

async fn read(app: &App, frame: &Frame, run: &str, wanted: LogWanted) -> Result<Response, Problem> {
    let run = &found(app, run).await?;
    let log = app.platform.last_facts(run, wanted.filter(), LOG).await?;
    let Told {
        marks,
        artifacts,
        whole,
    } = told(app, run).await?;
    let usual = usual(app, &run.job).await?;
    let began = run.started_at.unwrap_or(run.asked_at);
    let until = run.ended_at.unwrap_or(frame.now);
    let lanes = lanes::read(&artifacts, began, until, usual.filter(|_| run.started_at.is_some()));
    let order = order_of(run).ok();
    let page = RunPage {
        frame,
        name: run.called(),
        open: !run.state.is_over(),
        took: took(run, frame).map(span),
        seconds: took(run, frame).map_or(0, |took| took.as_secs()),
        usual,
        phase: phase(run, &marks),
        down_seconds: down(run, &lanes, &marks),
        svg: lanes::svg(&lanes, &frame.zone),
        lanes,
        in_part: !whole,
        containers: containers(&marks),
        older: older(run, &log, &wanted),
        last: log.last().map_or(0, |fact| fact.seq),
        log: log.iter().filter_map(|fact| line(fact, &frame.zone)).collect(),
        stores: stores(&artifacts),
        wanted,
        command: order.as_ref().map(command),
        may_cancel: !run.state.is_over() && run.state != RunState::Canceling && frame.who.role >= Role::Operator,
        retry: how_again(run, order.as_ref(), frame.who.role),
        run,
    };
    Ok(shown(&page))
}

/// What is read of a run's facts to draw it.
struct Told {
    /// All that says how far it is.
    marks: Vec<Event>,
    /// The same with artifacts, in order.
    artifacts: Vec<Event>,
    /// All artifacts are among them.
    whole: bool,
}

/// However much has happened in a run, only so much is read.
async fn told(app: &App, run: &RunRecord) -> Result<Told, Problem> {
    let of = |weight| FactFilter {
        weight,
        ..FactFilter::default()
    };
    let marks = app.platform.last_facts(run, of(Weight::Mark), MARKS).await?;
    let last = app.platform.last_facts(run, of(Weight::Any), LOG).await?;
    let first = app.platform.facts(run, 0, FIRST).await?;
    let whole = match (first.last(), last.first()) {
        (Some(end), Some(begin)) => first.len() < FIRST as usize || end.seq + 1 >= begin.seq,
        _ => true,
    };
    let event = |fact: &Fact| serde_json::from_value::<Event>(fact.event.clone()).ok();
    let mut all: Vec<Event> = first.iter().chain(&marks).chain(&last).filter_map(event).collect();
    all.sort_by_key(|event| event.seq);
    all.dedup_by_key(|event| event.seq);
    Ok(Told {
        marks: marks.iter().filter_map(event).collect(),
        artifacts: all,
        whole,
    })
}

/// The middle of how long its last runs took that succeeded.
async fn usual(app: &App, job: &str) -> Result<Option<SignedDuration>, Problem> {
    let wanted = RunsWanted {
        limit: Some(USUAL),
        job: Some(job.to_owned()),
        state: Some(RunState::Success),
        ..RunsWanted::default()
    };
    let runs = app.platform.runs(wanted).await?;
    let mut took: Vec<SignedDuration> = runs
        .iter()
        .filter_map(|run| Some(run.ended_at?.duration_since(run.started_at?)))
        .collect();
    took.sort();
    Ok(took.get(took.len() / 2).copied())
}

/// What a run at work does now.
fn phase(run: &RunRecord, marks: &[Event]) -> Option<String> {
    if run.state.is_over() {
        return None;
    }
    let last = marks.iter().rev().find_map(|event| match event.kind {
        EventKind::StepBegan { step } => Some(lanes::name(step)),
        _ => None,
    });
    let state = state_word(run.state);
    Some(match (run.state, last) {
        (RunState::Started, Some(step)) => step.to_owned(),
        (RunState::Canceling, Some(step)) => format!("{state}, after {step}"),
        _ => state.to_owned(),
    })
}

/// For how long clients have been down in a run at work, if they are.
fn down(run: &RunRecord, lanes: &Lanes, marks: &[Event]) -> Option<i64> {
    let are_back = marks
        .iter()
        .any(|event| matches!(event.kind, EventKind::ClientsAreBack { .. }));
    let (since, until) = lanes.down.filter(|_| !run.state.is_over() && !are_back)?;
    Some(until.duration_since(since).as_secs())
}

fn containers(marks: &[Event]) -> Vec<Container> {
    fn of<'a>(all: &'a mut Vec<Container>, workload: &Address) -> Option<&'a mut Container> {
        let name = match workload.number {
            1 => workload.service.clone(),
            number => format!("{}-{number}", workload.service),
        };
        if !all.iter().any(|one| one.name == name) {
            all.push(Container {
                name: name.clone(),
                killed: false,
                stopped: None,
                started: None,
            });
        }
        all.iter_mut().find(|one| one.name == name)
    }
    let mut all = Vec::new();
    for event in marks {
        match &event.kind {
            EventKind::Stopped { workload, killed } => {
                if let Some(one) = of(&mut all, workload) {
                    (one.stopped, one.killed) = (Some(event.at), *killed);
                }
            }
            EventKind::Started { workload } => {
                if let Some(one) = of(&mut all, workload) {
                    one.started = Some(event.at);
                }
            }
            _ => {}
        }
    }
    all
}

fn stores(events: &[Event]) -> BTreeSet<String> {
    let store = |event: &Event| match &event.kind {
        EventKind::ArtifactDone { store, .. } | EventKind::Spools { store, .. } => Some(store.to_string()),
        _ => None,
    };
    events.iter().filter_map(store).collect()
}

/// Where the lines before these are.
fn older(run: &RunRecord, log: &[Fact], wanted: &LogWanted) -> Option<String> {
    let first = log.first().filter(|fact| log.len() >= LOG as usize && fact.seq > 1)?;
    let query = query_of(&[
        ("before", Some(first.seq.to_string())),
        ("store", wanted.store.clone()),
        ("level", wanted.level.clone()),
    ]);
    Some(format!("/runs/{}?{query}#log", run.called()))
}

fn how_again(run: &RunRecord, order: Option<&Order>, role: Role) -> Retry {
    match order {
        Some(_) if !run.state.is_over() => Retry::No,
        Some(order) if order.replaces_data() && role >= Role::Admin => Retry::Confirmed,
        Some(order) if !order.replaces_data() && role >= Role::Operator => Retry::AtOnce,
        _ => Retry::No,
    }
}

/// The whole log as text, page by page: it may be long.
async fn text(State(app): State<App>, Path(run): Path<String>) -> Result<Response, Problem> {
    let run = found(&app, &run).await?;
    let zone = app.platform.zone();
    let name = format!("inline; filename=\"run-{}.txt\"", run.called());
    let pages = stream::unfold((app, run, zone, 0), |(app, run, zone, after)| async move {
        let page = match app.platform.facts(&run, after, TEXT).await {
            Ok(page) => page,
            Err(problem) => {
                // It breaks off, and says so: a log that ends early looks whole.
                let broken = std::io::Error::other(problem.title);
                return Some((Err(broken), (app, run, zone, u64::MAX)));
            }
        };
        let after = page.last()?.seq;
        let lines = page.iter().filter_map(|fact| line(fact, &zone));
        let text: String = lines.map(|line| text_of(&line)).collect();
        Some((Ok(text), (app, run, zone, after)))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn text_of(line: &Line) -> String {
    let at = line.at.map(|at| at.to_string()).unwrap_or_default();
    format!("{at} {} {}\n", line.level.name(), line.text)
}

#[derive(Template)]
#[template(path = "run_again.html")]
struct AgainPage<'a> {
    frame: &'a Frame,
    job: &'a str,
    name: String,
    command: String,
    platform: Project,
}

/// What replaces data is agreed to first. A restore has a page that looks whether it can succeed.
async fn confirm(State(app): State<App>, frame: Frame, Path(run): Path<String>) -> Page {
    let read = async {
        let run = found(&app, &run).await?;
        let order = order_of(&run)?;
        if let Order::Restore(restore) = &order {
            let place = format!("/restore/new?backup={}", restore.backup);
            return Ok(Redirect::to(&place).into_response());
        }
        Ok(shown(&AgainPage {
            frame: &frame,
            name: run.called(),
            command: command(&order),
            platform: app.platform.project().await?,
            job: job_word(&run.job),
        }))
    };
    match read.await {
        Ok(page) => Ok(page),
        Err(problem) => Err(frame.refused(problem)),
    }
}

/// What is typed to agree.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Agreed {
    platform: String,
}

async fn retry(
    State(app): State<App>,
    frame: Frame,
    Path(run): Path<String>,
    form: Result<Form<Agreed>, FormRejection>,
) -> Page {
    let read = async {
        let Form(agreed) = form.map_err(|why| bad_form(&why))?;
        let run = found(&app, &run).await?;
        let order = order_of(&run)?;
        if order.replaces_data() {
            agree(&app, &frame, &run, &order, &agreed).await?;
        }
        Ok(asked_for(&app, &frame.who, order, run.platform).await.into_response())
    };
    match read.await {
        Ok(page) => Ok(page),
        Err(problem) => Err(frame.refused(problem)),
    }
}

/// Refuses what was not agreed to, and a restore always: that is asked for where it is looked at first.
async fn agree(app: &App, frame: &Frame, run: &RunRecord, order: &Order, agreed: &Agreed) -> Result<(), Problem> {
    if frame.who.role < Role::Admin {
        return Err(Problem::forbidden(&frame.who, Role::Admin));
    }
    if let Order::Restore(restore) = order {
        let what = format!("run {} is a restore, and is not repeated unlooked-at", run.called());
        let hint = format!("ask for it anew: /restore/new?backup={}", restore.backup);
        return Err(Problem::conflict(what, hint));
    }
    let platform = app.platform.project().await?;
    if agreed.platform.trim() == platform.as_str() {
        return Ok(());
    }
    let what = format!(
        "`{}` is not the platform's name: nothing was begun",
        agreed.platform.trim()
    );
    Err(Problem::conflict(what, format!("type {platform} to agree")))
}
