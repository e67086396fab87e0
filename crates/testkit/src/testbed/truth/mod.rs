//! Everything of the platform's stores that a restore must bring back, in a form that two platforms can be compared by.
//! Taken with plain SQL, a script, a few words of protocol, never with the product's own code. Reading it writes nothing.

mod clickhouse;
mod collect;
mod differences;
mod documentdb;
mod milvus;
mod nats;
mod neo4j;
mod valkey;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A fact's name (`rows public.chat`, `role dagster`) to its content.
pub type Facts = BTreeMap<String, Value>;

/// The stores as they stood at one moment. What the witness wrote is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Of PostgreSQL: roles, memberships, settings, databases.
    pub cluster: Facts,
    /// Of PostgreSQL, by database: schemas, tables and their rows, indexes, functions, large objects and the rest.
    pub databases: BTreeMap<String, Facts>,
    /// Of the other stores, by `documentdb/<database>`, `valkey/<database>`, `nats/<account>`, `neo4j/<database>`,
    /// `clickhouse/<database>` and `milvus/<database>`.
    #[serde(default)]
    pub places: BTreeMap<String, Facts>,
}

impl Truth {
    /// Of stores that are no PostgreSQL.
    pub(super) fn at(places: BTreeMap<String, Facts>) -> Self {
        Self {
            places,
            ..Self::default()
        }
    }

    /// Of another store too.
    pub(super) fn add(&mut self, other: Self) {
        self.cluster.extend(other.cluster);
        self.databases.extend(other.databases);
        self.places.extend(other.places);
    }

    /// How many facts it is made of.
    pub fn facts(&self) -> usize {
        let places = self.databases.values().chain(self.places.values());
        self.cluster.len() + places.map(BTreeMap::len).sum::<usize>()
    }
}

pub(super) use clickhouse::clickhouse;
pub(super) use collect::collect;
pub(super) use documentdb::documentdb;
pub(super) use milvus::milvus;
pub(super) use nats::{nats, streams};
pub(super) use neo4j::neo4j;
pub(super) use valkey::valkey;
