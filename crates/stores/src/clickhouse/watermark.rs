//! The mark of client writes, by table: how it is defined, its last mutation, and what shows an insert: the numbers of its blocks,
//! which merges keep, or its rows. Merges, TTL and mutations at work move none of it.
//!
//! Of tables whose rows vanish by themselves only the newest block counts: there a `DROP PARTITION` looks like the server's own work.

use std::collections::{BTreeMap, BTreeSet};

use futures::try_join;
use stillpoint_core::manifest::Watermark;
use stillpoint_core::stores::{Cx, StoreError};

use super::ClickhouseStore;
use super::functions::LIST;
use super::session::{Session, cell, number};
use super::sql::literals;
use super::tables::{Family, held};

const DOING: &str = "marking what was written";

/// What is marked of a table, as the end of a mark's name.
const DEFINITION: &str = "definition";
const MUTATIONS: &str = "last mutation";
const BLOCKS: &str = "blocks";
const NEWEST: &str = "newest block";
const ROWS: &str = "rows";
/// Not a mark: its rows vanish by themselves.
const SHRINKS: &str = "shrinks";
/// Between a table's name and what is marked of it.
const OF: &str = " · ";

/// Numbers that a JSON of any reader can hold.
const HASH: &str = "bitShiftRight(cityHash64";

/// Who is at work in it.
const CLIENTS: &str = "SELECT toString(address), user, if(http_user_agent = '', client_name, http_user_agent), \
    toString(query_kind), toString(round(elapsed, 1)) FROM system.processes \
    WHERE NOT startsWith(Settings['log_comment'], 'stillpoint') AND http_user_agent != 'stillpoint' ORDER BY elapsed DESC";

impl ClickhouseStore {
    /// What is asked side by side: the clients wait for it.
    pub(super) async fn mark(&self, session: &Session<'_>) -> Result<Watermark, StoreError> {
        let databases = held(&self.databases(session).await?);
        let within = literals(databases.iter().map(String::as_str));
        let statements = Statements::of(&within);
        let ask = |statement| self.asked(session, DOING, statement);
        let counted = async {
            let tables = self.tables(session, &databases).await?;
            let rows = self.rows(session, &databases, &tables).await?;
            Ok((tables, rows))
        };
        let (definitions, others, mutations, parts, (tables, rows)) = try_join!(
            ask(&statements.definitions),
            ask(&statements.others),
            ask(&statements.mutations),
            ask(&statements.parts),
            counted
        )?;
        let mut marks = BTreeMap::new();
        let mut shrink = BTreeSet::new();
        for row in &definitions {
            set(&mut marks, &name(row), DEFINITION, number(row, 2));
        }
        for row in &others {
            set(&mut marks, cell(row, 0), DEFINITION, number(row, 1));
        }
        for row in &mutations {
            set(&mut marks, &name(row), MUTATIONS, number(row, 2));
            if number(row, 3) > 0 {
                shrink.insert(name(row));
            }
        }
        for row in &parts {
            set(&mut marks, &name(row), NEWEST, number(row, 2));
            set(&mut marks, &name(row), BLOCKS, number(row, 3));
            if number(row, 4) > 0 {
                shrink.insert(name(row));
            }
        }
        for (table, rows) in tables.iter().zip(rows) {
            let name = table.told();
            set(&mut marks, &name, ROWS, rows.unwrap_or(0));
            if table.shrinks() || (table.family() == Family::Parts && shrink.contains(&name)) {
                set(&mut marks, &name, SHRINKS, 1);
            }
        }
        Ok(Watermark(marks))
    }

    pub(super) async fn connections(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        let session = self.open(cx).await?;
        let rows = self.asked(&session, "asking who is at work in it", CLIENTS).await?;
        Ok(rows.iter().map(|row| client(row)).collect())
    }
}

/// What is asked for a mark.
struct Statements {
    definitions: String,
    /// Of databases and functions.
    others: String,
    mutations: String,
    parts: String,
}

impl Statements {
    fn of(within: &str) -> Self {
        Self {
            definitions: format!(
                "SELECT database, name, {HASH}(toString(uuid), toString(metadata_modification_time), create_table_query), 11) \
                 FROM system.tables WHERE database IN {within} AND NOT is_temporary"
            ),
            others: format!(
                "SELECT concat('database ', name), {HASH}(toString(uuid), engine), 11) FROM system.databases \
                 WHERE name IN {within} UNION ALL SELECT concat('function ', name), {HASH}(create_query), 11) FROM ({LIST})"
            ),
            mutations: format!(
                "SELECT database, table, max(toUInt64OrZero(extract(mutation_id, '([0-9]+)'))), countIf(NOT is_done) \
                 FROM system.mutations WHERE database IN {within} GROUP BY database, table"
            ),
            parts: format!(
                "SELECT database, table, max(newest), sum(newest), max(deletes) FROM (SELECT database, table, \
                 max(max_block_number) + 1 AS newest, max(has_lightweight_delete) AS deletes FROM system.parts \
                 WHERE active AND database IN {within} GROUP BY database, table, partition_id) GROUP BY database, table"
            ),
        }
    }
}

