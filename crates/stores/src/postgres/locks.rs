//! The locks that keep everything a dump reads from being changed under it, and who it was that a lock could not be had
//! for.

use stillpoint_core::stores::StoreError;
use stillpoint_pg::{PgError, Session};

use super::access::server;
use super::pin::STATEMENT;

const TABLES: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1";

/// What `LOCK TABLE` does not lock and a dump reads the definition of. A sequence that belongs to a table's column is
/// protected with the table.
const OTHERS: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE (c.relkind IN ('v', 'm', 'f') OR c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d \
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass \
        AND d.deptype IN ('a', 'i'))) \
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1";

/// How many are locked by one statement.
const AT_ONCE: usize = 200;

/// Who has what we wanted. A prepared transaction keeps the virtual one of the session that prepared it; its lock on its own
/// number tells which it is.
const WHO: &str = "SELECT format('%s is locked by %s', l.relation::regclass, CASE \
        WHEN l.pid IS NULL THEN format('the prepared transaction `%s` of `%s`: commit it or roll it back', p.gid, p.owner) \
        ELSE format('process %s of `%s` (%s, %s, since %s)', l.pid, a.usename, \
            coalesce(nullif(a.application_name, ''), 'no name'), a.state, \
            date_trunc('second', coalesce(a.xact_start, a.query_start))) END) \
    FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
    LEFT JOIN pg_locks t ON l.pid IS NULL AND t.pid IS NULL AND t.locktype = 'transactionid' AND t.granted \
        AND t.virtualtransaction = l.virtualtransaction \
    LEFT JOIN pg_prepared_xacts p ON p.transaction = t.transactionid \
    WHERE l.locktype = 'relation' AND l.granted AND l.mode IN ('AccessExclusiveLock', 'ExclusiveLock') \
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.relation >= 16384 \
    AND l.pid IS DISTINCT FROM pg_backend_pid() AND a.application_name IS DISTINCT FROM 'stillpoint' \
    ORDER BY l.mode, l.pid NULLS FIRST LIMIT 3";

/// Tables that a prepared transaction keeps from everybody, also from a dump: it holds them until somebody ends it.
pub(super) const HELD: &str = "SELECT DISTINCT format('%s of database `%s` is locked by the prepared transaction `%s` of `%s`', \
        c.oid::regclass, current_database(), p.gid, p.owner) \
    FROM pg_prepared_xacts p \
    JOIN pg_locks t ON t.pid IS NULL AND t.locktype = 'transactionid' AND t.granted AND t.transactionid = p.transaction \
    JOIN pg_locks l ON l.pid IS NULL AND l.virtualtransaction = t.virtualtransaction \
    JOIN pg_class c ON c.oid = l.relation \
    WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock' AND c.relkind IN ('r', 'p') \
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 3";

/// `lock_not_available`, `out_of_memory` of shared memory, `deadlock_detected`.
const NOT_HAD: &str = "55P03";
const NO_SLOT: &str = "53200";
const DEADLOCK: &str = "40P01";

/// Locks every table, view, materialised view, foreign table and lone sequence against being changed or dropped. Reading
/// and writing go on. A few at a time: a statement with thousands of names is no better.
pub(super) async fn lock_all(session: &Session) -> Result<(), PgError> {
    for tables in session.column(STATEMENT, TABLES).await?.chunks(AT_ONCE) {
        let lock = format!("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", tables.join(", ONLY "));
        session.run(STATEMENT, &lock).await?;
    }
    for (chunk, others) in session.column(STATEMENT, OTHERS).await?.chunks(AT_ONCE).enumerate() {
        if !try_others(session, &format!("all_{chunk}"), others).await? {
            for (place, other) in others.iter().enumerate() {
                try_others(session, &format!("one_{chunk}_{place}"), std::slice::from_ref(other)).await?;
            }
        }
    }
    Ok(())
}

/// A statement that is prepared has its relations locked until the transaction ends, and is never run. A view may be
/// such that nobody can ask it: false.
async fn try_others(session: &Session, name: &str, others: &[String]) -> Result<bool, PgError> {
    let from: Vec<String> = others
        .iter()
        .enumerate()
        .map(|(place, other)| format!("{other} AS t{place}"))
        .collect();
    session.run(STATEMENT, "SAVEPOINT others").await?;
    let prepare = format!("PREPARE stillpoint_{name} AS SELECT FROM {}", from.join(", "));
    match session.run(STATEMENT, &prepare).await {
        Ok(()) => {
            session.run(STATEMENT, "RELEASE SAVEPOINT others").await?;
            Ok(true)
        }
        Err(PgError::Statement { code, .. }) if ![NOT_HAD, NO_SLOT, DEADLOCK].contains(&code.as_str()) => {
            session.run(STATEMENT, "ROLLBACK TO SAVEPOINT others").await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Why a database could not be pinned: where a lock could not be had, who has it. The session's transaction is given up.
pub(super) async fn lock_failed(session: &Session, database: &str, error: PgError) -> StoreError {
    let doing = format!("pinning database `{database}`");
    match &error {
        PgError::Statement { code, message } if code == NO_SLOT => StoreError::Server {
            doing,
            cause: format!("{message}; raise `max_locks_per_transaction` of the server").into(),
        },
        PgError::Statement { code, .. } if code == NOT_HAD || code == DEADLOCK => {
            drop(session.run(STATEMENT, "ROLLBACK").await);
            match session.column(STATEMENT, WHO).await {
                Ok(who) if !who.is_empty() => StoreError::Server {
                    doing,
                    cause: who.join("; ").into(),
                },
                // Whoever it was has let go, or cannot be seen: the server's words are all there is.
                _ => server(doing, error),
            }
        }
        _ => server(doing, error),
    }
}
