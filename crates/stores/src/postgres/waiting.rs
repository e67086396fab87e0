//! Clients that wait for the locks of a backup. They are watched from the pin to the last byte; what they waited is told,
//! and a database whose clients wait too long is let go, which fails the backup.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use stillpoint_core::events::{EventKind, millis};
use stillpoint_core::names::StoreName;
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::quote::literal;
use stillpoint_pg::{PgError, Session};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::PostgresStore;
use super::access::MAINTENANCE;
use super::pin::STATEMENT;

/// How often is looked.
const EVERY: Duration = Duration::from_secs(1);

/// Who waits for us, and who waits behind them: database, milliseconds of the statement so far, statement. Those who wait
/// for us themselves come first. What has no statement is no client: a worker of the server, such as `pg_cron`'s launcher.
const WAITING: &str = "WITH RECURSIVE waits AS MATERIALIZED (\
        SELECT a.pid, a.datname, a.query, a.query_start, b.pid AS blocker \
        FROM pg_stat_activity a, unnest(pg_blocking_pids(a.pid)) b(pid) \
        WHERE a.wait_event_type = 'Lock' AND a.datname IS NOT NULL \
        AND a.application_name NOT IN ('stillpoint', 'pg_dump')), \
    blocked AS (\
        SELECT w.pid, w.datname, w.query, w.query_start, 0 AS behind FROM waits w \
        JOIN pg_stat_activity o ON o.pid = w.blocker AND o.application_name IN ('stillpoint', 'pg_dump') \
        UNION SELECT w.pid, w.datname, w.query, w.query_start, 1 FROM waits w JOIN blocked k ON k.pid = w.blocker) \
    SELECT datname, greatest(0, (1000 * extract(epoch FROM clock_timestamp() - query_start))::bigint), query \
    FROM blocked WHERE query <> '' ORDER BY behind, query_start";

/// The longest statement that is told.
const TOLD: usize = 120;

/// What clients of a database waited, and for what statement of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waited {
    pub(super) database: String,
    pub(super) span: Duration,
    pub(super) statement: String,
}

/// What was seen.
#[derive(Default)]
struct Seen {
    /// By database: since when, and the statement that was first.
    now: BTreeMap<String, (Duration, String)>,
    ended: Vec<Waited>,
    gave_way: Option<Waited>,
}

impl Seen {
    /// Takes over who waits now, each with how long the statement runs; returns who waits no more.
    fn look(&mut self, at: Duration, waiting: &[(String, Duration, String)]) -> Vec<Waited> {
        for (database, span, statement) in waiting {
            // What it did before the last look was no waiting, or it would have been seen.
            let since = at.saturating_sub((*span).min(EVERY));
            self.now
                .entry(database.clone())
                .or_insert_with(|| (since, shown(statement)));
        }
        let is_over = |database: &String| !waiting.iter().any(|(waits, ..)| waits == database);
        let over: Vec<String> = self.now.keys().filter(|database| is_over(database)).cloned().collect();
        let ended: Vec<Waited> = over.iter().filter_map(|database| self.end(at, database)).collect();
        self.ended.extend(ended.iter().cloned());
        ended
    }

    fn end(&mut self, at: Duration, database: &str) -> Option<Waited> {
        let (since, statement) = self.now.remove(database)?;
        Some(Waited {
            database: database.to_owned(),
            span: at.saturating_sub(since),
            statement,
        })
    }

    /// The first database whose clients have waited for that long.
    fn overdue(&self, at: Duration, limit: Duration) -> Option<Waited> {
        let waits = self.now.iter().map(|(database, (since, statement))| Waited {
            database: database.clone(),
            span: at.saturating_sub(*since),
            statement: statement.clone(),
        });
        waits
            .filter(|waited| waited.span >= limit)
            .max_by_key(|waited| waited.span)
    }
}

/// The watch over one pinned server. It ends with [`Watch::end`], at the latest when it is dropped.
pub(super) struct Watch {
    store: StoreName,
    limit: Duration,
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
    over: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch.
    pub(super) fn begin(store: &PostgresStore, cx: &Cx, limit: Duration) -> Self {
        // A pin's own end of time is none of the watch's.
        let (seen, stop) = (Arc::new(Mutex::new(Seen::default())), CancellationToken::new());
        let cx = Cx {
            cancel: stop.clone(),
            ..cx.clone()
        };
        let over = CancellationToken::new();
        let eye = Eye {
            store: store.clone(),
            cx,
            limit,
            seen: seen.clone(),
            over: over.clone(),
        };
        let task = eye.watch(stop.clone());
        Self {
            store: store.name.clone(),
            limit,
            seen,
            stop,
            over,
            task: Some(tokio::spawn(task)),
        }
    }

