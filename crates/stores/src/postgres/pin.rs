//! The pin: per database one transaction that exports its snapshot and locks every table against
//! rewriting. Without the locks a TRUNCATE between snapshot and dump yields an empty table and exit
//! code 0; a snapshot lives only as long as its transaction (manual §9.28.5 and `pg_dump --snapshot`).

use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use jiff::Timestamp;
use stillpoint_core::ports::store::Drained;
use stillpoint_core::ports::{Cx, Pinned, StoreError};
use stillpoint_core::sink::Sink;
use stillpoint_pg::{PgError, Session};

use super::access::{MAINTENANCE, server};
use super::{PostgresStore, tablespaces};
use crate::toolbox::is_short_name;

/// How long one statement of the pin may take; its locks wait at most a minute by themselves.
const STATEMENT: Duration = Duration::from_mins(2);

const TABLES: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1";

/// What `pg_cron` writes before it begins a job, where a database has it. A lock that keeps writers out and lets
/// readers in holds its jobs off; it goes with the session, and no setting is changed.
const CRON: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' \
    JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_cron' WHERE c.relname = 'job_run_details'";

/// A pinned server.
pub(super) struct PinnedServer {
    pub(super) store: PostgresStore,
    pub(super) version: String,
    pub(super) at: Timestamp,
    pub(super) globals: String,
    /// The fact of its tablespaces.
    pub(super) tablespaces: Option<(String, String)>,
    pub(super) databases: Vec<PinnedDatabase>,
}

/// A pinned database. Its snapshot lives as long as its session.
pub(super) struct PinnedDatabase {
    pub(super) name: String,
    pub(super) snapshot: String,
    pub(super) session: Session,
}

impl PostgresStore {
    /// Pins every database at once. Sessions of a pin that fails are dropped, which ends their
    /// transactions.
    pub(super) async fn hold(&self, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let names = databases(&session).await;
        let version = session.value(STATEMENT, "SHOW server_version").await;
        let tablespaces = tablespaces::fact(cx, &session).await;
        session.close().await;
        let (names, version) = (names?, version.map_err(|error| server("pinning", error))?);
        let globals = self.dump_globals(cx).await?;
        let databases = try_join_all(names.into_iter().map(|name| self.hold_database(cx, name))).await?;
        Ok(Box::new(PinnedServer {
            store: self.clone(),
            version,
            at: cx.clock.now(),
            globals,
            tablespaces: tablespaces?,
            databases,
        }))
    }

    async fn hold_database(&self, cx: &Cx, name: String) -> Result<PinnedDatabase, StoreError> {
        let session = self.open(cx, &name).await?;
        let snapshot = snapshot(&session)
            .await
            .map_err(|error| server(format!("pinning database `{name}`"), error))?;
        Ok(PinnedDatabase {
            name,
            snapshot,
            session,
        })
    }
}

/// What is backed up of `pg_database`. An interrupted `DROP DATABASE` leaves the limit -2: nobody can connect any more.
pub(super) const BACKED_UP: &str = "datallowconn AND datconnlimit <> -2 AND NOT datistemplate";

/// Every database that can be connected to, the largest first, but templates and what a restore has set
/// aside.
pub(super) async fn databases(session: &Session) -> Result<Vec<String>, StoreError> {
    let sql = format!("SELECT datname FROM pg_database WHERE {BACKED_UP} ORDER BY pg_database_size(oid) DESC, datname");
    let names = session
        .column(STATEMENT, &sql)
        .await
        .map_err(|error| server("listing databases", error))?;
    Ok(names.into_iter().filter(|name| !is_short_name(name)).collect())
}

async fn snapshot(session: &Session) -> Result<String, PgError> {
    session
        .run(STATEMENT, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let snapshot = session.value(STATEMENT, "SELECT pg_export_snapshot()").await?;
    let tables = session.column(STATEMENT, TABLES).await?;
    lock(session, &tables, "ACCESS SHARE").await?;
    lock(session, &session.column(STATEMENT, CRON).await?, "EXCLUSIVE").await?;
    Ok(snapshot)
}

async fn lock(session: &Session, tables: &[String], mode: &str) -> Result<(), PgError> {
    if tables.is_empty() {
        return Ok(());
    }
    let lock = format!("LOCK TABLE {} IN {mode} MODE", tables.join(", "));
    session.run(STATEMENT, &lock).await
}

#[async_trait]
impl Pinned for PinnedServer {
    fn needs_standstill(&self) -> bool {
        false
    }

    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        self.drain_all(cx, sink).await
    }

    async fn release(&mut self) {
        for database in self.databases.drain(..) {
            database.session.abort().await;
        }
    }
}
