//! The pin: per database one transaction, its holder, that exports its snapshot, reads its sequences and locks everything
//! that a dump reads against being changed. Without the locks a TRUNCATE between snapshot and dump yields an empty table
//! and exit code 0; a snapshot lives only as long as its transaction (manual §9.28.5 and `pg_dump --snapshot`).

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stillpoint_core::sink::Sink;
use stillpoint_core::stores::{Cx, Drained, Pinned, StoreError, together};
use stillpoint_pg::{PgError, Session};

use super::access::{MAINTENANCE, server};
use super::ext_catalog::{self, Catalog};
use super::locks::{lock_all, lock_failed};
use super::sequences::{self, Sequence};
use super::waiting::Watch;
use super::{PostgresStore, globals, left_out, needs, tablespaces};

/// How long one statement of the pin may take.
pub(super) const STATEMENT: Duration = Duration::from_mins(2);

/// How many databases are pinned at a time: a server with many should not have to let all in at once.
const AT_ONCE: usize = 8;

/// Clients are down: what cannot be locked at once is held by somebody who does not belong here.
const PATIENCE: &str = "SET LOCAL lock_timeout = '20s'";

/// A pinned server.
pub(super) struct PinnedServer {
    pub(super) store: PostgresStore,
    pub(super) version: String,
    pub(super) at: Timestamp,
    pub(super) globals: String,
    /// The facts of what a restore needs of its server.
    pub(super) needs: Vec<(String, String)>,
    /// What the template of new databases has that no dump holds.
    pub(super) template: Option<String>,
    pub(super) databases: Vec<PinnedDatabase>,
    pub(super) watch: Watch,
}

/// A pinned database. Its snapshot lives as long as its holder.
pub(super) struct PinnedDatabase {
    pub(super) name: String,
    pub(super) snapshot: String,
    pub(super) sequences: Vec<Sequence>,
    /// What its extensions own and its dump does not hold.
    pub(super) catalog: Catalog,
    /// None once its dump can do without.
    pub(super) holder: Option<Session>,
}

impl PostgresStore {
    /// Pins every database. Sessions of a pin that fails are dropped, which ends their transactions.
    pub(super) async fn hold(&self, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let names = databases(&session).await;
        let version = session.value(STATEMENT, "SHOW server_version").await;
        let needs = async {
            let needs = needs::facts(cx, &session).await?;
            Ok::<_, StoreError>(
                needs
                    .into_iter()
                    .chain(tablespaces::fact(cx, &session).await?)
                    .collect(),
            )
        };
        let needs = needs.await;
        let template = left_out::of_template(cx, &session).await;
        let globals = async { globals::completed(cx, &session, self.dump_globals(cx).await?).await };
        let globals = globals.await;
        session.close().await;
        let (names, version) = (names?, version.map_err(|error| server("pinning", error))?);
        let (needs, template, globals) = (needs?, template?, globals?);
        let hold = |name, cx| async move { self.hold_database(&cx, name).await };
        let (databases, failure) = together(cx, AT_ONCE, names, hold).await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        Ok(Box::new(PinnedServer {
            store: self.clone(),
            version,
            at: cx.clock.now(),
            globals,
            needs,
            template,
            databases,
            watch: Watch::begin(self, cx, self.access.max_blocked),
        }))
    }

    async fn hold_database(&self, cx: &Cx, name: String) -> Result<PinnedDatabase, StoreError> {
        let holder = self.open(cx, &name).await?;
        match fix(&holder).await {
            Ok((snapshot, sequences, catalog)) => Ok(PinnedDatabase {
                name,
                snapshot,
                sequences,
                catalog,
                holder: Some(holder),
            }),
            Err(error) => Err(lock_failed(&holder, &name, error).await),
        }
    }
}

/// What is backed up of `pg_database`. An interrupted `DROP DATABASE` leaves the limit -2: nobody can connect any more.
pub(super) const BACKED_UP: &str = "datallowconn AND datconnlimit <> -2 AND NOT datistemplate";

/// Every database that can be connected to, the largest first, but templates. What a restore has set aside is closed.
pub(super) async fn databases(session: &Session) -> Result<Vec<String>, StoreError> {
    let sql = format!("SELECT datname FROM pg_database WHERE {BACKED_UP} ORDER BY pg_database_size(oid) DESC, datname");
    let names = session.column(STATEMENT, &sql).await;
    names.map_err(|error| server("listing databases", error))
}

/// The sequences are read after the snapshot was taken: whatever happens, they are not behind the rows in it.
async fn fix(holder: &Session) -> Result<(String, Vec<Sequence>, Catalog), PgError> {
    holder
        .run(STATEMENT, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let snapshot = holder.value(STATEMENT, "SELECT pg_export_snapshot()").await?;
    holder.run(STATEMENT, PATIENCE).await?;
    lock_all(holder).await?;
    Ok((
        snapshot,
        sequences::read(holder).await?,
        ext_catalog::find(holder).await?,
    ))
}

#[async_trait]
impl Pinned for PinnedServer {
    fn needs_standstill(&self) -> bool {
        false
    }

    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        let drained = self.drain_all(cx, sink).await;
        // What broke is a consequence of what was let go.
        drained.map_err(|error| self.watch.gave_way().unwrap_or(error))
    }

    async fn release(&mut self) {
        for mut database in self.databases.drain(..) {
            if let Some(holder) = database.holder.take() {
                holder.abort().await;
            }
        }
        self.watch.end().await;
    }
}
