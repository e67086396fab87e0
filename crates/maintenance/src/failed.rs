//! Why upkeep of a database failed.

use stillpoint_core::ports::EngineError;
use stillpoint_pg::PgError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Nobody could log in.
    #[error("logging in: {0}")]
    Login(#[source] PgError),
    /// The server did not do what it was asked.
    #[error("{doing}: {cause}")]
    Server {
        /// What that was.
        doing: String,
        /// Its words.
        #[source]
        cause: PgError,
    },
    /// It is not what upkeep knows, or not in a state for it.
    #[error("{0}")]
    Unfit(String),
    /// The container did not do what it was asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// The server could not take a lock in time (appendix A of the manual).
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// It was told to do more than it lets us.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

impl Failed {
    fn code(&self) -> Option<&str> {
        match self {
            Self::Server {
                cause: PgError::Statement { code, .. },
                ..
            } => Some(code),
            _ => None,
        }
    }

    /// Somebody else held a lock for too long.
    pub(crate) fn is_locked_out(&self) -> bool {
        self.code() == Some(LOCK_NOT_AVAILABLE)
    }

    /// The role may not do that.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.code() == Some(INSUFFICIENT_PRIVILEGE)
    }

    /// A statement may still be at work on the server.
    pub(crate) fn leaves_work(&self) -> bool {
        match self {
            Self::Cancelled => true,
            Self::Server { cause, .. } => matches!(cause, PgError::Overdue(_)),
            _ => false,
        }
    }
}
