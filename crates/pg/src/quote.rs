//! Names and texts inside SQL. Always quoted, so that no name can be read as anything else.

/// An identifier, quoted (manual §4.1.1).
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text, quoted for `standard_conforming_strings = on` (manual §4.1.2.1).
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_inside_are_doubled() {
        assert_eq!(ident("we \"ird' db"), "\"we \"\"ird' db\"");
        assert_eq!(literal("it's a \\ path"), "'it''s a \\ path'");
    }
}
