//! What keeps the databases of a program lean in which a store holds them: today those of Dagster.

use async_trait::async_trait;

use super::{Cx, StoreError};
use crate::maintenance::{CleanedDatabase, CleanupWish, DatabaseStatus, Found, RepackedDatabase, Rules};

/// Upkeep of the databases of Dagster on one server. Each call may die anywhere: the next one goes on from there, and heals
/// what it has left.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Which of the databases that are looked for are there.
    async fn databases(&self, cx: &Cx) -> Result<Found, StoreError>;

    /// Counts what [`Upkeep::clean`] would delete. Changes nothing.
    async fn count(&self, cx: &Cx, database: &str, rules: &Rules) -> Result<CleanedDatabase, StoreError>;

    /// Deletes rows past their windows, in batches that are committed each, after it has seen to what that needs: indexes and
    /// autovacuum. What fails by itself is in what is returned; an error: nothing was done, or it was cancelled.
    async fn clean(
        &self,
        cx: &Cx,
        database: &str,
        rules: &Rules,
        wish: CleanupWish,
    ) -> Result<CleanedDatabase, StoreError>;

    /// Gives the room back that deleted rows take. It ends no session but its own. With `dry_run` it only looks whether it
    /// could.
    async fn repack(&self, cx: &Cx, database: &str, dry_run: bool) -> Result<RepackedDatabase, StoreError>;

    /// How a database stands. Changes nothing.
    async fn status(&self, cx: &Cx, database: &str, rules: &Rules) -> Result<DatabaseStatus, StoreError>;
}
