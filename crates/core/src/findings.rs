//! What is found out about a run before it begins, and about a platform at any time: the same words wherever they are shown.

use std::fmt;

use serde::Serialize;

/// What a finding means for the run, or for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It would fail, so it is refused before anything is stopped.
    Refuses,
    /// It goes on; its operator should know.
    Warns,
    /// Nothing is wrong; something could be better.
    Advises,
}

/// One thing that an operator should know before a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it means for the run.
    pub severity: Severity,
    /// What was found, where, and why it matters.
    pub what: String,
    /// What to do about it; none where the sentence says it, or nothing needs to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// The run would fail.
    pub fn refuses(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Refuses,
            what: what.into(),
            remedy: Some(remedy.into()),
        }
    }

    /// Its operator should know.
    pub fn warns(what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warns,
            what: what.into(),
            remedy: None,
        }
    }

    /// It could be better.
    pub fn advises(what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Advises,
            what: what.into(),
            remedy: None,
        }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..self
        }
    }
}

/// One line for what it is, and one for what to do.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Refuses => "refused",
            Severity::Warns => "warning",
            Severity::Advises => "advice",
        };
        write!(f, "  {severity}: {}", self.what)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n     help: {remedy}"),
            None => Ok(()),
        }
    }
}
