//! Jobs of `pg_cron` while a server is loaded: they would write into what is not compared yet. Its launcher is told to begin
//! none, by a setting of the server that is remembered beside it, until all was compared or put back. A `pg_cron` that has no
//! such setting begins them as soon as they are loaded: that is told.

use std::time::Duration;

use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::Session;
use stillpoint_pg::quote::literal;

use super::PostgresStore;
use super::access::{MAINTENANCE, server};
use super::needs::{CRON_DATABASE, CRON_PORT};
use super::parts::databases;
use crate::documentdb;

/// `pg_cron`'s own; a reload is enough for it.
const LAUNCH: &str = "cron.launch_active_jobs";

/// Remembers, as a setting of the maintenance database, what `ALTER SYSTEM` had said about it.
const HELD_OFF: &str = "stillpoint.jobs_held_off";

/// `ALTER SYSTEM` had said nothing.
const UNSAID: &str = "unsaid";

/// How long a server may take to heed a reload, and how often it is asked.
const HEEDS_WITHIN: Duration = Duration::from_secs(10);
const ASKED_EVERY: Duration = Duration::from_millis(50);

const PRELOADED: &str = "SELECT count(*) FROM unnest(string_to_array(current_setting('shared_preload_libraries'), ',')) l \
    WHERE btrim(l, ' \"') = 'pg_cron'";

const SAID: &str = "SELECT setting FROM pg_file_settings WHERE name = 'cron.launch_active_jobs' \
    AND sourcefile LIKE '%postgresql.auto.conf'";

impl PostgresStore {
    /// Before anything is loaded. May be repeated.
    pub(super) async fn hold_jobs_off(&self, cx: &Cx, session: &Session) -> Result<(), StoreError> {
        let ask = async |sql: &str| session.value(cx.idle_limit, sql).await.map_err(failed);
        if still_held_off(cx, session).await?.is_none() {
            match ask(&launches()).await?.as_str() {
                "on" => {}
                // Its operator has said so.
                "off" => return Ok(()),
                _ if ask(PRELOADED).await? == "0" => return Ok(()),
                _ => {
                    cx.report.warn(format!(
                        "{}: this pg_cron has no `{LAUNCH}`: its jobs begin as soon as they are loaded",
                        self.name
                    ));
                    return Ok(());
                }
            }
            let said = ask(SAID).await?;
            let said = if said.is_empty() { UNSAID } else { &said };
            let remember = format!("ALTER DATABASE {MAINTENANCE} SET {HELD_OFF} TO {}", literal(said));
            session.run(cx.idle_limit, &remember).await.map_err(failed)?;
        }
        tell(cx, session, &format!("ALTER SYSTEM SET {LAUNCH} TO off")).await?;
        let begun = cx.clock.elapsed();
        while ask(&launches()).await? != "off" {
            if cx.clock.elapsed().saturating_sub(begun) > HEEDS_WITHIN {
                cx.report.warn(format!(
                    "{}: `{LAUNCH}` cannot be set (is it on the server's command line?): jobs of pg_cron begin as soon as they \
                     are loaded",
                    self.name
                ));
                break;
            }
            cx.clock.sleep(ASKED_EVERY).await;
        }
        Ok(())
    }

    /// A job begins by a connection to the server's own port, as it was when the job was made.
    pub(super) async fn mend_ports_of_jobs(&self, cx: &Cx, record: &StoreRecord) -> Result<(), StoreError> {
        let (Some(database), Some(port)) = (record.facts.get(CRON_DATABASE), record.facts.get(CRON_PORT)) else {
            return Ok(());
        };
        if !databases(record).contains(database) {
            return Ok(());
        }
        let session = self.open(cx, database).await?;
        let mend = format!(
            "DO $$ BEGIN IF to_regclass('cron.job') IS NOT NULL THEN UPDATE cron.job SET nodeport = current_setting('port')::integer \
             WHERE nodename IN ('', 'localhost') AND nodeport = {}::integer; END IF; END $$",
            literal(port)
        );
        let mended = session.run(cx.idle_limit, &mend).await.map_err(failed);
        session.close().await;
        mended
    }

