//! Asks a server for its truth, one database after the other.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{Facts, Truth};
use crate::testbed::docker::{Docker, LONG};

const CLUSTER: &str = include_str!("cluster.sql");
const DATABASE: &str = include_str!("database.sql");

/// The truth of the server in `container`, for the databases named.
pub(in crate::testbed) fn collect(container: &str, databases: &[String]) -> Result<Truth> {
    let facts = |database: &str, sql| ask(container, database, sql).with_context(|| format!("cannot take the truth of {database}"));
    let cluster = facts("postgres", CLUSTER)?;
    let databases = databases.iter().map(|name| Ok((name.clone(), facts(name, DATABASE)?)));
    Ok(Truth { cluster, databases: databases.collect::<Result<_>>()? })
}

/// The database's name goes by the environment: as an argument psql would take some names for connection strings.
fn ask(container: &str, database: &str, sql: &str) -> Result<Facts> {
    let answer = Docker::new(["exec", "-i", "-u", "postgres", "-e", &format!("PGDATABASE={database}"), container, "psql", "-XqAt"])
        .input(sql)
        .limit(LONG)
        .run()?;
    parse(&answer)
}

#[derive(Deserialize)]
struct Line {
    fact: String,
    is: Value,
}

/// Two facts of one name would hide each other.
fn parse(answer: &str) -> Result<Facts> {
    let mut facts = Facts::new();
    for text in answer.lines().filter(|l| !l.is_empty()) {
        let line: Line = serde_json::from_str(text).with_context(|| format!("no fact: {text}"))?;
        ensure!(facts.insert(line.fact.clone(), line.is).is_none(), "two facts are named {:?}", line.fact);
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_and_a_name_may_come_once() {
        let facts = parse("{\"fact\": \"role a\", \"is\": {\"login\": true}}\n\n{\"fact\": \"role b\", \"is\": null}").unwrap();
        assert_eq!(facts.len(), 2);
        let twice = parse("{\"fact\": \"a\", \"is\": 1}\n{\"fact\": \"a\", \"is\": 2}").unwrap_err();
        assert_eq!(twice.to_string(), "two facts are named \"a\"");
    }
}
