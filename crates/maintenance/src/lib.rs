//! Keeps Dagster's databases in PostgreSQL lean: deletes logs and framework events that no page of Dagster shows anything
//! of but the line itself, and gives the room back. Deletes nothing that a page, a re-execution or a run in progress needs; ends no
//! session but its own; knows no store, no backup, no schedule.

mod autovacuum;
mod clean;
mod count;
mod failed;
mod indexes;
mod pacing;
mod repack;
mod room;
mod schema;
mod statements;
mod status;
mod work;

use stillpoint_core::maintenance::{CleanedDatabase, CleanupWish, DatabaseStatus, Found, RepackedDatabase, Rules};
use stillpoint_core::names::StoreName;
use stillpoint_core::stores::Cx;
use stillpoint_pg::quote::literal;
use stillpoint_pg::{MAINTENANCE, Server};

pub use failed::Failed;

use work::{SHORT, Work};

/// The databases of Dagster on one server.
#[derive(Clone)]
pub struct Dagster {
    /// The store that the server is.
    store: StoreName,
    server: Server,
    names: Vec<String>,
    are_named: bool,
}

impl Dagster {
    /// The databases of these names; whether their operator has named them decides what it means that they are missing.
    pub fn new(store: StoreName, server: &Server, names: Vec<String>, are_named: bool) -> Self {
        Self {
            store,
            server: server.ordinary(),
            names,
            are_named,
        }
    }

    /// Which of them are there.
    pub async fn databases(&self, cx: &Cx) -> Result<Found, Failed> {
        let names: Vec<String> = self.names.iter().map(|name| literal(name)).collect();
        let sql = format!(
            "SELECT datname FROM pg_database WHERE datallowconn AND datname IN ({}) ORDER BY 1",
            names.join(", ")
        );
        let work = Work::begin(self, cx, MAINTENANCE).await?;
        let found = async {
            let is_standby = work
                .value(SHORT, "asking whether it is a standby", "SELECT pg_is_in_recovery()")
                .await?
                == "t";
            let there = work.column(SHORT, "looking for Dagster's database", &sql).await?;
            Ok((is_standby, there))
        };
        let found = found.await;
        let (is_standby, there) = work.end(found).await?;
        let missing = self.names.iter().filter(|name| !there.contains(name)).cloned();
        Ok(Found {
            missing: missing.collect(),
            there,
            are_named: self.are_named,
            is_standby,
        })
    }

    /// Counts what [`Dagster::clean`] would delete. Changes nothing.
    pub async fn count(&self, cx: &Cx, database: &str, rules: &Rules) -> Result<CleanedDatabase, Failed> {
        count::count(self, cx, database, rules).await
    }

    /// Deletes rows past their windows. May die anywhere: the next one heals what it has left.
    pub async fn clean(
        &self,
        cx: &Cx,
        database: &str,
        rules: &Rules,
        wish: CleanupWish,
    ) -> Result<CleanedDatabase, Failed> {
        clean::clean(self, cx, database, rules, wish).await
    }

    /// Gives the room back that deleted rows take. May die anywhere, as [`Dagster::clean`].
    pub async fn repack(&self, cx: &Cx, database: &str, dry_run: bool) -> Result<RepackedDatabase, Failed> {
        repack::repack(self, cx, database, dry_run).await
    }

    /// How a database stands. Changes nothing.
    pub async fn status(&self, cx: &Cx, database: &str, rules: &Rules) -> Result<DatabaseStatus, Failed> {
        status::status(self, cx, database, rules).await
    }
}
