//! What is looked at before a table is repacked: `pg_repack` itself finds out some of it too late, and of some nothing.

use std::time::Duration;

use stillpoint_core::maintenance::RepackedTable;
use stillpoint_core::ports::Command;
use stillpoint_pg::quote::literal;

use super::TABLES;
use crate::schema::Schema;
use crate::work::{SHORT, Work, number, text};
use crate::{Dagster, Failed, room};

/// What the tool may take to say its version.
const SAYS_VERSION: Duration = Duration::from_secs(30);
/// How long a repack that is at work already, or a transaction that is open, is waited for.
const OTHERS: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why there is nothing to do.
pub(super) async fn without_extension(work: &Work<'_>) -> Result<String, Failed> {
    let sql = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_repack'";
    let available = work.value(SHORT, "looking for pg_repack", sql).await?;
    Ok(if available == "0" {
        "the server has no extension pg_repack: nothing is repacked".to_owned()
    } else {
        "the extension pg_repack is not in this database: nothing is repacked (`CREATE EXTENSION pg_repack` puts it there)".to_owned()
    })
}

/// What keeps every table as it is.
pub(super) async fn refusals(dagster: &Dagster, work: &Work<'_>, version: &str) -> Result<Vec<String>, Failed> {
    let is_superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
    if work.value(SHORT, "asking who we are", is_superuser).await? != "t" {
        let user = &dagster.server.credentials().user;
        return Ok(vec![format!("pg_repack needs a superuser, and `{user}` is none")]);
    }
    let command = Command::new(["pg_repack", "--version"]);
    let (code, said, _) = room::exec(work.cx, dagster.server.workload(), command, SAYS_VERSION).await?;
    if matches!(code, 126 | 127) {
        let why = "the database has the extension pg_repack, and the container has no program of that name: the image needs both";
        return Ok(vec![why.to_owned()]);
    }
    let library = work
        .value(SHORT, "asking for pg_repack's version", "SELECT repack.version()")
        .await;
    let library = match library {
        Err(Failed::Server { cause, .. }) => {
            return Ok(vec![format!("the library of pg_repack does not answer: {cause}")]);
        }
        library => library?,
    };
    Ok(mismatch(said.trim(), &library, version).into_iter().collect())
}

/// Tool, library and extension have to be of one version.
fn mismatch(tool: &str, library: &str, extension: &str) -> Option<String> {
    let number = |said: &str| said.trim().trim_start_matches("pg_repack").trim().to_owned();
    let versions = [number(tool), number(library), number(extension)];
    (versions[0] != versions[1] || versions[1] != versions[2]).then(|| {
        let [tool, library, extension] = versions;
        format!(
            "pg_repack is of several versions: the program {tool}, the server's library {library}, the extension {extension}; \
             `DROP EXTENSION pg_repack` and `CREATE EXTENSION pg_repack` bring the extension to that of the library"
        )
    })
}

/// Others' repacks, and transactions that a repack would wait for without end.
const AT_WORK: &str = "SELECT format('%s %s (%s), since %s', CASE WHEN application_name = 'pg_repack' \
        OR application_name LIKE 'stillpoint repack%' THEN 'a repack is at work in process' ELSE 'a transaction is open in process' END, \
        pid, coalesce(nullif(application_name, ''), usename), date_trunc('second', coalesce(xact_start, backend_start))) \
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' \
    AND (application_name = 'pg_repack' OR application_name LIKE 'stillpoint repack%' OR xact_start < now() - interval '30 s') \
    UNION ALL SELECT format('transaction %s is prepared since %s, and neither committed nor rolled back', gid, \
        date_trunc('second', prepared)) FROM pg_prepared_xacts WHERE database = current_database() ORDER BY 1";

/// Waits for them for a while; those that are still there afterwards.
pub(super) async fn await_others(work: &Work<'_>) -> Result<Vec<String>, Failed> {
    let began = work.cx.clock.elapsed();
    loop {
        let there = work.column(SHORT, "looking for who is at work", AT_WORK).await?;
        if there.is_empty() {
            return Ok(there);
        }
        if work.cx.clock.elapsed().saturating_sub(began) >= OTHERS {
            let told = |who: String| format!("{who}: a repack waits for its end, and nobody is ended by it");
            return Ok(there.into_iter().map(told).collect());
        }
        work.sleep(LOOK_EVERY).await?;
    }
}