fn name(row: &[String]) -> String {
    format!("{}.{}", cell(row, 0), cell(row, 1))
}

/// Nothing is as good as no mark.
fn set(marks: &mut BTreeMap<String, u64>, of: &str, what: &str, mark: u64) {
    if mark > 0 {
        marks.insert(format!("{of}{OF}{what}"), mark);
    }
}

fn client(row: &[String]) -> String {
    let address = cell(row, 0).trim_start_matches("::ffff:");
    let program = match cell(row, 2) {
        "" => String::new(),
        program => format!(" by {program}"),
    };
    format!(
        "{address} user {}{program}, {} for {} s",
        cell(row, 1),
        cell(row, 3),
        cell(row, 4)
    )
}

/// What was written between two marks, in words.
pub(super) fn moved(before: &Watermark, after: &Watermark) -> Vec<String> {
    let mut changes: BTreeMap<&str, BTreeMap<&str, (u64, u64)>> = BTreeMap::new();
    for (mark, was, is) in before.differences(after) {
        if let Some((of, what)) = mark.rsplit_once(OF) {
            changes.entry(of).or_default().insert(what, (was, is));
        }
    }
    let shrinks = |of: &str| {
        let mark = format!("{of}{OF}{SHRINKS}");
        before.0.contains_key(&mark) || after.0.contains_key(&mark)
    };
    let told = changes
        .iter()
        .filter_map(|(of, changes)| told(of, changes, shrinks(of)));
    told.collect()
}

fn told(of: &str, changes: &BTreeMap<&str, (u64, u64)>, shrinks: bool) -> Option<String> {
    let of = if of.starts_with("database ") || of.starts_with("function ") {
        of.to_owned()
    } else {
        format!("table {of}")
    };
    let change = |what: &str| changes.get(what).copied();
    let what = match change(DEFINITION) {
        Some((0, _)) => "it was made".to_owned(),
        Some((_, 0)) => "it was dropped".to_owned(),
        Some(_) => "its definition was changed".to_owned(),
        None => match (change(MUTATIONS), change(NEWEST), change(BLOCKS), change(ROWS)) {
            (Some(_), ..) => "rows were changed or deleted (a mutation)".to_owned(),
            (_, Some((was, is)), ..) if is > was => "rows were inserted".to_owned(),
            _ if shrinks => return None,
            (.., Some((was, is))) => format!("{was} rows, and {is} now"),
            (_, _, Some(_), None) | (_, Some(_), None, None) => "its parts were changed".to_owned(),
            (None, None, None, None) => return None,
        },
    };
    Some(format!("{of}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(marks: &[(&str, u64)]) -> Watermark {
        let named = |(mark, at): &(&str, u64)| (mark.replace(" | ", OF), *at);
        Watermark(marks.iter().map(named).collect())
    }

    fn changed(before: &[(&str, u64)], after: &[(&str, u64)]) -> String {
        moved(&marks(before), &marks(after)).join("; ")
    }

    #[test]
    fn every_write_is_told_once() {
        let before = [
            ("a.t | definition", 7),
            ("a.t | newest block", 3),
            ("a.t | blocks", 5),
            ("a.t | rows", 9),
        ];
        assert_eq!(changed(&before, &before), "");
        let inserted = [
            ("a.t | definition", 7),
            ("a.t | newest block", 4),
            ("a.t | blocks", 6),
            ("a.t | rows", 10),
        ];
        assert_eq!(changed(&before, &inserted), "table a.t: rows were inserted");
        let dropped = [
            ("a.t | definition", 7),
            ("a.t | newest block", 3),
            ("a.t | blocks", 3),
            ("a.t | rows", 4),
        ];
        assert_eq!(changed(&before, &dropped), "table a.t: 9 rows, and 4 now");
        assert_eq!(changed(&before, &[]), "table a.t: it was dropped");
        assert_eq!(changed(&[], &before), "table a.t: it was made");
        let mutated = [before.as_slice(), &[("a.t | last mutation", 8)]].concat();
        assert!(changed(&before, &mutated).contains("mutation"));
        assert_eq!(
            changed(&[("database a | definition", 1)], &[]),
            "database a: it was dropped"
        );
    }

    #[test]
    fn rows_that_vanish_by_themselves_are_no_write() {
        let before = [
            ("a.t | newest block", 3),
            ("a.t | blocks", 5),
            ("a.t | rows", 9),
            ("a.t | shrinks", 1),
        ];
        let merged = [("a.t | newest block", 2), ("a.t | blocks", 2), ("a.t | rows", 4)];
        assert_eq!(changed(&before, &merged), "");
        let inserted = [("a.t | newest block", 4), ("a.t | blocks", 4), ("a.t | rows", 4)];
        assert!(changed(&before, &inserted).contains("inserted"));
    }

    #[test]
    fn a_client_is_told_with_what_it_does() {
        let row = ["::ffff:10.1.2.3", "app", "", "Insert", "0.5"].map(ToOwned::to_owned);
        assert_eq!(client(&row), "10.1.2.3 user app, Insert for 0.5 s");
        assert!(CLIENTS.contains(super::super::http::AGENT));
    }
}
