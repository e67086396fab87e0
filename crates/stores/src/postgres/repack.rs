//! What a `pg_repack` that was killed leaves behind: its trigger on the table, and its log, work tables and types, all named after
//! the table's number in that server. A restore gives the table another number, and the trigger makes every INSERT fail.
//! Nobody's data is in any of it, so a restore leaves it out; where it is, a backup says so.
//!
//! Names: `repack_trigger`, `repack.log_<oid>`, `repack.table_<oid>`, `repack.pk_<oid>` (`lib/repack.c` and
//! `bin/pg_repack.c` of `pg_repack` 1.5).

use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::Session;

use super::access::server;
use crate::toolbox::{BY_SIZE, cancellable};

const TRIGGERS: &str = "SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'repack_trigger' ORDER BY 1";

/// Statements that remove it. An extension's own things are none of it.
const REMOVALS: &str = "SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger \
        WHERE tgname = 'repack_trigger' \
    UNION ALL SELECT format('DROP TABLE %s CASCADE', c.oid::regclass) FROM pg_class c \
        JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE n.nspname = 'repack' AND c.relkind = 'r' AND c.relname ~ '^(log|table)_[0-9]+$' \
    UNION ALL SELECT format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype) FROM pg_type t \
        JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'repack' AND t.typname ~ '^pk_[0-9]+$'";

/// The tables that a killed `pg_repack` has left its trigger on.
pub(super) async fn left_on(cx: &Cx, session: &Session) -> Result<Vec<String>, StoreError> {
    let tables = session.column(cx.idle_limit, TRIGGERS).await;
    tables.map_err(|error| server("looking for what pg_repack left behind", error))
}

/// What is said of it.
pub(super) fn told(database: &str, table: &str) -> String {
    format!(
        "database `{database}`: a pg_repack that was killed has left its trigger on {table}, which slows every write; \
         `DROP EXTENSION pg_repack CASCADE` and `CREATE EXTENSION pg_repack` remove it. A restore leaves it out"
    )
}

/// Removes what a restore has brought of it; returns how much that was.
pub(super) async fn remove(cx: &Cx, session: &Session) -> Result<usize, StoreError> {
    let failed = |error| server("removing what pg_repack had left behind", error);
    let removals = session.column(cx.idle_limit, REMOVALS).await.map_err(failed)?;
    for removal in &removals {
        let removed = cancellable(cx, session.run(BY_SIZE, removal)).await?;
        removed.map_err(failed)?;
    }
    Ok(removals.len())
}