    /// When all was compared, or put back. Returns what rests until the server starts anew.
    pub(super) async fn let_jobs_go_on(&self, cx: &Cx) -> Result<Option<String>, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let done = async {
            if let Some(said) = still_held_off(cx, &session).await? {
                tell(cx, &session, &back(&said)).await?;
                forget(cx, &session).await?;
            }
            let has_workers = documentdb::has_workers(&session, cx.idle_limit).await.map_err(failed)?;
            Ok(has_workers.then(|| documentdb::RESTING.to_owned()))
        };
        let done = done.await;
        session.close().await;
        done
    }
}

/// What is told of jobs that a restore has held off and nobody has let go.
pub(super) async fn left_held_off(cx: &Cx, session: &Session) -> Result<Option<String>, StoreError> {
    let said = held_off(cx, session).await?;
    let is_known = is_known(cx, session).await?;
    Ok(said.filter(|_| is_known).map(|said| {
        format!(
            "jobs of pg_cron do not run since a restore that did not end: `{}`, `SELECT pg_reload_conf()` and \
             `ALTER DATABASE {MAINTENANCE} RESET {HELD_OFF}` let them",
            back(&said)
        )
    }))
}

/// What lets jobs begin again, where `ALTER SYSTEM` had said this before.
fn back(said: &str) -> String {
    if said == UNSAID {
        format!("ALTER SYSTEM RESET {LAUNCH}")
    } else {
        format!("ALTER SYSTEM SET {LAUNCH} TO {}", literal(said))
    }
}

/// What `ALTER SYSTEM` had said before they were held off; none: they are not.
async fn held_off(cx: &Cx, session: &Session) -> Result<Option<String>, StoreError> {
    let sql = format!(
        "SELECT split_part(c, '=', 2) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, \
         unnest(s.setconfig) c WHERE d.datname = '{MAINTENANCE}' AND s.setrole = 0 AND c LIKE '{HELD_OFF}=%'"
    );
    let said = session.value(cx.idle_limit, &sql).await.map_err(failed)?;
    Ok(Some(said).filter(|said| !said.is_empty()))
}

/// The same. A server that has lost its `pg_cron` meanwhile has no such setting, and none can be put back: the mark is
/// forgotten.
async fn still_held_off(cx: &Cx, session: &Session) -> Result<Option<String>, StoreError> {
    let said = held_off(cx, session).await?;
    if said.is_some() && !is_known(cx, session).await? {
        forget(cx, session).await?;
        return Ok(None);
    }
    Ok(said)
}

/// A server without `pg_cron` knows its setting as long as a file of its own names it.
async fn is_known(cx: &Cx, session: &Session) -> Result<bool, StoreError> {
    let launches = session.value(cx.idle_limit, &launches()).await;
    Ok(!launches.map_err(failed)?.is_empty())
}

async fn forget(cx: &Cx, session: &Session) -> Result<(), StoreError> {
    let forget = format!("ALTER DATABASE {MAINTENANCE} RESET {HELD_OFF}");
    session.run(cx.idle_limit, &forget).await.map_err(failed)
}

/// `ALTER SYSTEM` stands in no transaction.
async fn tell(cx: &Cx, session: &Session, statement: &str) -> Result<(), StoreError> {
    for sql in [statement, "SELECT pg_reload_conf()"] {
        session.run(cx.idle_limit, sql).await.map_err(failed)?;
    }
    Ok(())
}

fn launches() -> String {
    format!("SELECT current_setting('{LAUNCH}', true)")
}

fn failed(error: stillpoint_pg::PgError) -> StoreError {
    server("holding jobs of pg_cron off", error)
}
