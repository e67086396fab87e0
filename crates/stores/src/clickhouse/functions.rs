//! The users' functions in SQL. They belong to no database, and a server need not back them up: a record says how they are made. What
//! a restore replaces is written down in the server first, in a database of ours, until it is put back or discarded.

use stillpoint_core::stores::{Old, StoreError};

use super::ClickhouseStore;
use super::session::{Session, cell};
use super::sql::{ident, literal, of_database};
use crate::toolbox::{is_short_name, short_name};

/// By name: how they are made.
pub(super) const LIST: &str =
    "SELECT name, create_query FROM system.functions WHERE origin = 'SQLUserDefined' ORDER BY name";

/// How the name of the database ends that holds what was replaced.
const SUFFIX: &str = "_functions";

/// The view in it.
const VIEW: &str = "as_they_were";

/// A name, and the statement that makes it.
pub(super) type Function = (String, String);

/// Whether a database is one in which functions are kept.
pub(super) fn is_ours(database: &str) -> bool {
    database.strip_suffix(SUFFIX).is_some_and(is_short_name)
}

/// What has to be done so that there are these functions and no others.
fn changes(there: &[Function], wanted: &[Function]) -> Vec<String> {
    let is_wanted = |(name, _): &&Function| wanted.iter().any(|(other, _)| other == name);
    let drops = there.iter().filter(|function| !is_wanted(function));
    let drops = drops.map(|(name, _)| format!("DROP FUNCTION IF EXISTS {}", ident(name)));
    let makes = wanted.iter().filter(|function| !there.contains(function));
    let makes = makes.map(|(_, make)| make.replacen("CREATE FUNCTION ", "CREATE OR REPLACE FUNCTION ", 1));
    drops.chain(makes).collect()
}

/// The view that remembers them.
fn remembering(view: &str, functions: &[Function]) -> String {
    let pairs: Vec<String> = functions
        .iter()
        .map(|(name, make)| format!("({}, {})", literal(name), literal(make)))
        .collect();
    format!(
        "CREATE VIEW IF NOT EXISTS {view} AS SELECT f.1 AS name, f.2 AS make FROM \
         (SELECT arrayJoin(CAST([{}], 'Array(Tuple(String, String))')) AS f)",
        pairs.join(", ")
    )
}

fn pairs(rows: &[Vec<String>]) -> Vec<Function> {
    let pair = |row: &Vec<String>| (cell(row, 0).to_owned(), cell(row, 1).to_owned());
    rows.iter().map(pair).collect()
}

impl ClickhouseStore {
    pub(super) async fn functions(&self, session: &Session<'_>) -> Result<Vec<Function>, StoreError> {
        let rows = self.asked(session, "looking at its functions", LIST).await?;
        Ok(pairs(&rows))
    }

    fn kept_in(&self) -> String {
        format!("{}{SUFFIX}", short_name(self.name.as_str()))
    }

    async fn has_kept_functions(&self, session: &Session<'_>) -> Result<bool, StoreError> {
        let ask = format!(
            "SELECT name FROM system.databases WHERE name = {}",
            literal(&self.kept_in())
        );
        Ok(!self
            .asked(session, "looking for its former functions", &ask)
            .await?
            .is_empty())
    }

    /// Brings about that there are these functions and no others. What was there before the first restore stays known.
    pub(super) async fn replace_functions(&self, session: &Session<'_>, wanted: &[Function]) -> Result<(), StoreError> {
        let there = self.functions(session).await?;
        let changes = changes(&there, wanted);
        if changes.is_empty() {
            return Ok(());
        }
        let kept_in = self.kept_in();
        let keep = [
            format!("CREATE DATABASE IF NOT EXISTS {} ENGINE = Atomic", ident(&kept_in)),
            remembering(&of_database(&kept_in, VIEW), &there),
        ];
        for statement in keep.iter().chain(&changes) {
            self.asked(session, "replacing its functions", statement).await?;
        }
        Ok(())
    }

    /// The functions as they were before the first restore.
    pub(super) async fn put_functions_back(&self, session: &Session<'_>) -> Result<(), StoreError> {
        if !self.has_kept_functions(session).await? {
            return Ok(());
        }
        let kept_in = self.kept_in();
        let doing = "putting its functions back";
        let ask = format!(
            "SELECT name FROM system.tables WHERE database = {} AND name = {}",
            literal(&kept_in),
            literal(VIEW)
        );
        // Where there is none, none was replaced yet.
        if !self.asked(session, doing, &ask).await?.is_empty() {
            let ask = format!("SELECT name, make FROM {}", of_database(&kept_in, VIEW));
            let wanted = pairs(&self.asked(session, doing, &ask).await?);
            for statement in changes(&self.functions(session).await?, &wanted) {
                self.asked(session, doing, &statement).await?;
            }
        }
        self.discard_functions(session).await
    }

    pub(super) async fn discard_functions(&self, session: &Session<'_>) -> Result<(), StoreError> {
        let forget = format!("DROP DATABASE IF EXISTS {} SYNC", ident(&self.kept_in()));
        self.asked(session, "forgetting its former functions", &forget)
            .await
            .map(drop)
    }

    pub(super) async fn held_functions(&self, session: &Session<'_>) -> Result<Option<Old>, StoreError> {
        let is_there = self.has_kept_functions(session).await?;
        Ok(is_there.then(|| Old {
            what: format!("its functions, in database `{}`", self.kept_in()),
            is_sole: false,
            replaced_by: Some("its functions".to_owned()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(list: &[(&str, &str)]) -> Vec<Function> {
        list.iter()
            .map(|(name, body)| ((*name).into(), format!("CREATE FUNCTION {name} AS {body}")))
            .collect()
    }

    #[test]
    fn only_what_differs_is_changed() {
        let there = functions(&[("a", "x -> x"), ("b", "x -> 1"), ("c d", "x -> 2")]);
        let wanted = functions(&[("a", "x -> x"), ("b", "x -> 3"), ("e", "x -> 4")]);
        assert_eq!(changes(&there, &there), Vec::<String>::new());
        assert_eq!(
            changes(&there, &wanted),
            [
                "DROP FUNCTION IF EXISTS `c d`",
                "CREATE OR REPLACE FUNCTION b AS x -> 3",
                "CREATE OR REPLACE FUNCTION e AS x -> 4"
            ]
        );
    }

    #[test]
    fn what_was_there_is_remembered_whatever_it_holds() {
        let statement = remembering("`a`.`b`", &functions(&[("f", "x -> concat(x, 'it\\'s')")]));
        assert!(
            statement.contains("('f', 'CREATE FUNCTION f AS x -> concat(x, \\'it\\\\\\'s\\')')"),
            "{statement}"
        );
        assert!(remembering("v", &[]).contains("CAST([], "));
    }

    #[test]
    fn the_place_is_known_by_its_name() {
        assert!(is_ours(&format!("{}_functions", short_name("clickhouse"))));
        for other in ["functions", "my_functions", "sp_12345678_old_functions"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
