//! What can go wrong in a store's call.

use super::MayBeCancelled;
use crate::names::StoreName;
use crate::ports::{EngineError, Overdue, RepositoryError, SpoolError};

/// What lies below an error of a store: an error of its client, or the words of its server.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a store's call failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The server refused who we are.
    #[error("{store} refused user `{user}`: {cause}")]
    Credential {
        /// The store.
        store: StoreName,
        /// The user we tried.
        user: String,
        /// The server's own words.
        cause: String,
        /// Where the credential came from, and how to give another.
        remedy: String,
    },
    /// The server does not answer in time.
    #[error("{store} does not answer: {cause}")]
    Silent {
        /// The store.
        store: StoreName,
        /// What was tried last.
        #[source]
        cause: Cause,
    },
    /// The server answered with an error.
    #[error("{doing}: {cause}")]
    Server {
        /// What was asked of it.
        doing: String,
        /// The server's own words.
        #[source]
        cause: Cause,
    },
    /// A tool in the container failed.
    #[error("{doing}: {tool} ended with exit code {code}: {errors}")]
    Tool {
        /// What it was to do.
        doing: String,
        /// The program.
        tool: String,
        /// Its exit code.
        code: i64,
        /// The end of its error output.
        errors: String,
    },
    /// The backup cannot be restored into this server.
    #[error("{0}")]
    Unfit(String),
    /// The backup cannot be restored into this server, for several reasons.
    #[error("{}", .0.join("\n"))]
    Several(Vec<String>),
    /// Parts of the backup cannot be loaded; all others are there.
    #[error("{}", unloaded(.part, .failed))]
    Parts {
        /// What they are: `database`.
        part: &'static str,
        /// Which, each with the reason.
        failed: Vec<(String, StoreError)>,
    },
    /// An artifact did not arrive as the manifest says.
    #[error("{0}")]
    Damaged(String),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Nothing moved for too long.
    #[error(transparent)]
    Overdue(#[from] Overdue),
    /// The spool failed.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The repository failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// One a line.
fn unloaded(part: &str, failed: &[(String, StoreError)]) -> String {
    if let [(name, cause)] = failed {
        return format!("{part} `{name}` cannot be loaded; all others are there: {cause}");
    }
    let lines = failed.iter().map(|(name, cause)| format!("\n  `{name}`: {cause}"));
    let lines: String = lines.collect();
    format!(
        "{} {part}s cannot be loaded; all others are there:{lines}",
        failed.len()
    )
}

impl MayBeCancelled for StoreError {
    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }
}