/// The tables, and what keeps them as they are.
pub(super) struct Fit {
    pub(super) tables: Vec<RepackedTable>,
    pub(super) refusals: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Fit {
    pub(super) async fn look(dagster: &Dagster, work: &Work<'_>, schema: &Schema) -> Result<Self, Failed> {
        let names = TABLES.map(literal).join(", ");
        let sql = format!(
            "SELECT c.relname, pg_total_relation_size(c.oid), EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid \
             AND i.indisvalid AND (i.indisprimary OR i.indisunique AND i.indpred IS NULL AND NOT EXISTS (SELECT FROM pg_attribute a \
             WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND NOT a.attnotnull))), c.relkind = 'r' \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relname IN ({names}) ORDER BY 1",
            literal(&schema.name)
        );
        let rows = work.rows(SHORT, "looking at the tables", &sql).await?;
        let tables: Vec<RepackedTable> = rows.iter().map(table).collect();
        let free = room::free(work, dagster.server.workload()).await?;
        let (refusals, notes) = room_for(&tables, free);
        Ok(Self {
            tables,
            refusals: refusals.into_iter().collect(),
            notes: notes.into_iter().collect(),
        })
    }
}

fn table(row: &Vec<Option<String>>) -> RepackedTable {
    let why = match (text(row, 2) == "t", text(row, 3) == "t") {
        (_, false) => Some("it is no plain table"),
        (false, true) => {
            Some("it has neither a primary key nor a unique one without NULL, by which pg_repack tells rows apart")
        }
        (true, true) => None,
    };
    RepackedTable {
        table: text(row, 0),
        before: number(row, 1),
        after: None,
        millis: 0,
        failed: why.map(ToOwned::to_owned),
    }
}

/// A copy of the largest table with its indexes, and as much WAL.
fn room_for(tables: &[RepackedTable], free: Option<u64>) -> (Option<String>, Option<String>) {
    let largest = tables
        .iter()
        .filter(|table| table.failed.is_none())
        .max_by_key(|table| table.before);
    let Some(largest) = largest else { return (None, None) };
    let needed = largest.before.saturating_mul(2);
    match free {
        None => {
            let note =
                "how much room the server's disk has left cannot be told; a repack needs twice the largest table";
            (None, Some(note.to_owned()))
        }
        Some(free) if free < needed => {
            let why = format!(
                "{} takes {} bytes with its indexes, and a repack needs twice that while it is at work: {free} bytes are free",
                largest.table, largest.before
            );
            (Some(why), None)
        }
        Some(_) => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_library_and_extension_have_to_be_of_one_version() {
        assert_eq!(mismatch("pg_repack 1.5.2", "pg_repack 1.5.2", "1.5.2"), None);
        let other = mismatch("pg_repack 1.5.2", "pg_repack 1.5.2", "1.4.8").unwrap();
        assert!(
            other.contains("the program 1.5.2") && other.contains("the extension 1.4.8"),
            "{other}"
        );
        assert!(mismatch("pg_repack 1.5.0", "pg_repack 1.5.2", "1.5.2").is_some());
    }

    #[test]
    fn twice_the_largest_table_has_to_be_free() {
        let sized = |name: &str, before| RepackedTable {
            table: name.to_owned(),
            before,
            after: None,
            millis: 0,
            failed: None,
        };
        let tables = [sized("event_logs", 100), sized("runs", 10)];
        assert_eq!(room_for(&tables, Some(200)), (None, None));
        let (refusal, _) = room_for(&tables, Some(199));
        assert!(refusal.unwrap().starts_with("event_logs takes 100 bytes"));
        let (refusal, note) = room_for(&tables, None);
        assert!(refusal.is_none() && note.is_some());
        // One that is left as it is needs nothing.
        let mut keyless = tables.clone();
        keyless[0].failed = Some("no key".to_owned());
        assert_eq!(room_for(&keyless, Some(20)), (None, None));
    }
}
