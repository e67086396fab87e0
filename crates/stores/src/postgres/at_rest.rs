//! What of a server's data a stop would leave: folders in memory are empty then.

use stillpoint_core::stores::{AtRest, Cx, StoreError};
use stillpoint_pg::Session;

use super::PostgresStore;
use super::access::{MAINTENANCE, server};
use crate::toolbox::{mount_of, mounts};

/// What a server reads when it starts, and may not have read since it was changed. A library is a file of the server's own
/// folder of libraries, unless it says another.
const UNSTARTABLE: [&str; 4] = [
    "SELECT format('%s, line %s: %s', sourcefile, sourceline, error) FROM pg_file_settings \
        WHERE error IS NOT NULL AND error <> 'setting could not be applied'",
    "SELECT format('pg_hba.conf, line %s: %s', line_number, error) FROM pg_hba_file_rules WHERE error IS NOT NULL",
    "SELECT format('shared_preload_libraries names `%s`, and there is no such library: mend postgresql.conf or \
            postgresql.auto.conf (ALTER SYSTEM)', name) \
        FROM (SELECT setting FROM pg_file_settings WHERE name = 'shared_preload_libraries' \
            ORDER BY seqno DESC LIMIT 1) s, \
        LATERAL (SELECT btrim(btrim(n), '\"') AS name FROM regexp_split_to_table(s.setting, ',') n) l, \
        LATERAL (SELECT setting || '/' AS folder FROM pg_config WHERE name = 'PKGLIBDIR') d, \
        LATERAL (SELECT CASE WHEN l.name LIKE '$libdir/%' THEN d.folder || substr(l.name, 9) \
            WHEN l.name LIKE '/%' THEN l.name ELSE d.folder || l.name END \
            || CASE WHEN l.name LIKE '%.so' THEN '' ELSE '.so' END AS path) p \
        WHERE l.name <> '' AND (pg_stat_file(p.path, true)).size IS NULL",
    "SELECT format('%s lies in its data folder, so it would start as a standby or recover: remove that file', name) \
        FROM unnest(ARRAY['standby.signal', 'recovery.signal']) name \
        WHERE NOT pg_is_in_recovery() AND (pg_stat_file(name, true)).size IS NOT NULL",
];

async fn unstartable(cx: &Cx, session: &Session) -> Result<Vec<String>, StoreError> {
    let failed = |error| server("asking whether it would start again", error);
    let mut found = Vec::new();
    // One of the errors is none, and is known by its words.
    session
        .run(cx.idle_limit, "SET lc_messages = 'C'")
        .await
        .map_err(failed)?;
    for question in UNSTARTABLE {
        found.extend(session.column(cx.idle_limit, question).await.map_err(failed)?);
    }
    Ok(found)
}

const FOLDERS: &str = "SELECT current_setting('data_directory') UNION ALL \
    SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE pg_tablespace_location(oid) LIKE '/%'";

impl PostgresStore {
    pub(super) async fn left_by_a_stop(&self, cx: &Cx) -> Result<AtRest, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let folders = session.column(cx.idle_limit, FOLDERS).await;
        let unstartable = unstartable(cx, &session).await;
        session.close().await;
        let folders = folders.map_err(|error| server("asking where the data lies", error))?;
        let mounts = mounts(cx, &self.workload).await?.unwrap_or_default();
        let in_memory = |folder: &&String| mount_of(&mounts, folder).is_some_and(|mount| mount.is_memory());
        let unsaved = folders.iter().filter(in_memory);
        let unsaved = unsaved.map(|folder| format!("its folder {folder} lies in memory (tmpfs)"));
        Ok(AtRest {
            unsaved: unsaved.collect(),
            folders,
            unstartable: unstartable?,
        })
    }
}
