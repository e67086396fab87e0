//! The mark of client writes. The server's next transaction id moves with every write at once, but also with
//! ANALYZE and with a VACUUM that truncates; where it has moved, the counters of written rows decide. They
//! come late: a session that stays connected reports them up to ten seconds after its commit
//! (`PGSTAT_IDLE_INTERVAL` in the server's `pgstat.c`), one that ends reports them then. The clients wait for
//! that, so it is waited for only where somebody is connected.

use std::time::Duration;

use stillpoint_core::manifest::Watermark;
use stillpoint_core::stores::{Cx, StoreError, Written};
use stillpoint_pg::Session;

use super::PostgresStore;
use super::access::{MAINTENANCE, server};
use super::pin::databases;
use crate::toolbox::cancellable;

/// The mark of the whole server.
const NEXT: &str = "next transaction";
/// How the mark of a database ends.
const ROWS: &str = ": rows written";

/// The ten seconds, and one for the report's way.
const REPORTED: Duration = Duration::from_secs(11);

/// The report's way alone: half a second before version 15 (`PGSTAT_STAT_INTERVAL`), none since.
const ARRIVED: Duration = Duration::from_secs(1);

/// Whoever may write and has not ended: anybody but us and the server's own upkeep.
const SOMEBODY: &str = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL \
    AND backend_type <> 'autovacuum worker' \
    AND application_name NOT IN ('stillpoint', 'pg_dump', 'pg_dumpall', 'pg_restore')";

/// Spelled so that every version knows it.
const NEXT_TRANSACTION: &str = "SELECT txid_snapshot_xmax(txid_current_snapshot())";

/// Catalogs too: a TRUNCATE or a new table shows nowhere else. What ANALYZE writes is left out, and what is
/// stored out of line: a row that has some is counted by itself.
const ROWS_WRITTEN: &str = "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_all_tables \
    WHERE schemaname <> 'pg_toast' \
    AND NOT (schemaname = 'pg_catalog' AND relname IN ('pg_statistic', 'pg_statistic_ext_data'))";

/// Whether a process of the server is one that an extension runs, which may write by itself. `pg_cron` is held off; the rest is
/// the server's own (`pgstat_get_backend_desc` and `GetBackgroundWorkerTypeByPid`).
pub(super) const IS_WORKER: &str = "(backend_type NOT IN ('archiver', 'autovacuum launcher', 'autovacuum worker', \
    'background writer', 'checkpointer', 'client backend', 'io worker', 'logger', 'logical replication launcher', \
    'parallel worker', 'pg_cron launcher', 'slotsync worker', 'standalone backend', 'startup', 'walreceiver', 'walsender', \
    'walsummarizer', 'walwriter') AND backend_type NOT LIKE 'pg_cron%' AND datname IS NOT NULL)";

fn clients_query() -> String {
    format!(
        "SELECT CASE WHEN backend_type = 'client backend' THEN format('%s on %s from %s (%s, %s)', usename, datname, \
            coalesce(host(client_addr), 'its socket'), coalesce(nullif(application_name, ''), 'no name'), state) \
        ELSE format('the server''s own worker `%s` on %s (%s)', backend_type, datname, coalesce(usename, 'no role')) END \
        FROM pg_stat_activity WHERE (backend_type = 'client backend' OR {IS_WORKER}) AND pid <> pg_backend_pid() \
        AND application_name NOT IN ('stillpoint', 'pg_dump', 'pg_dumpall', 'pg_restore') ORDER BY 1"
    )
}

impl PostgresStore {
    pub(super) async fn mark(&self, cx: &Cx) -> Result<Watermark, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let (next, databases) = (next(cx, &session).await, databases(&session).await);
        session.close().await;
        let (next, databases) = (next?, databases?);
        let mut marks = Watermark([(NEXT.to_owned(), next)].into());
        for database in databases {
            let rows = self.number(cx, &database, ROWS_WRITTEN).await?;
            marks.0.insert(format!("{database}{ROWS}"), rows);
        }
        Ok(marks)
    }

    pub(super) async fn compare_mark(&self, cx: &Cx, before: &Watermark) -> Result<Written, StoreError> {
        if before.0.get(NEXT) == Some(&self.number(cx, MAINTENANCE, NEXT_TRANSACTION).await?) {
            let (after, moved) = (before.clone(), Vec::new());
            return Ok(Written { after, moved });
        }
        let somebody = self.number(cx, MAINTENANCE, SOMEBODY).await? > 0;
        let patience = if somebody { REPORTED } else { ARRIVED };
        cancellable(cx, cx.clock.sleep(patience)).await?;
        let after = self.mark(cx).await?;
        let moved = before
            .differences(&after)
            .filter_map(|(name, was, is)| Some((name.strip_suffix(ROWS)?, was, is)))
            .map(|(database, was, is)| format!("{} rows in database `{database}`", is.abs_diff(was)))
            .collect();
        Ok(Written { after, moved })
    }

    pub(super) async fn connected(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let found = session.column(cx.idle_limit, &clients_query()).await;
        session.close().await;
        found.map_err(|error| server("listing who is connected", error))
    }

    /// Workers inside the server that no stop keeps from writing, each a sentence.
    pub(super) async fn workers(&self, cx: &Cx, session: &Session) -> Result<Vec<String>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT format('`%s` on `%s`', backend_type, datname) FROM pg_stat_activity WHERE {IS_WORKER} ORDER BY 1"
        );
        let found = session.column(cx.idle_limit, &sql).await;
        let found = found.map_err(|error| server("looking for workers inside the server", error))?;
        let told = found.into_iter().map(|worker| {
            format!(
                "{}: worker {worker} runs inside the server and is not stopped: if it writes while the platform stands still, \
                 the backup fails and names it",
                self.name
            )
        });
        Ok(told.collect())
    }

    async fn number(&self, cx: &Cx, database: &str, sql: &str) -> Result<u64, StoreError> {
        let session = self.open(cx, database).await?;
        let number = number(cx, &session, sql).await;
        session.close().await;
        number
    }
}

async fn next(cx: &Cx, session: &Session) -> Result<u64, StoreError> {
    number(cx, session, NEXT_TRANSACTION).await
}

async fn number(cx: &Cx, session: &Session, sql: &str) -> Result<u64, StoreError> {
    let text = session.value(cx.idle_limit, sql).await;
    let text = text.map_err(|error| server("reading the mark of writes", error))?;
    text.parse().map_err(|_| StoreError::Server {
        doing: "reading the mark of writes".to_owned(),
        cause: format!("`{text}` is not a number").into(),
    })
}
