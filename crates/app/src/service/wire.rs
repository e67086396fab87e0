//! What the service and its clients say to each other, as JSON. The same shapes will be served to browsers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stillpoint_core::events::Event;
use stillpoint_core::names::Project;
use stillpoint_core::operations::Order;
use stillpoint_core::ports::history::{Asked, Ending};

/// The service: who it is, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Service {
    /// Its version.
    pub(crate) version: String,
    /// Its process.
    pub(crate) process: u32,
    /// Its host.
    pub(crate) host: String,
    /// Since when it runs.
    pub(crate) since: Timestamp,
    /// What it works on.
    #[serde(flatten)]
    pub(crate) site: Site,
}

/// What a process works on. Two that agree in this do the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Site {
    /// The platform that was named, if one was.
    pub(crate) platform: Option<Project>,
    /// The repository.
    pub(crate) repository: String,
    /// The container engine.
    pub(crate) engine: String,
}

/// An order, and by whom.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Submission {
    /// What.
    pub(crate) order: Order,
    /// The platform, where it was named.
    pub(crate) platform: Option<Project>,
    /// Who asked.
    pub(crate) asked: Asked,
}

/// A refusal, as RFC 9457 has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    /// What failed.
    pub(crate) title: String,
    /// What to do.
    pub(crate) hint: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// The exit code that a command ends with.
    pub(crate) exit: u8,
}

/// What is told of a run while somebody listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// It waits, for whom, in words.
    Waits(String),
    /// Something happened.
    Event(Event),
    /// It is over. Nothing follows.
    Ended(Ending),
}
