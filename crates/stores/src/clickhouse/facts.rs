//! What a restore needs to know of a backup: the facts of its record. Lists are JSON.

use std::collections::BTreeMap;

use stillpoint_core::manifest::StoreRecord;

const VERSION: &str = "clickhouse_version";
const PREFIX: &str = "prefix";
const DATABASES: &str = "databases";
const SYSTEM_TABLES: &str = "system_tables";
const FUNCTIONS: &str = "functions";
const NOT_IN_BACKUP: &str = "not_in_the_backup";

/// What a backup holds, as its record says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) version: String,
    /// Where its objects lie below the backup's directory.
    pub(super) prefix: String,
    pub(super) databases: Vec<String>,
    /// Tables of `system` that it holds: users, functions.
    pub(super) system_tables: Vec<String>,
    /// How functions are made that it does not hold: a name, and the statement.
    pub(super) functions: Vec<(String, String)>,
    /// What it does not hold, in words.
    pub(super) not_in_backup: Vec<String>,
}

impl Facts {
    pub(super) fn told(&self) -> BTreeMap<String, String> {
        let list = |list: &[String]| serde_json::to_string(list).unwrap_or_default();
        let functions = serde_json::to_string(&self.functions).unwrap_or_default();
        [
            (VERSION, self.version.clone()),
            (PREFIX, self.prefix.clone()),
            (DATABASES, list(&self.databases)),
            (SYSTEM_TABLES, list(&self.system_tables)),
            (FUNCTIONS, functions),
            (NOT_IN_BACKUP, list(&self.not_in_backup)),
        ]
        .map(|(name, fact)| (name.to_owned(), fact))
        .into()
    }

    /// None where they are not what such a backup says.
    pub(super) fn of(record: &StoreRecord) -> Option<Self> {
        let text = |name: &str| record.facts.get(name).cloned();
        let list = |name: &str| serde_json::from_str(&text(name)?).ok();
        Some(Self {
            version: text(VERSION)?,
            prefix: text(PREFIX)?,
            databases: list(DATABASES)?,
            system_tables: list(SYSTEM_TABLES)?,
            functions: serde_json::from_str(&text(FUNCTIONS)?).ok()?,
            not_in_backup: list(NOT_IN_BACKUP)?,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;
    use stillpoint_core::manifest::Inventory;
    use stillpoint_core::names::{StoreKind, StoreName};

    use super::*;

    fn record(facts: &Facts) -> StoreRecord {
        StoreRecord {
            name: StoreName::new("clickhouse"),
            kind: StoreKind::new("clickhouse"),
            version: facts.version.clone(),
            pinned: Timestamp::UNIX_EPOCH,
            artifacts: Vec::new(),
            inventory: Inventory::default(),
            took: None,
            watermarks: None,
            facts: facts.told(),
        }
    }

    #[test]
    fn what_was_told_is_found_again() {
        let facts = Facts {
            version: "26.9.2.1".into(),
            prefix: "clickhouse/backup_2026_02_17_00_00_00".into(),
            databases: vec!["default".into(), "we`ird \"db\"".into()],
            system_tables: vec!["users".into()],
            functions: vec![("lin".into(), "CREATE FUNCTION lin AS (x, k) -> ((x * k) + 1)".into())],
            not_in_backup: vec!["named collections".into()],
        };
        assert_eq!(Facts::of(&record(&facts)), Some(facts.clone()));
        let mut other = record(&facts);
        other.facts.remove(DATABASES);
        assert_eq!(Facts::of(&other), None);
    }
}
