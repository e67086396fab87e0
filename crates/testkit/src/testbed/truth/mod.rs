//! Everything of a PostgreSQL cluster that a restore must bring back, in a form that two clusters can be compared by.
//! Taken with plain SQL, never with the product's own code. Reading it writes nothing.

mod collect;
mod differences;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A fact's name (`rows public.chat`, `role dagster`) to its content.
pub type Facts = BTreeMap<String, Value>;

/// A cluster as it stood at one moment. The witness's tables are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Roles, memberships, settings, databases.
    pub cluster: Facts,
    /// By database: schemas, tables and their rows, indexes, functions, large objects and the rest.
    pub databases: BTreeMap<String, Facts>,
}

pub(super) use collect::collect;
