//! Whether our user may do all that a restore does: what is found out half-way is found out too late. The server is asked, and nothing
//! is done.

use stillpoint_core::stores::StoreError;

use super::ClickhouseStore;
use super::session::{Session, Trouble, cell};

/// What a restore does, everywhere: databases get new names.
const RIGHTS: [&str; 11] = [
    "CHECK",
    "CREATE DATABASE",
    "CREATE DICTIONARY",
    "CREATE TABLE",
    "CREATE VIEW",
    "DROP DATABASE",
    "DROP DICTIONARY",
    "DROP TABLE",
    "DROP VIEW",
    "INSERT",
    "SYSTEM MERGES",
];

/// Where functions are in the backup.
const FOR_FUNCTIONS: [&str; 2] = ["CREATE FUNCTION", "DROP FUNCTION"];

/// `SYNTAX_ERROR`: a server that cannot be asked (before 24.10).
const SYNTAX_ERROR: u32 = 62;

impl ClickhouseStore {
    /// Fails with the rights that are missing.
    pub(super) async fn must_be_allowed(&self, session: &Session<'_>, has_functions: bool) -> Result<(), StoreError> {
        let for_functions = FOR_FUNCTIONS.iter().filter(|_| has_functions);
        let mut missing = Vec::new();
        for right in RIGHTS.iter().chain(for_functions) {
            match session.ask(&format!("CHECK GRANT {right} ON *.*")).await {
                Ok(rows) if rows.first().is_some_and(|row| cell(row, 0) == "0") => missing.push(*right),
                Ok(_) | Err(Trouble::Refused { code: SYNTAX_ERROR, .. }) => {}
                Err(trouble) => return Err(self.failed("asking what we may do", trouble)),
            }
        }
        match lacking(&self.access.user, &missing) {
            None => Ok(()),
            Some(why) => Err(self.unfit(&why)),
        }
    }
}

fn lacking(user: &str, missing: &[&str]) -> Option<String> {
    (!missing.is_empty()).then(|| {
        let missing = missing.join(", ");
        format!("`{user}` may not restore: it lacks {missing} ON *.*: grant that, or set another user")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(lacking("app", &[]), None);
        let said = lacking("app", &["CHECK", "INSERT"]).unwrap();
        assert!(
            said.contains("`app`") && said.contains("lacks CHECK, INSERT ON *.*"),
            "{said}"
        );
    }
}
