//! Looking, while the platform runs, whether a dump or a restore can succeed. Writes nothing.

use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::stores::{Cx, Preflight, Reasons, StoreError};
use stillpoint_pg::Session;

use super::access::{MAINTENANCE, server};
use super::pin::BACKED_UP;
use super::{PostgresStore, aside, extensions, jobs, locks, tablespaces};
use crate::toolbox::room;

/// The fact that says how many bytes the databases had in the server, indexes and all.
pub(super) const BYTES: &str = "database bytes";

/// The databases that are no part of a backup, with the reason; the server's own templates hold nobody's data.
const LEFT_OUT: &str = "SELECT format('`%s` %s', datname, CASE WHEN datconnlimit = -2 THEN 'is left of an interrupted drop' \
    WHEN datistemplate THEN 'is a template' ELSE 'takes no connections' END) FROM pg_database d \
    WHERE (NOT datallowconn OR datconnlimit = -2 OR datistemplate) AND datname NOT IN ('template0', 'template1') \
    AND NOT EXISTS (SELECT FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = d.oid \
        AND s.setrole = 0 AND c LIKE 'stillpoint.true_name=%') ORDER BY datname";

impl PostgresStore {
    pub(super) async fn look(&self, cx: &Cx) -> Result<Preflight, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let looked = self.look_at_server(cx, &session).await;
        session.close().await;
        let preflight = looked?;
        self.probe_tools(cx).await?;
        self.dump_globals(cx).await?;
        Ok(preflight)
    }

    async fn look_at_server(&self, cx: &Cx, session: &Session) -> Result<Preflight, StoreError> {
        self.must_be_superuser(cx, session).await?;
        self.must_be_no_standby(cx, session).await?;
        let ask = |sql: String| async move {
            session
                .value(cx.idle_limit, &sql)
                .await
                .map_err(|error| server("looking", error))
        };
        self.must_have_capacity(cx, session).await?;
        self.must_be_to_be_locked(cx, session).await?;
        let bytes = format!("SELECT sum(pg_database_size(oid)) FROM pg_database WHERE {BACKED_UP}");
        let bytes = ask(bytes).await?;
        Ok(Preflight {
            version: ask("SHOW server_version".to_owned()).await?,
            bytes: bytes.parse().unwrap_or(0),
            spool: 0,
            warnings: {
                let held_off = jobs::left_held_off(cx, session).await?;
                let held_off = held_off.map(|told| format!("{}: {told}", self.name));
                self.left_out(cx, session).await?.into_iter().chain(held_off).collect()
            },
            in_volume: None,
        })
    }

    /// A standby that receives from its primary is known before. What this one lacks is its primary, and its data is as old as that.
    async fn must_be_no_standby(&self, cx: &Cx, session: &Session) -> Result<(), StoreError> {
        let standby = session.value(cx.idle_limit, "SELECT pg_is_in_recovery()").await;
        match standby.map_err(|error| server("looking", error))?.as_str() {
            "t" => Err(StoreError::Unfit(format!(
                "{}: the server is a standby and receives nothing from its primary now: start the primary, which is what is backed \
                 up, or say that this is no store (`kind = \"none\"` in [stores.<container>], or the label `stillpoint.kind: none`)",
                self.name
            ))),
            _ => Ok(()),
        }
    }

    /// A prepared transaction lets nobody lock what it holds, however long a pin waits.
    async fn must_be_to_be_locked(&self, cx: &Cx, session: &Session) -> Result<(), StoreError> {
        let looking = |error| server("looking for prepared transactions", error);
        let prepared = "SELECT DISTINCT database FROM pg_prepared_xacts JOIN pg_database ON datname = database \
                        WHERE datallowconn";
        let databases = session.column(cx.idle_limit, prepared).await.map_err(looking)?;
        for database in databases {
            let inside = self.open(cx, &database).await?;
            let held = inside.column(cx.idle_limit, locks::HELD).await;
            inside.close().await;
            let held = held.map_err(looking)?;
            if !held.is_empty() {
                return Err(StoreError::Unfit(format!(
                    "{}: {}: end it with COMMIT PREPARED or ROLLBACK PREPARED, no dump gets past it",
                    self.name,
                    held.join("; ")
                )));
            }
        }
        Ok(())
    }

    /// Only a superuser may read the roles' passwords and lock every table.
    async fn must_be_superuser(&self, cx: &Cx, session: &Session) -> Result<(), StoreError> {
        let sql = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
        match session
            .value(cx.idle_limit, sql)
            .await
            .map_err(|error| server("looking", error))?
            .as_str()
        {
            "t" => Ok(()),
            _ => Err(StoreError::Unfit(format!(
                "{}: role `{}` is not a superuser",
                self.name,
                self.access.user()
            ))),
        }
    }

    async fn left_out(&self, cx: &Cx, session: &Session) -> Result<Vec<String>, StoreError> {
        let closed = session
            .column(cx.idle_limit, LEFT_OUT)
            .await
            .map_err(|error| server("looking", error))?;
        let closed = closed
            .iter()
            .map(|why| format!("{}: database {why} and is not backed up", self.name));
        let set_aside = aside::present(cx, session).await?;
        let set_aside = set_aside.iter().map(|(aside, name)| {
            format!(
                "{}: `{aside}`, which is database `{name}` as it was before a restore, is not backed up \
                 (`stillpoint restore discard-old` frees it)",
                self.name
            )
        });
        let workers = self.workers(cx, session).await?;
        let left_out = self.warn_of_left_out(cx, session).await?;
        Ok(closed.chain(set_aside).chain(workers).chain(left_out).collect())
    }

    /// Whether the record's dumps can be loaded into this server.
    pub(super) async fn fits(&self, cx: &Cx, record: &StoreRecord) -> Result<(), StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let fits = self.compare(cx, &session, record).await;
        session.close().await;
        fits
    }

    /// The server's version, in its own words.
    pub(super) async fn version(&self, cx: &Cx) -> Result<String, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let version = version(cx, &session).await;
        session.close().await;
        version
    }

    async fn compare(&self, cx: &Cx, session: &Session, record: &StoreRecord) -> Result<(), StoreError> {
        self.must_be_superuser(cx, session).await?;
        let mut reasons = Reasons::default();
        let version = version(cx, session).await?;
        if major(&version) < major(&record.version) {
            reasons.note(Err(StoreError::Unfit(format!(
                "{}: the backup is of PostgreSQL {}, the server is the older {version}",
                self.name, record.version
            ))))?;
        }
        reasons.note(extensions::compare(cx, session, &self.name, record).await)?;
        reasons.note(tablespaces::compare(cx, session, &self.name, record).await)?;
        reasons.note(self.must_have_what_is_needed(cx, session, record).await)?;
        reasons.note(self.must_be_free(cx, session, record).await)?;
        reasons.note(self.must_have_room(cx, session, record).await)?;
        reasons.into_result()
    }
}

