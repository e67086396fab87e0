//! Work that wants a store in one state after another: loading a backup, putting old data back.

use async_trait::async_trait;
use serde::Serialize;

use super::{Cx, Footing, StoreError};

/// Work on one store, in stages. What one stage finds out for the next is held here, never by the store.
#[async_trait]
pub trait Staged: Send + Sync {
    /// The state that each stage wants, in order. The engine brings the store into it, with every client down, and
    /// then calls [`Staged::carry_out`].
    fn footings(&self) -> Vec<Footing>;

    /// Carries out one stage, by its index. After a failure or a death the work is done again from the first stage,
    /// by a new value: what the earlier one has left is replaced.
    async fn carry_out(&mut self, cx: &Cx, stage: usize) -> Result<(), StoreError>;

    /// What could not be loaded of parts that may be missing; asked after the last stage.
    fn gaps(&self) -> Vec<Gap> {
        Vec::new()
    }
}

/// What is missing of a part of a store after a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The part, as [`Store::parts`](super::Store::parts) names it.
    pub part: String,
    /// What, or why, in lines.
    pub missing: Vec<String>,
}
