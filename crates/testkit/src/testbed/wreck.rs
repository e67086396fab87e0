//! The disaster that a restore has to undo. Destroys data for good, in a testbed's own containers only.

use anyhow::Result;
use serde_json::json;

use super::docker::Docker;
use super::nats::{ACCOUNTS, Nats};
use super::psql::psql;
use super::{truth, valkey as words};

const SQL: &str = include_str!("wreck.sql");
const DOCUMENTDB: &str = include_str!("wreck.documentdb.sql");
const VALKEY: &str = include_str!("wreck.valkey");

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
