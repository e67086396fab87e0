//! Jobs of `pg_cron` rest from before the server is marked until the marks of all stores were compared: a job writes as a
//! client does. They are held off by a lock, which goes with the session that has it.

use std::time::Duration;

use async_trait::async_trait;
use stillpoint_core::stores::{AsEver, Cx, Quiet, StoreError};
use stillpoint_pg::{Session, cron};

use super::PostgresStore;
use super::access::{MAINTENANCE, server};
use super::locks::lock_failed;
use super::pin::STATEMENT;

/// How long a job that has begun is awaited. One that takes longer may void the backup.
const JOBS_END: Duration = Duration::from_secs(10);
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// The one database that has them, where it is there.
const DATABASE: &str = "SELECT datname FROM pg_database \
    WHERE datname = current_setting('cron.database_name', true) AND datallowconn";

/// Jobs that have begun, as a worker or through a connection of the launcher's, and wait for no lock: that may be ours.
const AT_WORK: &str = "SELECT count(*) FROM pg_stat_activity WHERE (backend_type = 'pg_cron' OR application_name = 'pg_cron') \
    AND wait_event_type IS DISTINCT FROM 'Lock' AND state IS DISTINCT FROM 'idle'";

/// The session that has the lock.
struct Held(Option<Session>);

#[async_trait]
impl Quiet for Held {
    async fn end(&mut self) {
        if let Some(session) = self.0.take() {
            session.close().await;
        }
    }
}

impl PostgresStore {
    pub(super) async fn hold_cron_off(&self, cx: &Cx) -> Result<Box<dyn Quiet>, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let database = session.value(STATEMENT, DATABASE).await;
        session.close().await;
        let database = database.map_err(|error| server("looking for jobs of pg_cron", error))?;
        if database.is_empty() {
            return Ok(Box::new(AsEver));
        }
        let session = self.open(cx, &database).await?;
        match hold(cx, &session).await {
            Ok(true) => Ok(Box::new(Held(Some(session)))),
            Ok(false) => {
                session.close().await;
                Ok(Box::new(AsEver))
            }
            Err(error) => {
                let failed = lock_failed(&session, &database, error).await;
                session.close().await;
                Err(failed)
            }
        }
    }
}

/// Whether there is something to hold.
async fn hold(cx: &Cx, session: &Session) -> Result<bool, stillpoint_pg::PgError> {
    let Some(table) = cron::table(session, STATEMENT).await? else {
        return Ok(false);
    };
    cron::hold_off(session, STATEMENT, &table).await?;
    let begun = cx.clock.elapsed();
    while session.value(STATEMENT, AT_WORK).await? != "0" {
        if cx.cancel.is_cancelled() || cx.clock.elapsed().saturating_sub(begun) > JOBS_END {
            break;
        }
        cx.clock.sleep(ASKED_EVERY).await;
    }
    Ok(true)
}
