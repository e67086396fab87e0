//! Asks a server for its truth, one database after the other.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::Truth;
use crate::testbed::psql::{connect, psql};

const CLUSTER: &str = include_str!("cluster.sql");
const DATABASE: &str = include_str!("database.sql");

/// The truth of the server in `container`, for the databases named; in one call, since each costs more than its queries.
pub(in crate::testbed) fn collect(container: &str, databases: &[String]) -> Result<Truth> {
    let mut script = CLUSTER.to_owned();
    for name in databases {
        script.push_str(&connect(name));
        script.push_str(DATABASE);
    }
    told(container, &script)
}

/// What a script tells of the server in `container`.
pub(super) fn told(container: &str, script: &str) -> Result<Truth> {
    parse(&psql(container, "postgres", script)?)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Database { database: String },
    Fact { fact: String, is: Value },
}

fn parse(answer: &str) -> Result<Truth> {
    let mut truth = Truth::default();
    let mut place = &mut truth.cluster;
    for text in answer.lines().filter(|l| !l.is_empty()) {
        match serde_json::from_str(text).with_context(|| format!("no fact: {text}"))? {
            Line::Database { database } => place = truth.databases.entry(database).or_default(),
            // Two facts of one name would hide each other.
            Line::Fact { fact, is } => ensure!(
                place.insert(fact, is).is_none(),
                "two facts have the name of this one: {text}"
            ),
        }
    }
    Ok(truth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_under_their_database() {
        let lines = r#"{"fact": "role a", "is": {"login": true}}
            {"database": "x"}
            {"fact": "rows t", "is": {"count": 1}}
            {"database": "y"}"#;
        let truth = parse(lines).unwrap();
        assert!(truth.cluster.contains_key("role a"));
        assert!(truth.databases["x"].contains_key("rows t"));
        assert!(truth.databases["y"].is_empty());
    }

    #[test]
    fn a_name_may_come_once() {
        let error = parse("{\"fact\": \"a\", \"is\": 1}\n{\"fact\": \"a\", \"is\": 2}").unwrap_err();
        assert!(error.to_string().starts_with("two facts"), "{error}");
    }
}
