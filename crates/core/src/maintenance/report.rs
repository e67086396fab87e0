//! What upkeep answers, for people and programs.

use serde::Serialize;

use super::Handler;
use crate::names::StoreName;

/// Which of the databases that are looked for are on a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// They are there.
    pub there: Vec<String>,
    /// They are not.
    pub missing: Vec<String>,
    /// Their operator has named them; otherwise it is the usual name.
    pub are_named: bool,
    /// The server is a standby: what it has is another's, and only that one can change it.
    pub is_standby: bool,
}

/// What a cleanup did, or would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cleaned {
    /// Nothing was done, because maintenance is switched off.
    pub disabled: bool,
    /// Nothing was changed: it was only counted.
    pub dry_run: bool,
    /// Each database of Dagster.
    pub databases: Vec<CleanedDatabase>,
    /// Where there was nothing to do, and why.
    pub notes: Vec<String>,
    /// What could not be done beside the databases.
    pub failed: Vec<String>,
}

/// One database of Dagster.
#[derive(Clone, Debug, Serialize)]
pub struct CleanedDatabase {
    /// The store.
    pub store: StoreName,
    /// The database.
    pub database: String,
    /// The schema of its tables.
    pub schema: String,
    /// The version of these tables, as Dagster notes it; empty where it does not.
    pub version: String,
    /// What was done beside deleting, and what its operator should know.
    pub notes: Vec<String>,
    /// What failed beside the handlers.
    pub failed: Vec<String>,
    /// Bytes of Dagster's tables with their indexes when a cleanup had ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The handlers.
    pub handlers: Vec<Handled>,
}

/// What a handler did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Handled {
    /// Which.
    pub handler: Handler,
    /// Its window.
    pub days: u32,
    /// Rows that went, or would go.
    pub rows: u64,
    /// Bytes of their events; only where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// In so many batches, each committed.
    pub batches: u64,
    /// How long it took.
    pub millis: u64,
    /// WAL that the server wrote meanwhile, whoever caused it.
    pub wal_bytes: u64,
    /// Rows past the window that are left; none: it could not be counted.
    pub left: Option<u64>,
    /// So many more runs until nothing is left.
    pub ticks_to_drained: Option<u64>,
    /// Why it ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl Handled {
    /// One that has not begun.
    pub fn new(handler: Handler, days: u32) -> Self {
        Self {
            handler,
            days,
            rows: 0,
            bytes: None,
            batches: 0,
            millis: 0,
            wal_bytes: 0,
            left: None,
            ticks_to_drained: None,
            failed: None,
        }
    }
}

/// What a repack did, or would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Repacked {
    /// Nothing was done, because maintenance is switched off.
    pub disabled: bool,
    /// Nothing was changed: it was only looked whether it could.
    pub dry_run: bool,
    /// Each database of Dagster.
    pub databases: Vec<RepackedDatabase>,
    /// Where there was nothing to do, and why.
    pub notes: Vec<String>,
    /// What could not be done beside the databases.
    pub failed: Vec<String>,
}

/// One database of Dagster.
#[derive(Clone, Debug, Serialize)]
pub struct RepackedDatabase {
    /// The store.
    pub store: StoreName,
    /// The database.
    pub database: String,
    /// Why nothing was to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What was done beside, and what its operator should know.
    pub notes: Vec<String>,
    /// What keeps all of its tables from being repacked.
    pub failed: Vec<String>,
    /// Its tables.
    pub tables: Vec<RepackedTable>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepackedTable {
    /// Its name.
    pub table: String,
    /// Bytes of the table with its indexes, before.
    pub before: u64,
    /// The same afterwards; none: it was not repacked.
    pub after: Option<u64>,
    /// How long it took.
    pub millis: u64,
    /// Why it was not repacked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// How Dagster's databases stand.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// Maintenance is switched off.
    pub disabled: bool,
    /// Each database of Dagster.
    pub databases: Vec<DatabaseStatus>,
    /// Where there is nothing, and why.
    pub notes: Vec<String>,
    /// What could not be looked at, and why.
    pub failed: Vec<String>,
}

/// How one database of Dagster stands.
#[derive(Clone, Debug, Serialize)]
pub struct DatabaseStatus {
    /// What a cleanup would do.
    #[serde(flatten)]
    pub counted: CleanedDatabase,
    /// Its tables.
    pub tables: Vec<TableStatus>,
    /// The indexes that a cleanup needs.
    pub indexes: Vec<IndexStatus>,
    /// The version of `pg_repack` in it, if it has one.
    pub pg_repack: Option<String>,
}

/// How a table stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableStatus {
    /// Its name.
    pub table: String,
    /// Bytes of its rows, what is stored aside of them too.
    pub table_bytes: u64,
    /// Bytes of its indexes.
    pub index_bytes: u64,
    /// Rows that count, as the server estimates them.
    pub live_rows: u64,
    /// Rows that are gone and still take room, as the server estimates them.
    pub dead_rows: u64,
}

/// How an index stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndexStatus {
    /// Its name.
    pub index: String,
    /// It is there and can be used.
    pub usable: bool,
}