impl PostgresStore {
    /// Nobody's connection keeps a database from being renamed, and no prepared transaction may: only its owner knows whether
    /// it was to be committed.
    async fn must_be_free(&self, cx: &Cx, session: &Session, record: &StoreRecord) -> Result<(), StoreError> {
        let held = session
            .column(cx.idle_limit, "SELECT DISTINCT database FROM pg_prepared_xacts")
            .await
            .map_err(|error| server("looking", error))?;
        let is_replaced = |name: &&String| record.artifacts.iter().any(|one| one.of.as_ref() == Some(*name));
        match held.iter().find(is_replaced) {
            None => Ok(()),
            Some(name) => Err(StoreError::Unfit(format!(
                "{}: database `{name}` has prepared transactions: end them first (pg_prepared_xacts lists them)",
                self.name
            ))),
        }
    }

    /// Old and new databases stand side by side until everything was compared.
    async fn must_have_room(&self, cx: &Cx, session: &Session, record: &StoreRecord) -> Result<(), StoreError> {
        // What others made does not tell.
        let Some(needed) = record.facts.get(BYTES).and_then(|bytes| bytes.parse::<u64>().ok()) else {
            return Ok(());
        };
        let folder = session
            .value(cx.idle_limit, "SHOW data_directory")
            .await
            .map_err(|error| server("looking", error))?;
        match room(cx, &self.workload, &folder).await? {
            Some(room) if room < needed => Err(StoreError::Unfit(format!(
                "{}: {folder} has room for {room} bytes, the backup's databases need {needed} beside the present ones",
                self.name
            ))),
            _ => Ok(()),
        }
    }
}

async fn version(cx: &Cx, session: &Session) -> Result<String, StoreError> {
    let version = session.value(cx.idle_limit, "SHOW server_version").await;
    version.map_err(|error| server("asking for the version", error))
}

/// The major version: since 10 the number before the first dot.
pub(super) fn major(version: &str) -> u32 {
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}
