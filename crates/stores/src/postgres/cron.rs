//! Jobs of `pg_cron` are writers inside the server. They are held off until the marks of all stores have been compared,
//! by a lock in a session of its own: it goes with the session, and no setting is changed.

use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::Session;

use super::PostgresStore;
use super::locks::lock_failed;
use super::pin::STATEMENT;

/// What `pg_cron` writes before it begins a job, where a database has it. A lock that keeps writers out lets readers in.
const CRON: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' \
    JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_cron' WHERE c.relname = 'job_run_details'";

impl PostgresStore {
    /// The session that holds the jobs of a database off; none where it has no `pg_cron`. `holder` is in that database.
    pub(super) async fn hold_cron_off(
        &self,
        cx: &Cx,
        holder: &Session,
        database: &str,
    ) -> Result<Option<Session>, StoreError> {
        let table = match holder.value(STATEMENT, CRON).await {
            Ok(table) if table.is_empty() => return Ok(None),
            Ok(table) => table,
            Err(error) => return Err(lock_failed(holder, database, error).await),
        };
        let session = self.open(cx, database).await?;
        let lock = format!("BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE");
        match session.run(STATEMENT, &lock).await {
            Ok(()) => Ok(Some(session)),
            Err(error) => {
                let failed = lock_failed(&session, database, error).await;
                session.close().await;
                Err(failed)
            }
        }
    }
}