    /// Ends it and returns all that was waited, in the order of its ends. May be repeated.
    pub(super) async fn end(&mut self) -> Vec<Waited> {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // It cannot fail in a way that matters: what it saw is here.
            let _ = task.await;
        }
        locked(&self.seen).ended.clone()
    }

    /// Runs `act`, and tells it to stop once a database was let go: the backup has failed then.
    pub(super) async fn unless_over<F: Future>(&self, cx: &Cx, act: impl FnOnce(Cx) -> F) -> F::Output {
        let own = Cx {
            cancel: cx.cancel.child_token(),
            ..cx.clone()
        };
        let cancel = own.cancel.clone();
        match select(pin!(act(own)), pin!(self.over.cancelled())).await {
            Either::Left((output, _)) => output,
            Either::Right(((), act)) => {
                cancel.cancel();
                act.await
            }
        }
    }

    /// Why a database was let go, if one was.
    pub(super) fn gave_way(&self) -> Option<StoreError> {
        let seen = locked(&self.seen);
        let Waited {
            database,
            span,
            statement,
        } = seen.gave_way.as_ref()?;
        let (store, limit) = (&self.store, self.limit.as_secs());
        Some(StoreError::Server {
            doing: format!("dumping database `{database}`"),
            cause: format!(
                "it gave way to `{statement}`, which had waited {} s for its locks (`max_blocked_seconds` is {limit}): set \
                 `mode = \"hold\"` for {store}, so that its clients stay down until it is dumped, or raise the limit",
                span.as_secs()
            ).into(),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn locked(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What watches.
struct Eye {
    store: PostgresStore,
    cx: Cx,
    limit: Duration,
    seen: Arc<Mutex<Seen>>,
    over: CancellationToken,
}

impl Eye {
    async fn watch(self, stop: CancellationToken) {
        let mut session = None;
        while let Either::Right(_) = select(pin!(stop.cancelled()), pin!(self.cx.clock.sleep(EVERY))).await {
            if session.is_none() {
                session = self.store.open(&self.cx, MAINTENANCE).await.ok();
            }
            let Some(open) = &session else { continue };
            if self.look(open).await.is_err() {
                // The server may be restarting. Its sessions are gone then, and so is the pin; another look tells.
                session = None;
            }
        }
        let at = self.cx.clock.elapsed();
        let ended = locked(&self.seen).look(at, &[]);
        self.tell(&ended);
        if let Some(session) = session {
            session.close().await;
        }
    }

    async fn look(&self, session: &Session) -> Result<(), PgError> {
        let rows = session.rows(STATEMENT, WAITING).await?;
        let waiting: Vec<_> = rows.into_iter().filter_map(waiting).collect();
        let at = self.cx.clock.elapsed();
        let (ended, overdue) = {
            let mut seen = locked(&self.seen);
            let ended = seen.look(at, &waiting);
            let overdue = seen.overdue(at, self.limit);
            if seen.gave_way.is_none() {
                seen.gave_way.clone_from(&overdue);
            }
            (ended, overdue)
        };
        self.tell(&ended);
        let Some(waited) = overdue else { return Ok(()) };
        self.over.cancel();
        let_go(session, &waited.database).await
    }

    fn tell(&self, ended: &[Waited]) {
        for waited in ended {
            self.cx.report.tell(EventKind::ClientsWaited {
                store: self.store.name.clone(),
                database: waited.database.clone(),
                millis: millis(waited.span),
                statement: waited.statement.clone(),
            });
        }
    }
}

/// Ends our sessions and tools in a database: what waits for their locks goes on at once.
async fn let_go(session: &Session, database: &str) -> Result<(), PgError> {
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} AND pid <> pg_backend_pid() \
         AND application_name IN ('stillpoint', 'pg_dump')",
        literal(database)
    );
    session.run(STATEMENT, &end).await
}

fn waiting(row: Vec<Option<String>>) -> Option<(String, Duration, String)> {
    let [Some(database), Some(span), statement] = <[Option<String>; 3]>::try_from(row).ok()? else {
        return None;
    };
    let span = Duration::from_millis(span.parse().ok()?);
    Some((database, span, statement.unwrap_or_default()))
}

/// The fact of all that was waited; none if nothing was.
pub(super) fn told(waited: &[Waited]) -> Option<String> {
    let longest = waited.iter().max_by_key(|waited| waited.span)?;
    let all: Duration = waited.iter().map(|waited| waited.span).sum();
    Some(format!(
        "{:.1} s, longest {:.1} s in database `{}`: {}",
        all.as_secs_f64(),
        longest.span.as_secs_f64(),
        longest.database,
        longest.statement
    ))
}

/// A statement as it may be shown: in one line, not long, and without what is quoted in it.
fn shown(statement: &str) -> String {
    let without = stillpoint_pg::script::without_texts(statement);
    let line = without.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TOLD) {
        Some((cut, _)) => format!("{} …", &line[..cut]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn waits(database: &str, statement: &str) -> (String, Duration, String) {
        (database.to_owned(), at(100), statement.to_owned())
    }

    #[test]
    fn what_clients_wait_is_measured_and_who_waits_too_long_is_found() {
        let mut seen = Seen::default();
        assert!(
            seen.look(at(10), &[waits("a", "TRUNCATE x"), waits("a", "SELECT")])
                .is_empty()
        );
        assert!(seen.look(at(11), &[waits("a", "TRUNCATE x")]).is_empty());
        assert_eq!(seen.overdue(at(11), at(3)), None);
        assert_eq!(seen.overdue(at(12), at(3)).unwrap().database, "a");
        let ended = seen.look(at(13), &[waits("b", "DROP TABLE y")]);
        let first = Waited {
            database: "a".to_owned(),
            span: at(4),
            statement: "TRUNCATE x".to_owned(),
        };
        assert_eq!(ended, [first]);
        assert_eq!(seen.look(at(14), &[]).len(), 1);
        assert_eq!(
            told(&seen.ended).as_deref(),
            Some("6.0 s, longest 4.0 s in database `a`: TRUNCATE x")
        );
    }

    #[test]
    fn a_statement_is_shown_short_and_without_what_is_quoted() {
        assert_eq!(
            shown("ALTER ROLE x\n  PASSWORD 'secret' ; -- 'x'"),
            "ALTER ROLE x PASSWORD '…' ;"
        );
        assert!(shown(&"x ".repeat(200)).chars().count() < 130);
    }
}
