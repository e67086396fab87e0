//! The last thing that a failing command says: what failed, and what to do now, apart from each
//! other. On standard error, or as one JSON document.

use std::process::ExitCode;

use serde_json::json;
use stillpoint_core::engine::errors::{Class, Error, Exit};
use stillpoint_core::findings::Finding;

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
        }
    }

    /// What failed, without what to do about it.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Usage { what, .. } => what.clone(),
            Self::Core(error) => error.to_string(),
        }
    }

    /// What refused it, each with what to do about it.
    fn findings(&self) -> Vec<Finding> {
        match self {
            Self::Usage { .. } => Vec::new(),
            Self::Core(error) => error.findings(),
        }
    }

    /// Shows it and returns the exit code.
    pub(crate) fn show(&self, json: bool) -> ExitCode {
        let Class { exit, hint, .. } = self.class();
        let what = self.what();
        if json {
            let mut told = json!({ "error": what, "hint": hint, "exit": exit as u8 });
            let findings = self.findings();
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
        ExitCode::from(exit as u8)
    }
}
