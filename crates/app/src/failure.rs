//! The last thing that a failing command says: what failed, and what to do now, apart from each
//! other. On standard error, or as one JSON document.

use std::process::ExitCode;

use serde_json::json;
use stillpoint_core::engine::errors::{Class, Error, Exit};
use stillpoint_core::findings::Finding;
use stillpoint_core::ports::history::{Ending, HistoryError};
use stillpoint_web::wire::Problem;

use crate::display::print;

/// Why a command did not do what it was to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line or a setting is wrong.
    Usage {
        /// What.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The use case failed.
    Core(Box<Error>),
    /// The history cannot be read.
    History(HistoryError),
    /// There is no such run.
    NoRun(String),
    /// There is no backup that could be meant.
    NoBackup(String),
    /// A run ended by failing.
    Ended(Box<Ending>),
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        Self::History(error)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Ended(Box::new(Ending {
            exit: Some(problem.exit),
            reason: Some(problem.title),
            hint: Some(problem.hint),
            ..Ending::default()
        }))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(Box::new(error))
    }
}

impl Failure {
    /// A wrong command line or setting, and what to do about it.
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage {
            what: what.into(),
            hint: hint.into(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Usage { hint, .. } => Class {
                exit: Exit::Usage,
                http: 400,
                hint: hint.clone(),
            },
            Self::Core(error) => error.class(),
            Self::History(_) => Class {
                exit: Exit::Preflight,
                http: 422,
                hint: "look at the state directory: its disk, its owner; backups and restores go on without a history"
                    .to_owned(),
            },
            Self::NoRun(_) => Class {
                exit: Exit::NotFound,
                http: 404,
                hint: "`stillpoint runs ls` lists them; old ones are forgotten after BACKUP_HISTORY_DAYS".to_owned(),
            },
            Self::NoBackup(_) => Class {
                exit: Exit::NotFound,
                http: 404,
                hint: "`stillpoint backups ls` lists what there is, and what of it is no backup".to_owned(),
            },
            Self::Ended(ending) => Class {
                exit: ending.exit.and_then(Exit::of).unwrap_or(Exit::RunFailed),
                http: 500,
                hint: ending.hint.clone().unwrap_or_default(),
            },
        }
    }

    /// What failed, without what to do about it.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Usage { what, .. } | Self::NoBackup(what) => what.clone(),
            Self::Core(error) => error.to_string(),
            Self::History(error) => error.to_string(),
            Self::NoRun(name) => format!("there is no run {name} in the history"),
            Self::Ended(ending) => ending.reason.clone().unwrap_or_default(),
        }
    }

    /// What refused it, each with what to do about it.
    fn findings(&self) -> Vec<Finding> {
        match self {
            Self::Core(error) => error.findings(),
            _ => Vec::new(),
        }
    }

    /// How a run ended that failed by this.
    pub(crate) fn ending(self) -> Ending {
        if let Self::Ended(ending) = self {
            return *ending;
        }
        let Class { exit, hint, .. } = self.class();
        let findings = self.findings().into_iter().map(|finding| json!(finding));
        Ending {
            exit: Some(exit as u8),
            reason: Some(self.what()),
            hint: Some(hint).filter(|hint| !hint.is_empty()),
            findings: findings.collect(),
            ..Ending::default()
        }
    }

    /// As the service answers it.
    pub(crate) fn problem(self) -> Problem {
        let status = self.class().http;
        let Ending { exit, reason, hint, .. } = self.ending();
        Problem {
            title: reason.unwrap_or_default(),
            hint: hint.unwrap_or_default(),
            status,
            exit: exit.unwrap_or(Exit::RunFailed as u8),
        }
    }

    /// Shows it and returns the exit code.
    pub(crate) fn show(self, json: bool) -> ExitCode {
        let Ending {
            exit,
            reason,
            hint,
            findings,
            ..
        } = self.ending();
        let (what, exit) = (reason.unwrap_or_default(), exit.unwrap_or(Exit::RunFailed as u8));
        let hint = hint.unwrap_or_default();
        if json {
            let mut told = json!({ "error": what, "hint": hint, "exit": exit });
            if !findings.is_empty() {
                told["findings"] = json!(findings);
            }
            print::line(&told.to_string());
        } else {
            print::error(&format!("error: {what}"));
            if !hint.is_empty() {
                print::error(&format!(" help: {hint}"));
            }
        }
        ExitCode::from(exit)
    }
}
