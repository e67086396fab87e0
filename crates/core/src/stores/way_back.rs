//! How the data that a restore replaces is had back.

use async_trait::async_trait;

use super::{Cx, Staged, StoreError};
use crate::manifest::StoreRecord;

/// How a store's old data is had back after a restore.
#[derive(Clone, Copy)]
pub enum WayBack<'a> {
    /// The store holds it beside the new.
    Aside(&'a dyn Aside),
    /// The store cannot hold both: the engine copies it into the repository before it is replaced.
    Copy(&'a dyn Copied),
}

/// Something that a restore has replaced and that is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Old {
    /// What, in words.
    pub what: String,
    /// What the restore had put in its place is gone since: freed, there would be neither.
    pub is_sole: bool,
    /// What stands in its place now, and goes with all that was written into it since when it comes back; none: nothing does.
    pub replaced_by: Option<String>,
}

/// A store that holds the data which a restore replaces beside the new, until it is told what becomes of it.
/// The oldest counts: a restore that is repeated replaces only what the one before it has loaded.
#[async_trait]
pub trait Aside: Send + Sync {
    /// What is held; none if it is nothing. Asked of a store that runs.
    async fn held(&self, cx: &Cx) -> Result<Vec<Old>, StoreError>;

    /// The work that puts what is held back in the place of what was loaded. What was not replaced yet stays as it is.
    fn put_back(&self) -> Box<dyn Staged>;

    /// Frees what is held, and returns what it must not free: [`Old::is_sole`]. Called when every store was
    /// restored and compared, and runs; may be repeated.
    async fn discard(&self, cx: &Cx) -> Result<Vec<Old>, StoreError>;
}

/// A store whose old data is copied before it is replaced.
#[async_trait]
pub trait Copied: Send + Sync {
    /// Removes what the record does not hold, after its artifacts were loaded: what a restore has brought.
    async fn keep_only(&self, cx: &Cx, record: &StoreRecord) -> Result<(), StoreError>;
}
