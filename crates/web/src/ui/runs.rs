//! The runs: all of them, page by page, and what can be asked for. One of them is shown by `page`.

mod command;
mod lanes;
mod page;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect};
use jiff::SignedDuration;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use stillpoint_core::maintenance::CleanupWish;
use stillpoint_core::names::{BackupId, Project};
use stillpoint_core::operations::{Order, Scope};
use stillpoint_core::ports::history::{Asked, RunRecord, RunState, Way};
use stillpoint_core::words;

use super::frame::{Frame, Page, shown};
use crate::App;
use crate::api::runs::ended;
use crate::auth::{Role, Who};
use crate::routes::Routes;
use crate::wire::{Problem, RunsWanted, Submission};

/// So many runs stand on a page.
const PAGE: u32 = 50;

/// The jobs there are, to choose from.
const JOBS: [&str; 8] = [
    "backup_job",
    "full_restore_job",
    "verify_job",
    "prune_job",
    "undo_job",
    "discard_job",
    "dagster_cleanup_job",
    "postgres_repack_job",
];

pub(super) fn routes(routes: Routes) -> Routes {
    let routes = routes
        .get("/runs", Role::Viewer, runs)
        .post("/runs", Role::Operator, ask)
        .post("/runs/{run}/cancel", Role::Operator, cancel);
    page::routes(routes)
}

/// How a state is shown: how it is coloured, and its word.
pub(crate) fn state_class(state: RunState) -> &'static str {
    match state {
        RunState::Queued | RunState::Canceled => "idle",
        RunState::Starting | RunState::Started | RunState::Canceling => "live",
        RunState::Success => "ok",
        RunState::Degraded => "warn",
        RunState::Failure => "bad",
    }
}

/// A state, as people call it.
pub(crate) fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "waits",
        RunState::Starting => "begins",
        RunState::Started => "at work",
        RunState::Success => "done",
        RunState::Degraded => "degraded",
        RunState::Failure => "failed",
        RunState::Canceling => "is being undone",
        RunState::Canceled => "cancelled",
    }
}

/// A job in words: `full_restore_job` is a restore.
pub(crate) fn job_word(job: &str) -> &str {
    match job {
        "full_restore_job" => "restore",
        "discard_job" => "freeing of old data",
        job => job.strip_suffix("_job").unwrap_or(job),
    }
}

/// `7.4 s`, or from a minute on `01:07`.
pub(crate) fn span(span: SignedDuration) -> String {
    words::span(span.unsigned_abs())
}

/// How long it took, or has taken until now.
fn took(run: &RunRecord, frame: &Frame) -> Option<SignedDuration> {
    let end = run.ended_at.unwrap_or(frame.now);
    Some(end.duration_since(run.started_at?))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Filter {
    before: Option<u64>,
    job: String,
    state: String,
}

impl Filter {
    fn is_set(&self) -> bool {
        !self.job.is_empty() || !self.state.is_empty()
    }

    /// As the history is asked. A state that nobody knows is none.
    fn wanted(&self) -> RunsWanted {
        RunsWanted {
            // One more says whether there are older ones.
            limit: Some(PAGE + 1),
            before: self.before,
            job: Some(self.job.clone()).filter(|job| !job.is_empty()),
            state: RunState::ALL.into_iter().find(|state| state.name() == self.state),
        }
    }

    fn address(&self, before: Option<u64>) -> String {
        let set = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let pairs = [
            ("before", before.map(|before| before.to_string())),
            ("job", set(&self.job)),
            ("state", set(&self.state)),
        ];
        format!("/runs?{}", query_of(&pairs))
    }

    fn jobs(&self) -> Vec<Choice> {
        let choice = |job: &'static str| Choice {
            value: job,
            word: job_word(job).to_owned(),
            is_chosen: job == self.job,
        };
        JOBS.map(choice).into()
    }

    fn states(&self) -> Vec<Choice> {
        let choice = |state: RunState| Choice {
            value: state.name(),
            word: state_word(state).to_owned(),
            is_chosen: state.name() == self.state,
        };
        RunState::ALL.map(choice).into()
    }
}

/// One of the things that can be chosen.
struct Choice {
    value: &'static str,
    word: String,
    is_chosen: bool,
}

/// What needs no escape in a query (RFC 3986, "unreserved").
const IN_A_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A query of what is set.
fn query_of(pairs: &[(&str, Option<String>)]) -> String {
    let set = pairs.iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    let encoded = set.map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, IN_A_QUERY)));
    encoded.collect::<Vec<_>>().join("&")
}

