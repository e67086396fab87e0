//! Who is alive. A claim outlives its owner; a lock does not: the operating system frees it when the
//! process ends, however it ends. A claim whose lock is free therefore has a dead owner.

use jiff::Timestamp;

use crate::names::Project;

/// Held for as long as it is kept; given free when dropped, also by the death of the process.
pub trait Guard: Send + Sync {}

/// Why a lock could not be tried.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the lock file {path} cannot be used: {cause}")]
pub struct LockError {
    /// The file.
    pub path: String,
    /// The system's own words.
    pub cause: String,
}

/// Locks among the processes of one host.
pub trait Locks: Send + Sync {
    /// Takes the platform's lock at once, or none if a living process holds it.
    fn take(&self, platform: &Project) -> Result<Option<Box<dyn Guard>>, LockError>;

    /// Whether a process of this program on this host that had this number at that time still lives. One that
    /// cannot be looked at counts as gone: the lock decides.
    fn lives(&self, process: u32, at: Timestamp) -> bool;
}
