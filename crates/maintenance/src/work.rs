//! A session in one database, with what every statement of upkeep needs: a limit, an end when the run is cancelled, and words for
//! its error.

use std::time::Duration;

use stillpoint_core::stores::Cx;
use stillpoint_pg::{Session, Via};

use crate::{Dagster, Failed};

/// What looks and changes little.
pub(crate) const SHORT: Duration = Duration::from_mins(2);

/// For a lock we wait no longer: whoever comes behind us waits for it too. Rows are read in the order of their age, a few of many: a
/// bitmap would read them all for each batch. Nothing of it takes more than one processor: the others are Dagster's.
const SETTINGS: &str = "SET lock_timeout = '5s'; SET work_mem = '64MB'; SET DateStyle = 'ISO, YMD'; SET jit = off; \
    SET TimeZone = 'UTC'; SET enable_bitmapscan = off; \
    SET random_page_cost = 1.1; SET max_parallel_workers_per_gather = 0; SET max_parallel_maintenance_workers = 0";

/// Who is at work in a database.
pub(crate) struct Work<'a> {
    pub(crate) cx: &'a Cx,
    session: Session,
}

pub(crate) type Row = Vec<Option<String>>;

impl<'a> Work<'a> {
    /// Logs in.
    pub(crate) async fn begin(dagster: &Dagster, cx: &'a Cx, database: &str) -> Result<Self, Failed> {
        let via = via(cx);
        let opened = cx.cancel.run_until_cancelled(dagster.server.open(&via, database)).await;
        let session = opened.ok_or(Failed::Cancelled)?.map_err(Failed::Login)?;
        let work = Self { cx, session };
        let set = work.run(SHORT, "preparing a session", SETTINGS).await;
        match set {
            Ok(()) => Ok(work),
            Err(error) => work.end(Err(error)).await,
        }
    }

    /// Logs out; what may still be at work is ended.
    pub(crate) async fn end<T>(self, outcome: Result<T, Failed>) -> Result<T, Failed> {
        match &outcome {
            Err(failed) if failed.leaves_work() => self.session.abort().await,
            _ => self.session.close().await,
        }
        outcome
    }

    /// Rows as text; NULL is none.
    pub(crate) async fn rows(&self, limit: Duration, doing: &str, sql: &str) -> Result<Vec<Row>, Failed> {
        let asked = self.cx.cancel.run_until_cancelled(self.session.rows(limit, sql)).await;
        asked.ok_or(Failed::Cancelled)?.map_err(|cause| Failed::Server {
            doing: doing.to_owned(),
            cause,
        })
    }

    /// Statements whose results do not matter.
    pub(crate) async fn run(&self, limit: Duration, doing: &str, sql: &str) -> Result<(), Failed> {
        self.rows(limit, doing, sql).await.map(drop)
    }

    /// The first column; NULL is the empty text.
    pub(crate) async fn column(&self, limit: Duration, doing: &str, sql: &str) -> Result<Vec<String>, Failed> {
        let rows = self.rows(limit, doing, sql).await?;
        Ok(rows.into_iter().map(|row| text(&row, 0)).collect())
    }

    /// One value; NULL and no row are the empty text.
    pub(crate) async fn value(&self, limit: Duration, doing: &str, sql: &str) -> Result<String, Failed> {
        Ok(self
            .column(limit, doing, sql)
            .await?
            .into_iter()
            .next()
            .unwrap_or_default())
    }

    /// Waits, unless the run is cancelled.
    pub(crate) async fn sleep(&self, span: Duration) -> Result<(), Failed> {
        let slept = self.cx.cancel.run_until_cancelled(self.cx.clock.sleep(span)).await;
        slept.ok_or(Failed::Cancelled)
    }

    /// Who holds a lock on a table that keeps writers away; `table` is a qualified name, quoted.
    pub(crate) async fn who_locks(&self, table: &str) -> String {
        let sql = format!(
            "SELECT format('process %s (%s, %s)', a.pid, coalesce(nullif(a.application_name, ''), a.usename), a.state) \
             FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.granted AND l.pid <> pg_backend_pid() \
             AND l.relation = '{}'::regclass AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', \
             'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') GROUP BY 1 ORDER BY 1 LIMIT 5",
            table.replace('\'', "''")
        );
        match self.column(SHORT, "looking for who holds the lock", &sql).await {
            Ok(holders) if !holders.is_empty() => format!("it is held by {}", holders.join(", ")),
            _ => "nobody can be told who holds it".to_owned(),
        }
    }
}

/// By what the server is reached.
pub(crate) fn via(cx: &Cx) -> Via {
    Via {
        shell: cx.shell.clone(),
        reach: cx.reach.clone(),
        clock: cx.clock.clone(),
        limit: cx.idle_limit,
    }
}

/// A value of a row; NULL is the empty text.
pub(crate) fn text(row: &Row, at: usize) -> String {
    row.get(at).cloned().flatten().unwrap_or_default()
}

/// A number of a row; none is 0.
pub(crate) fn number(row: &Row, at: usize) -> u64 {
    let text = text(row, at);
    // A difference of two moments may be below 0 when a server has started anew.
    text.parse().unwrap_or(0)
}

/// Milliseconds of a span.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
