//! Words for psql, and psql in a server's own container.

use anyhow::Result;

use super::docker::{Docker, LONG};

/// Runs SQL as the superuser; unaligned output without headings, an error at the first failed statement.
pub(super) fn psql(container: &str, database: &str, sql: &str) -> Result<String> {
    let name = format!("PGDATABASE={database}");
    let options = ["exec", "-i", "-u", "postgres", "-e", &name, container];
    Docker::new(options)
        .args(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"])
        .input(sql)
        .limit(LONG)
        .run()
}

/// The line by which a script goes on in another database. In its quoted argument a double quote is doubled.
pub(super) fn connect(database: &str) -> String {
    format!("\\connect \"{}\"\n", database.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(connect("we \"ird' db"), "\\connect \"we \"\"ird' db\"\n");
    }
}
