//! What can go wrong between us and a container engine. Typed by what the caller can do about it,
//! not by how the engine's client names it.

use std::time::Duration;

/// A failure of the container engine, or on the way to it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// Nothing answers there.
    #[error("no container engine answers at {endpoint}: {cause}")]
    Unreachable {
        /// Where we looked.
        endpoint: String,
        /// The system's own words.
        cause: String,
    },
    /// Something is there, but we may not talk to it.
    #[error("the container engine at {endpoint} may not be used by this user: {cause}")]
    Forbidden {
        /// Where we looked.
        endpoint: String,
        /// The system's own words.
        cause: String,
    },
    /// The container (or process) is gone. Permanent for this id.
    #[error("{what} is gone")]
    Gone {
        /// What was looked for.
        what: String,
    },
    /// The engine understood and refused.
    #[error("the engine refused to {doing}: {message} (status {status})")]
    Refused {
        /// What was asked of it.
        doing: String,
        /// Its HTTP status.
        status: u16,
        /// Its own words.
        message: String,
    },
    /// A stream ended before its producer did. Whatever arrived is worthless.
    #[error("the stream of {what} was cut: {cause}")]
    Cut {
        /// Whose stream.
        what: String,
        /// The client's own words.
        cause: String,
    },
    /// The engine took longer than we wait.
    #[error("the engine did not {doing} within {} s", limit.as_secs_f32())]
    Overdue {
        /// What was asked of it.
        doing: String,
        /// How long we waited.
        limit: Duration,
    },
}

impl EngineError {
    /// The thing asked for does not exist (any more).
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }
}
