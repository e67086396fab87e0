//! Words for psql. Nothing here talks to a server.

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
