//! Jobs of `pg_cron` are writers inside the server. They are held off by a lock: it goes with the transaction that took
//! it, and no setting is changed.

use std::time::Duration;

use crate::{PgError, Session};

/// What `pg_cron` writes before it begins a job, where a database has it. A lock that keeps writers out lets readers in.
const CRON: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' \
    JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_cron' WHERE c.relname = 'job_run_details'";

/// The table that holds the jobs of a database off while it is locked; none where the database has no `pg_cron`.
pub async fn table(session: &Session, limit: Duration) -> Result<Option<String>, PgError> {
    let table = session.value(limit, CRON).await?;
    Ok(Some(table).filter(|table| !table.is_empty()))
}

/// Begins a transaction in which no job begins.
pub async fn hold_off(session: &Session, limit: Duration, table: &str) -> Result<(), PgError> {
    let lock = format!("BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE");
    session.run(limit, &lock).await
}
