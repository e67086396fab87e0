//! What the service and its clients say to each other, as JSON. Pages are made of the same types.

pub mod backups;
pub mod notices;
pub mod overview;
pub mod restores;

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::events::Event;
use stillpoint_core::names::{NotABackupId, Project};
use stillpoint_core::operations::Order;
use stillpoint_core::ports::history::{Asked, Ending, HistoryError, RunFilter, RunRecord, RunState};

use crate::auth::{Role, Who};

/// The service: who it is, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its version.
    pub version: String,
    /// Its process.
    pub process: u32,
    /// Its host.
    pub host: String,
    /// Since when it runs.
    pub since: Timestamp,
    /// What it works on.
    #[serde(flatten)]
    pub site: Site,
}

/// What a process works on. Two that agree in this do the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The platform that was named, if one was.
    pub platform: Option<Project>,
    /// The repository.
    pub repository: String,
    /// The container engine.
    pub engine: String,
}

/// An order, and by whom.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submission {
    /// What.
    pub order: Order,
    /// The platform, where it was named.
    pub platform: Option<Project>,
    /// Who asked.
    pub asked: Asked,
}

/// Which runs are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunsWanted {
    /// So many at most.
    pub limit: Option<u32>,
    /// Those whose number is below this.
    pub before: Option<u64>,
    /// Those of this job.
    pub job: Option<String>,
    /// Those in this state.
    pub state: Option<RunState>,
}

impl RunsWanted {
    /// As the history is asked.
    pub fn filter(&self) -> RunFilter {
        RunFilter {
            before: self.before,
            job: self.job.clone(),
            state: self.state,
        }
    }
}

/// A job that comes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Its name.
    pub job: String,
    /// When, as it is configured.
    pub expression: String,
    /// When, in words.
    pub sentence: String,
    /// In which time zone.
    pub zone: Option<String>,
    /// It begins by itself.
    pub on: bool,
    /// Who switched it last.
    pub switched_by: Option<String>,
    /// When.
    pub switched_at: Option<Timestamp>,
    /// Its next times.
    pub next: Vec<Timestamp>,
    /// How it stands.
    pub standing: Standing,
    /// The first time that was not met.
    pub overdue_since: Option<Timestamp>,
    /// What is known of why.
    pub reason: Option<String>,
}

/// What comes by itself, and what else is known to happen at those times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timetable {
    /// The jobs.
    pub schedules: Vec<Schedule>,
    /// How long each usually takes, in seconds, where that is known.
    pub usual_seconds: BTreeMap<String, u64>,
    /// When others are at work that Stillpoint does not start.
    pub foreign_windows: Vec<ForeignWindow>,
    /// What meets what.
    pub overlaps: Vec<Overlap>,
}

/// A time of day at which something is at work that Stillpoint does not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignWindow {
    /// What it is.
    pub name: String,
    /// When it begins, in the schedules' zone: `02:00`.
    pub from: String,
    /// When it ends; the same as the begin: nobody has said.
    pub until: String,
}

/// Two that are at work at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// The job.
    pub job: String,
    /// The other job, or what else is at work.
    pub with: String,
    /// The first time at which they meet.
    pub at: Timestamp,
    /// In a sentence.
    pub warning: String,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Every time that has come was met, or there is still time.
    OnTime,
    /// A time was not met.
    Overdue,
    /// It is switched off.
    Off,
    /// No service has run yet.
    NeverHeeded,
}

/// A value of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its key in `stillpoint.toml`.
    pub key: String,
    /// Its variable.
    pub variable: String,
    /// Its value; `(set)` for a secret, none if it is not set.
    pub value: Option<String>,
    /// Where it comes from.
    pub origin: Option<String>,
    /// What counts if it is not set.
    pub default: Option<String>,
    /// What it is for.
    pub about: Option<String>,
}

/// A refusal, as RFC 9457 has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What failed.
    pub title: String,
    /// What to do.
    pub hint: String,
    /// The HTTP status.
    pub status: u16,
    /// The exit code that a command ends with.
    pub exit: u8,
}

impl Problem {
    /// There is no such run.
    pub fn unknown_run(run: &str) -> Self {
        Self {
            title: format!("there is no run {run}"),
            hint: "`stillpoint runs ls` lists them".to_owned(),
            status: 404,
            exit: Exit::NotFound as u8,
        }
    }

    /// There is nothing at this address.
    pub(crate) fn not_found(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            title: what.into(),
            hint: hint.into(),
            status: 404,
            exit: Exit::NotFound as u8,
        }
    }

    /// This names no backup.
    pub(crate) fn unknown_backup(error: &NotABackupId) -> Self {
        Self {
            title: error.to_string(),
            hint: "`stillpoint backups ls` lists them".to_owned(),
            status: 404,
            exit: Exit::NotFound as u8,
        }
    }

    /// What was sent cannot be meant.
    pub(crate) fn unusable(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            title: what.into(),
            hint: hint.into(),
            status: 400,
            exit: Exit::Usage as u8,
        }
    }

    /// As things stand it cannot be done.
    pub(crate) fn conflict(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            title: what.into(),
            hint: hint.into(),
            status: 409,
            exit: Exit::Held as u8,
        }
    }

    /// Nobody has signed in.
    pub fn unauthorised() -> Self {
        Self {
            title: "this takes somebody who has signed in".to_owned(),
            hint: "sign in, or send a token: `Authorization: Bearer …`".to_owned(),
            status: 401,
            exit: Exit::Usage as u8,
        }
    }

    pub(crate) fn forbidden(who: &Who, least: Role) -> Self {
        Self {
            title: format!("{} is {}, and this takes {least}", who.name, who.role),
            hint: "ask an administrator".to_owned(),
            status: 403,
            exit: Exit::Usage as u8,
        }
    }
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        Self {
            title: error.to_string(),
            hint: "look at the state directory: its disk, its owner".to_owned(),
            status: 503,
            exit: Exit::Preflight as u8,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        // Whoever hands the answer on may want to say it otherwise.
        let mut answer = (status, kind, Json(&self)).into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}

/// What changes in any run while somebody watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A run is in another state. Its result is not told with it.
    Run(Box<RunRecord>),
    /// Something happened in a run at work.
    Event(Event),
}

/// What is told of a run while somebody listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It waits, for whom, in words.
    Waits(String),
    /// Something happened.
    Event(Event),
    /// It is over. Nothing follows.
    Ended(Ending),
}
