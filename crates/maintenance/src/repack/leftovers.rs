//! What a `pg_repack` that was killed leaves: a trigger on the table, into whose log every writer goes on to write, tables for
//! the log and the copy, a type. With it no further repack does anything. Nobody's data is in it: the copy is one of rows that are
//! where they were. Removed only when no `pg_repack` is at work in the database.

use crate::Failed;
use crate::work::{SHORT, Work, text};

/// Statements that remove it, what depends on others first; and the table that each is about.
const REMOVALS: &str = "SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass), t.tgrelid::regclass::text, 1 \
        FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace \
        WHERE t.tgname IN ('repack_trigger', 'z_repack_trigger') AND n.nspname = 'repack' \
    UNION ALL SELECT format('DROP TABLE %s', c.oid::regclass), c.oid::regclass::text, 2 FROM pg_class c \
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'repack' AND c.relkind = 'r' \
        AND c.relname ~ '^(log|table)_[0-9]+$' \
    UNION ALL SELECT format('DROP TYPE %s', t.oid::regtype), t.oid::regtype::text, 3 FROM pg_type t \
        JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'repack' AND t.typname ~ '^pk_[0-9]+$' ORDER BY 3, 2";

/// What there is of it.
pub(super) struct Left {
    removals: Vec<String>,
    of: Vec<String>,
}

impl Left {
    /// What is said of it, if there is any.
    pub(super) fn told(&self) -> Option<String> {
        (!self.of.is_empty()).then(|| format!("a pg_repack that was killed has left {}", self.of.join(", ")))
    }
}

pub(super) async fn look(work: &Work<'_>) -> Result<Left, Failed> {
    let rows = work
        .rows(SHORT, "looking for what pg_repack left behind", REMOVALS)
        .await?;
    Ok(Left {
        removals: rows.iter().map(|row| text(row, 0)).collect(),
        of: rows.iter().map(|row| text(row, 1)).collect(),
    })
}

/// Removes it, all or nothing; returns what is said of it.
pub(super) async fn remove(work: &Work<'_>) -> Result<Option<String>, Failed> {
    let left = look(work).await?;
    if left.removals.is_empty() {
        return Ok(None);
    }
    let removing = "removing what pg_repack left behind";
    let statements = ["BEGIN"].into_iter().chain(left.removals.iter().map(String::as_str));
    for statement in statements.chain(["COMMIT"]) {
        if let Err(failed) = work.run(SHORT, removing, statement).await {
            if !failed.leaves_work() {
                work.run(SHORT, removing, "ROLLBACK").await?;
            }
            return Err(failed);
        }
    }
    Ok(left.told().map(|told| format!("{told}: removed")))
}
