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

/// Whether relation `c` in namespace `n` is left of it: its key's type is made first, and named after the same table. A schema
/// of that name may be a user's own.
pub(super) const IS_LEFT: &str = "(n.nspname = 'repack' AND EXISTS (SELECT FROM pg_type pk WHERE pk.typnamespace = n.oid \
    AND pk.typname = 'pk_' || substring(c.relname FROM '^(?:log|table)_([0-9]+)(?:_id_seq)?$')))";

/// Its triggers, each with its table: they call a function of its own.
const TRIGGERS: &str = "FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace \
    WHERE t.tgname = 'repack_trigger' AND n.nspname = 'repack'";

/// Statements that remove it, the types last: by them the rest is known.
fn removals() -> String {
    format!(
        "SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass) {TRIGGERS} \
         UNION ALL SELECT format('DROP TABLE %s CASCADE', c.oid::regclass) FROM pg_class c \
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND {IS_LEFT} \
         UNION ALL SELECT format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype) FROM pg_type t \
            JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'repack' AND t.typname ~ '^pk_[0-9]+$'"
    )
}

/// The tables that a killed `pg_repack` has left its trigger on.
pub(super) async fn left_on(cx: &Cx, session: &Session) -> Result<Vec<String>, StoreError> {
    let sql = format!("SELECT t.tgrelid::regclass {TRIGGERS} ORDER BY 1");
    let tables = session.column(cx.idle_limit, &sql).await;
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
    let removals = session.column(cx.idle_limit, &removals()).await.map_err(failed)?;
    for removal in &removals {
        let removed = cancellable(cx, session.run(BY_SIZE, removal)).await?;
        removed.map_err(failed)?;
    }
    Ok(removals.len())
}
