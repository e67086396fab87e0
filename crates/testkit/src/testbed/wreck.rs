//! The disaster that a restore has to undo. Destroys data for good, in a testbed's own containers only.

use anyhow::{Context, Result};
use serde_json::json;

use super::clickhouse::{ClickHouse, OF_THE_SERVER, quoted};
use super::docker::Docker;
use super::nats::{ACCOUNTS, Nats};
use super::neo4j::{Neo4j, text};
use super::psql::psql;
use super::{milvus as beside_milvus, truth, valkey as words};

const SQL: &str = include_str!("wreck.sql");
const DOCUMENTDB: &str = include_str!("wreck.documentdb.sql");
const VALKEY: &str = include_str!("wreck.valkey");
const MILVUS: &str = include_str!("wreck.milvus.py");

/// Drops all databases and roles of the server in `container` and puts rubbish in their place.
pub(super) fn postgres(container: &str) -> Result<()> {
    Docker::new(["exec", "-i", "-u", "postgres", container, "psql", "-XqAt"])
        .input(SQL)
        .run()
        .map(drop)
}

/// Drops collections, roles and the extension of the server in `container`, makes it anew and puts rubbish into it.
pub(super) fn documentdb(container: &str) -> Result<()> {
    psql(container, "postgres", DOCUMENTDB).map(drop)
}

/// Empties every database of the Valkey in `container` and puts rubbish under some of the old names.
pub(super) fn valkey(container: &str) -> Result<()> {
    words::cli(container).input(VALKEY).run().map(drop)
}

/// Deletes every stream of every account and makes rubbish under two of the old names.
pub(super) fn nats(container: &str) -> Result<()> {
    for (_, user, password) in ACCOUNTS {
        let mut nats = Nats::connect(container, user, password)?;
        for name in truth::streams(&mut nats)? {
            nats.api(&format!("STREAM.DELETE.{name}"), &json!({}))?;
        }
        for (name, subject) in [("ORDERS", "rubbish"), ("WITNESS", "orders.new.1")] {
            let config = json!({"name": name, "subjects": [subject], "storage": "file"});
            nats.api(&format!("STREAM.CREATE.{name}"), &config)?;
            nats.publish(subject, "not what you remember")?;
        }
    }
    Ok(())
}

/// Deletes every node, rule, index and user but `neo4j`, and makes rubbish under some of the old names.
pub(super) fn neo4j(container: &str) -> Result<()> {
    const RUBBISH: [(&str, &str); 5] = [
        (
            "neo4j",
            "CREATE (p:Person {mail: 'not what you remember'})-[:KNOWS {note: 'rubbish'}]->(:Witness:Rubbish {n: 1})",
        ),
        ("neo4j", "CREATE INDEX person_mail FOR (p:Person) ON (p.mail)"),
        ("neo4j", "CREATE TEXT INDEX meaning FOR (r:Rubbish) ON (r.meaning)"),
        (
            "system",
            "CREATE USER reporter SET PASSWORD 'not what you remember' CHANGE NOT REQUIRED",
        ),
        ("system", "CREATE USER rubbish SET PASSWORD 'rubbish-secret'"),
    ];
    let server = Neo4j::of(container)?;
    server.run(
        "neo4j",
        "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS",
    )?;
    let drops = [
        ("neo4j", "CONSTRAINT", "SHOW CONSTRAINTS YIELD name"),
        ("neo4j", "INDEX", "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'"),
        ("system", "USER", "SHOW USERS YIELD user WHERE user <> 'neo4j'"),
    ];
    for (database, what, show) in drops {
        for row in server.rows(database, show, &json!({}))? {
            let name = text(row.first().context("an empty row")?)?.replace('`', "``");
            server.run(database, &format!("DROP {what} `{name}`"))?;
        }
    }
    RUBBISH
        .iter()
        .try_for_each(|(database, statement)| server.run(database, statement))
}

/// Drops every database and function, and makes rubbish under some of the old names.
pub(super) fn clickhouse(container: &str) -> Result<()> {
    const RUBBISH: [&str; 8] = [
        "CREATE DATABASE default",
        "CREATE TABLE default.traces (id UInt8, rubbish String) ENGINE = MergeTree ORDER BY id",
        "INSERT INTO default.traces VALUES (1, 'not what you remember')",
        "CREATE TABLE default.witness (tick UInt64) ENGINE = Memory",
        "CREATE VIEW default.models AS SELECT 1 AS id",
        "CREATE DATABASE rubbish",
        "CREATE TABLE rubbish.scores (id UInt8) ENGINE = Log",
        "CREATE FUNCTION per_million AS x -> x",
    ];
    let server = ClickHouse::of(container)?;
    let databases = format!("SELECT name FROM system.databases WHERE name NOT IN {OF_THE_SERVER}");
    for name in server.texts(&databases)? {
        server.run(&format!("DROP DATABASE {} SYNC", quoted(&name)))?;
    }
    for name in server.texts("SELECT name FROM system.functions WHERE origin = 'SQLUserDefined'")? {
        server.run(&format!("DROP FUNCTION {}", quoted(&name)))?;
    }
    RUBBISH.iter().try_for_each(|statement| server.run(statement))
}

/// Drops every collection, database, role and user but root, and makes rubbish under some of the old names. What is beside the server in its etcd
/// and its bucket is nobody's disaster.
pub(super) fn milvus(container: &str) -> Result<()> {
    beside_milvus::told(container, MILVUS).map(drop)
}
