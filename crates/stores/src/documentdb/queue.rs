//! The queue of indexes to be built names roles by their numbers, and another server gives them others. Loaded as it was, the
//! worker fails on such a row a few times and then deletes the index from the catalog without a word.

use std::time::Duration;

use stillpoint_pg::quote::literal;
use stillpoint_pg::{PgError, Session};

/// Whether the queue is there, with what is said below.
const IS_THERE: &str = "SELECT count(*) = 3 FROM pg_attribute \
    WHERE attrelid = to_regclass('documentdb_api_catalog.documentdb_index_queue') AND NOT attisdropped \
    AND attname IN ('user_oid', 'global_pid', 'index_cmd_status')";

const ROLES: &str = "SELECT DISTINCT q.user_oid, r.rolname FROM documentdb_api_catalog.documentdb_index_queue q \
    JOIN pg_roles r ON r.oid = q.user_oid ORDER BY 1";

/// The statement that mends the queue after its rows: roles by their names, nothing in progress. One statement for all of
/// them, because a new number may be another role's old one. None where there is nothing to mend.
pub(crate) async fn mended(session: &Session, limit: Duration) -> Result<Option<String>, PgError> {
    if session.value(limit, IS_THERE).await? != "t" {
        return Ok(None);
    }
    let rows = session.rows(limit, ROLES).await?;
    let roles = rows.into_iter().filter_map(|row| {
        let [number, name] = <[Option<String>; 2]>::try_from(row).ok()?;
        Some((number?, name?))
    });
    Ok(Some(statement(&roles.collect::<Vec<_>>())))
}

/// Statuses: 1 is queued, 2 in progress. A role that is gone leaves none.
fn statement(roles: &[(String, String)]) -> String {
    let of_role = if roles.is_empty() {
        "NULL".to_owned()
    } else {
        let pairs: Vec<String> = roles
            .iter()
            .map(|(number, name)| format!("({number}::pg_catalog.oid, {})", literal(name)))
            .collect();
        format!(
            "(SELECT r.oid FROM (VALUES {}) m (old, name) JOIN pg_catalog.pg_roles r ON r.rolname = m.name \
             WHERE m.old = q.user_oid)",
            pairs.join(", ")
        )
    };
    format!(
        "UPDATE documentdb_api_catalog.documentdb_index_queue q SET user_oid = {of_role}, global_pid = NULL, \
         index_cmd_status = CASE index_cmd_status WHEN 2 THEN 1 ELSE index_cmd_status END"
    )
}

#[cfg(test)]
mod tests {
    use super::statement;

    #[test]
    fn roles_are_looked_up_by_name() {
        let pairs = [("7", "o'neil"), ("8", "ferret")].map(|(number, name)| (number.to_owned(), name.to_owned()));
        let mended = statement(&pairs);
        assert!(
            mended.contains("(VALUES (7::pg_catalog.oid, 'o''neil'), (8::pg_catalog.oid, 'ferret')) m (old, name)")
        );
        assert!(statement(&[]).contains("SET user_oid = NULL"));
    }
}
