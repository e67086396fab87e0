//! The script that an artifact holds, for psql. First definitions, each of which does nothing where its object is there; then,
//! in one transaction, the rows; then what sequences are at. Whoever loads a dump and then this has all. A restore takes
//! it apart, because a dump's own definitions may need what is defined here.

use std::fmt::Write;

use stillpoint_core::stores::StoreError;
use stillpoint_pg::quote::literal;

use super::definitions::Definition;
use super::find::{Catalog, Member};
use crate::postgres::sequences;

const TITLE: &str = "-- What extensions own and pg_dump leaves out: load the database's dump first.\n";
const DEFINITION: &str = "-- Stillpoint: definition ";
const AFTER: &str = "after the data";
const BEFORE: &str = "before the data";
const FOLLOWS: &str = "-- followed by: ";

/// The line with which the rows begin.
pub(super) const ROWS: &str = "-- Stillpoint: rows\n";

/// Without it a script is not whole.
pub(super) const LAST_LINE: &str = "-- Stillpoint: complete\n";

/// How the line ends that rows follow, and the line that ends them.
pub(super) const COPIED: &str = " FROM stdin;";
pub(super) const END_OF_ROWS: &str = "\\.";

/// What holds for the session that replays it.
fn settings(encoding: &str) -> String {
    format!(
        "SET client_encoding = '{encoding}';\nSET standard_conforming_strings = on;\nSET check_function_bodies = false;\n\
         SET client_min_messages = warning;\nSELECT pg_catalog.set_config('search_path', '', false);\n"
    )
}

/// All before the first row.
pub(super) fn head(database: &str, catalog: &Catalog, definitions: &[Definition]) -> String {
    let settings = settings(catalog.of_texts());
    let mut head = format!("{TITLE}{}{settings}", sequences::connect(database));
    for definition in definitions {
        let when = if definition.is_after_the_data { AFTER } else { BEFORE };
        // Writing into a text cannot fail.
        let _ = writeln!(head, "{DEFINITION}{when}");
        for before in &definition.before {
            let _ = writeln!(head, "{FOLLOWS}{before}");
        }
        head.push_str(&definition.sql);
    }
    // Whoever begins to read here needs the settings too. Triggers and foreign keys are held off: what they would do was done.
    head + ROWS + settings.as_str() + "BEGIN;\nSET LOCAL session_replication_role = replica;\n"
}

/// All after the last row.
pub(super) fn tail(catalog: &Catalog) -> String {
    let mended = catalog.mended.as_ref();
    let mended = mended.map_or_else(String::new, |statement| format!("{statement};\n"));
    format!(
        "{mended}COMMIT;\n{}{LAST_LINE}",
        sequences::settings(&catalog.sequences)
    )
}

/// What psql is told so that it writes the rows, between [`head`] and [`tail`].
pub(super) fn copying(snapshot: &str, catalog: &Catalog) -> String {
    let mut script = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSET TRANSACTION SNAPSHOT {};\n\
         SET LOCAL client_encoding = '{}'; SET LOCAL search_path = '';\n\
         SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL extra_float_digits = 3;\n\
         LOCK TABLE pg_catalog.pg_extension IN ACCESS SHARE MODE;\n",
        literal(snapshot),
        catalog.of_texts()
    );
    for Member { name, .. } in &catalog.tables {
        let _ = writeln!(script, "LOCK TABLE ONLY {name} IN ACCESS SHARE MODE;");
    }
    // The first thing that it says: all locks are had.
    script.push_str("SELECT '';\n");
    for Member { name, columns, .. } in &catalog.tables {
        let columns = if columns.is_empty() {
            String::new()
        } else {
            format!(" ({columns})")
        };
        let begin = format!("DELETE FROM ONLY {name};\nCOPY {name}{columns}{COPIED}");
        let (begin, end) = (literal(&begin), literal(END_OF_ROWS));
        let _ = writeln!(
            script,
            "SELECT {begin};\nCOPY {name}{columns} TO STDOUT;\nSELECT {end};"
        );
    }
    script
}

/// The definitions of a script that begins so.
pub(super) fn definitions_of(head: &str) -> Result<Vec<Definition>, StoreError> {
    let broken = || StoreError::Damaged("a definition is not what it was".to_owned());
    let begin = format!("\n{DEFINITION}");
    let all = head.split(&begin).skip(1).map(|text| {
        let (when, mut text) = text.split_once('\n').ok_or_else(broken)?;
        let mut before = Vec::new();
        while let Some((follows, rest)) = text.strip_prefix(FOLLOWS).and_then(|text| text.split_once('\n')) {
            before.push(follows.to_owned());
            text = rest;
        }
        Ok(Definition {
            is_after_the_data: when == AFTER,
            before,
            sql: format!("{}\n", text.trim_end_matches('\n')),
        })
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_read_as_they_were_written() {
        let definition = |is_after_the_data, before: &[&str]| Definition {
            is_after_the_data,
            before: before.iter().map(|text| (*text).to_owned()).collect(),
            sql: "DO $sp$ BEGIN\n\nEND $sp$;\n".to_owned(),
        };
        let definitions = [
            definition(false, &["-- Name: a; Type: TABLE", "-- Name: b"]),
            definition(true, &[]),
        ];
        let catalog = Catalog {
            encoding: "UTF8".to_owned(),
            ..Catalog::default()
        };
        let head = head("we \"ird' db", &catalog, &definitions);
        assert!(head.contains("\\connect -reuse-previous=on \"dbname='we \"\"ird\\' db'\"\n"));
        let (before_rows, rows) = head.split_once(ROWS).unwrap();
        assert!(rows.contains("SET client_encoding = 'UTF8';"));
        assert_eq!(definitions_of(before_rows).unwrap(), definitions);
    }
}
