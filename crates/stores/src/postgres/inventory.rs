//! What can be counted in PostgreSQL: the rows of every table and filled materialised view, and
//! large objects. A materialised view is computed anew by a restore, from tables that may have changed since it was last: its
//! rows are shown and never compared. So are those of a table that an extension registers for dumps: it writes there by
//! itself.

use std::collections::{BTreeMap, BTreeSet};

use stillpoint_core::manifest::{Inventory, StoreRecord};
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::{PgError, Session};

use super::access::server;
use super::drain::DATABASE;
use super::{PostgresStore, repack, sequences};
use crate::toolbox::{BY_SIZE, cancellable};

/// Each with the root that it is a partition of: rows may move among partitions when they are loaded (a hash of an enum
/// differs from server to server), and `pg_dump` loads them by the root where they may. What `pg_repack` left behind is
/// nobody's data.
const COUNTED: &str = "WITH RECURSIVE up (leaf, root) AS (SELECT inhrelid, inhparent FROM pg_inherits \
        JOIN pg_class ON oid = inhrelid WHERE relispartition \
    UNION ALL SELECT leaf, inhparent FROM up JOIN pg_inherits ON inhrelid = root JOIN pg_class ON oid = root \
        WHERE relispartition) \
    SELECT format('%I.%I', n.nspname, c.relname), c.relkind = 'm' OR e.oid IS NOT NULL AND c.oid = ANY(e.extconfig) \
        AND coalesce(e.extcondition[array_position(e.extconfig, c.oid)], '') = '', quote_ident(rn.nspname) || '.' || quote_ident(r.relname) \
    FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN up ON leaf = c.oid AND NOT EXISTS (SELECT FROM pg_class t WHERE t.oid = up.root AND t.relispartition) \
    LEFT JOIN pg_class r ON r.oid = up.root LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace \
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' \
        AND d.refclassid = 'pg_extension'::regclass \
    LEFT JOIN pg_extension e ON e.oid = d.refobjid \
    WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    AND (c.relkind = 'r' OR e.oid IS NULL)";

const LARGE_OBJECTS: &str = "SELECT count(*) FROM pg_largeobject_metadata";

const SIZE: &str = "SELECT pg_database_size(current_database())";

const IN_USE: &str = "SELECT extname, extversion FROM pg_extension";

/// A count locks the table's indexes too: after so many tables what was locked is let go.
const AT_ONCE: usize = 50;

/// What was counted, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) inventory: Inventory,
    /// Each with the reason. Its rows are in the dump all the same.
    pub(super) gaps: Vec<String>,
}

/// What is counted of one database.
struct Table {
    name: String,
    is_computed: bool,
    /// What it is a partition of.
    root: Option<String>,
}

impl Table {
    fn of(row: Vec<Option<String>>) -> Option<Self> {
        let [name, computed, root] = <[Option<String>; 3]>::try_from(row).ok()?;
        Some(Self {
            name: name?,
            is_computed: computed? == "t",
            root,
        })
    }
}

/// Counts one database, in the snapshot of the session's transaction, with the search path that its users have: an index
/// on an expression is looked at for every query, and its functions may need that path.
pub(super) async fn count(cx: &Cx, session: &Session, database: &str) -> Result<Counts, StoreError> {
    let failed = |error| server(format!("counting database `{database}`"), error);
    let ask = async |sql: &str| cancellable(cx, session.column(BY_SIZE, sql)).await?.map_err(failed);
    let counted = format!("{COUNTED} AND NOT {} ORDER BY 1", repack::IS_LEFT);
    let tables = cancellable(cx, session.rows(BY_SIZE, &counted))
        .await?
        .map_err(failed)?;
    let mut counts = Counts::default();
    // None: a partition could not be counted, so the sum says nothing.
    let mut roots: BTreeMap<String, Option<u64>> = BTreeMap::new();
    ask("SET LOCAL search_path TO DEFAULT").await?;
    ask("SAVEPOINT counted").await?;
    for (place, table) in tables.into_iter().filter_map(Table::of).enumerate() {
        if place % AT_ONCE == AT_ONCE - 1 {
            ask("ROLLBACK TO SAVEPOINT counted").await?;
        }
        let Table {
            name,
            is_computed,
            root,
        } = table;
        let sql = format!("SELECT pg_catalog.count(*) FROM ONLY {name}");
        let rows = match cancellable(cx, session.column(BY_SIZE, &sql)).await? {
            Ok(rows) => number(&rows),
            Err(error @ PgError::Statement { .. }) => {
                counts.gaps.push(format!("`{database}`: {name}: {error}"));
                roots.extend(root.map(|root| (root, None)));
                ask("ROLLBACK TO SAVEPOINT counted").await?;
                continue;
            }
            Err(error) => return Err(failed(error)),
        };
        let line = format!("{database}: rows of {name}");
        match root {
            Some(root) => {
                counts.inventory.estimate(line, rows);
                let sum = roots.entry(root).or_insert(Some(0));
                *sum = sum.map(|sum| sum + rows);
            }
            None if is_computed => counts.inventory.estimate(line, rows),
            None => counts.inventory.exact(line, rows),
        }
    }
    ask("ROLLBACK TO SAVEPOINT counted").await?;
    ask("SET LOCAL search_path TO pg_catalog").await?;
    for (root, rows) in roots.into_iter().filter_map(|(root, rows)| Some((root, rows?))) {
        let line = format!("{database}: rows of {root}, all partitions");
        counts.inventory.exact(line, rows);
    }
    let large = number(&ask(LARGE_OBJECTS).await?);
    counts.inventory.exact(format!("{database}: large objects"), large);
    Ok(counts)
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
async fn count_now(cx: &Cx, session: &Session, database: &str) -> Result<Counts, StoreError> {
    let failed = |error| server(format!("counting database `{database}`"), error);
    let begun = session.run(cx.idle_limit, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    begun.await.map_err(failed)?;
    let mut counts = count(cx, session, database).await?;
    let sequences = cancellable(cx, sequences::read_all(session)).await?.map_err(failed)?;
    counts.inventory.extend(sequences::counted(&sequences, database));
    Ok(counts)
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
            let Counts {
                inventory: counted,
                gaps,
            } = counted?;
            inventory.extend(counted);
            for gap in gaps {
                cx.report.warn(format!("{}: cannot be counted: {gap}", self.name));
            }
        }
        Ok(inventory)
    }
}
