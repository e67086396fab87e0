//! What can be counted in PostgreSQL: the rows of every table and filled materialised view, and
//! large objects. Members of extensions are left out: their rows are the extension's own. A materialised view
//! is computed anew by a restore, from tables that may have changed since it was last: its rows are shown and
//! never compared.

use std::collections::BTreeSet;

use stillpoint_core::manifest::{Inventory, StoreRecord};
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::Session;

use super::PostgresStore;
use super::access::server;
use super::drain::DATABASE;
use super::sequences;
use crate::toolbox::{BY_SIZE, cancellable};

const COUNTED: &str = "SELECT format('%I.%I', n.nspname, c.relname), c.relkind = 'm' FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    AND NOT EXISTS (SELECT FROM pg_depend d \
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1";

const LARGE_OBJECTS: &str = "SELECT count(*) FROM pg_largeobject_metadata";

const SIZE: &str = "SELECT pg_database_size(current_database())";

const IN_USE: &str = "SELECT extname, extversion FROM pg_extension";

/// A count locks the table's indexes too: after so many tables what was locked is let go.
const AT_ONCE: usize = 50;

/// Counts one database, in the snapshot of the session's transaction.
pub(super) async fn count(cx: &Cx, session: &Session, database: &str) -> Result<Inventory, StoreError> {
    let failed = |error| server(format!("counting database `{database}`"), error);
    let ask = async |sql: &str| cancellable(cx, session.column(BY_SIZE, sql)).await?.map_err(failed);
    let mut inventory = Inventory::default();
    let tables = cancellable(cx, session.rows(BY_SIZE, COUNTED)).await?.map_err(failed)?;
    for (place, row) in tables.iter().enumerate() {
        let [Some(table), Some(computed)] = row.as_slice() else {
            continue;
        };
        if place % AT_ONCE == 0 {
            let statement = if place == 0 {
                "SAVEPOINT counted"
            } else {
                "ROLLBACK TO SAVEPOINT counted"
            };
            ask(statement).await?;
        }
        let rows = number(&ask(&format!("SELECT count(*) FROM ONLY {table}")).await?);
        let name = format!("{database}: rows of {table}");
        if computed == "t" {
            inventory.estimate(name, rows);
        } else {
            inventory.exact(name, rows);
        }
    }
    if !tables.is_empty() {
        ask("ROLLBACK TO SAVEPOINT counted").await?;
    }
    inventory.exact(format!("{database}: large objects"), number(&ask(LARGE_OBJECTS).await?));
    Ok(inventory)
}

/// The server prints its own numbers: anything else cannot be.
fn number(rows: &[String]) -> u64 {
    rows.first().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The extensions that a database uses, with their versions, in order.
pub(super) async fn extensions(cx: &Cx, session: &Session) -> Result<BTreeSet<(String, String)>, StoreError> {
    let used = session.rows(cx.idle_limit, IN_USE).await;
    let used = used.map_err(|error| server("reading extensions", error))?;
    let used = used.into_iter().filter_map(|row| {
        let [name, version] = <[Option<String>; 2]>::try_from(row).ok()?;
        Some((name?, version?))
    });
    Ok(used.collect())
}

/// Bytes of a database, as it lies in the server.
pub(super) async fn bytes(cx: &Cx, session: &Session) -> Result<u64, StoreError> {
    let size = session.column(cx.idle_limit, SIZE).await;
    Ok(number(&size.map_err(|error| server("measuring databases", error))?))
}

/// Counts one database as it is, sequences and all.
async fn count_now(cx: &Cx, session: &Session, database: &str) -> Result<Inventory, StoreError> {
    let failed = |error| server(format!("counting database `{database}`"), error);
    let begun = session.run(cx.idle_limit, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    begun.await.map_err(failed)?;
    let mut inventory = count(cx, session, database).await?;
    let sequences = cancellable(cx, sequences::read(session)).await?.map_err(failed)?;
    inventory.extend(sequences::counted(&sequences, database));
    Ok(inventory)
}

impl PostgresStore {
    /// Counts the databases that the record holds.
    pub(super) async fn count_restored(&self, cx: &Cx, record: &StoreRecord) -> Result<Inventory, StoreError> {
        let mut inventory = Inventory::default();
        for database in record.artifacts.iter().filter(|artifact| artifact.content == DATABASE) {
            let name = database.of.as_deref().unwrap_or_default();
            let session = self.open(cx, name).await?;
            let counted = count_now(cx, &session, name).await;
            session.close().await;
            inventory.extend(counted?);
        }
        Ok(inventory)
    }
}