#[derive(Template)]
#[template(path = "runs.html")]
struct Runs<'a> {
    frame: &'a Frame,
    rows: Vec<Row>,
    filter: &'a Filter,
    newest: Option<String>,
    older: Option<String>,
    at_work: usize,
    may_act: bool,
}

struct Row {
    run: RunRecord,
    name: String,
    took: Option<String>,
}

impl Row {
    fn state_class(&self) -> &'static str {
        state_class(self.run.state)
    }

    fn state_word(&self) -> &'static str {
        state_word(self.run.state)
    }

    fn job_word(&self) -> &str {
        job_word(&self.run.job)
    }

    fn reason(&self) -> &str {
        let ending = self.run.ending.as_ref();
        ending.and_then(|ending| ending.reason.as_deref()).unwrap_or_default()
    }

    fn hint(&self) -> &str {
        let ending = self.run.ending.as_ref();
        ending.and_then(|ending| ending.hint.as_deref()).unwrap_or_default()
    }
}

async fn runs(State(app): State<App>, frame: Frame, filter: Query<Filter>) -> Page {
    let Query(filter) = filter;
    let mut runs = match app.platform.runs(filter.wanted()).await {
        Ok(runs) => runs,
        Err(problem) => return Err(frame.refused(problem)),
    };
    let has_older = runs.len() > PAGE as usize;
    runs.truncate(PAGE as usize);
    let last = runs.last().and_then(|run| run.number).filter(|_| has_older);
    let row = |run: RunRecord| Row {
        name: run.called(),
        took: took(&run, &frame).map(span),
        run,
    };
    let rows: Vec<Row> = runs.into_iter().map(row).collect();
    Ok(shown(&Runs {
        at_work: rows.iter().filter(|row| !row.run.state.is_over()).count(),
        newest: filter.before.map(|_| filter.address(None)),
        older: last.map(|last| filter.address(Some(last))),
        rows,
        filter: &filter,
        may_act: frame.who.role >= Role::Operator,
        frame: &frame,
    }))
}

/// What a page's form asks for.
#[derive(Deserialize)]
struct Ask {
    job: String,
    #[serde(default)]
    backup: String,
}

impl Ask {
    /// What replaces data is asked for on its own page.
    fn order(&self) -> Result<Order, Problem> {
        match self.job.as_str() {
            "backup_job" => Ok(Order::Backup { mode: None }),
            "prune_job" => Ok(Order::Prune),
            "dagster_cleanup_job" => Ok(Order::Cleanup(CleanupWish::default())),
            "postgres_repack_job" => Ok(Order::Repack),
            "verify_job" if self.backup.is_empty() => Ok(Order::Verify { scope: Scope::All }),
            "verify_job" => {
                let wrong = |_| {
                    Problem::unusable(
                        format!("`{}` is no backup's id", self.backup),
                        "take one of the backups' page",
                    )
                };
                let backup: BackupId = self.backup.parse().map_err(wrong)?;
                Ok(Order::Verify {
                    scope: Scope::One(backup),
                })
            }
            other => Err(Problem::unusable(
                format!("`{other}` cannot be begun here"),
                "backups, verifications, retention and maintenance can; a restore has its own page",
            )),
        }
    }
}

async fn ask(State(app): State<App>, frame: Frame, form: Result<Form<Ask>, FormRejection>) -> Page {
    let order = form.map_err(|why| bad_form(&why)).and_then(|Form(ask)| ask.order());
    match order {
        Ok(order) => Ok(asked_for(&app, &frame.who, order, None).await.into_response()),
        Err(problem) => Err(frame.refused(problem)),
    }
}

fn bad_form(why: &FormRejection) -> Problem {
    Problem::unusable(
        format!("the form is not complete: {}", why.body_text()),
        "go back and send it again",
    )
}

/// Hands an order in, and leads to its run.
pub(super) async fn asked_for(app: &App, who: &Who, order: Order, platform: Option<Project>) -> Redirect {
    let asked = Asked {
        way: Way::Ui,
        by: who.name.clone(),
    };
    let submission = Submission { order, platform, asked };
    to_run(&app.platform.submit(submission).await)
}

pub(super) fn to_run(run: &RunRecord) -> Redirect {
    Redirect::to(&format!("/runs/{}", run.called()))
}

async fn cancel(State(app): State<App>, frame: Frame, Path(run): Path<String>) -> Page {
    match ended(&app, &run).await {
        Ok(run) => Ok(to_run(&run).into_response()),
        Err(problem) => Err(frame.refused(problem)),
    }
}
