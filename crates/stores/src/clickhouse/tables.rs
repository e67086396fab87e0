//! What is in a server: its databases and tables, and which of them a backup holds with their contents. What kind of thing an
//! engine's name stands for is decided here alone.

use stillpoint_core::stores::StoreError;

use super::session::{Session, cell};
use super::sql::literals;
use super::{ClickhouseStore, aside};

/// What every server has; what of it can be backed up is asked for by name.
const OWN: [&str; 3] = ["system", "INFORMATION_SCHEMA", "information_schema"];

/// Engines of databases whose tables are the server's own.
const HELD: [&str; 5] = ["Atomic", "Lazy", "Memory", "Ordinary", "Overlay"];

/// Engines of databases that show what lies elsewhere.
const ELSEWHERE: [&str; 10] = [
    "Backup",
    "DataLakeCatalog",
    "Dictionary",
    "Filesystem",
    "HDFS",
    "MySQL",
    "PostgreSQL",
    "Remote",
    "S3",
    "SQLite",
];

/// Engines of tables whose rows a count tells: all others that hold rows tell them in parts.
const COUNTED: [&str; 5] = ["EmbeddedRocksDB", "Log", "Memory", "StripeLog", "TinyLog"];

/// Engines of tables whose rows `BACKUP` leaves out (seen with 26.9 for all of them).
const LEFT_OUT: [&str; 3] = ["Buffer", "Join", "Set"];

/// Engines of tables that hold nothing and show what is in other tables, or is made up.
const EMPTY: [&str; 4] = ["GenerateRandom", "Loop", "Merge", "Null"];

/// Engines of tables that take in rows by themselves, or hand on what was written into others.
const ACTIVE: [&str; 9] = [
    "AzureQueue",
    "Buffer",
    "FileLog",
    "Kafka",
    "MaterializedView",
    "NATS",
    "RabbitMQ",
    "S3Queue",
    "WindowView",
];

/// Of these, those that fetch.
const FETCHES: [&str; 6] = ["AzureQueue", "FileLog", "Kafka", "NATS", "RabbitMQ", "S3Queue"];

/// A database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) engine: String,
}

/// A database that is the users' own and in a backup, or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Its tables.
    Tables,
    /// Nothing: what it shows lies elsewhere.
    Nothing,
    /// It is kept up by others than its server: it cannot be backed up alone.
    Shared,
}

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Its rows lie in parts.
    Parts,
    /// Its rows lie in parts that other servers share.
    Replicated,
    /// Its rows are told by a count.
    Counted,
    /// Its rows are in no backup.
    LeftOut,
    View,
    MaterializedView,
    Dictionary,
    /// It shows what lies elsewhere.
    Elsewhere,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) database: String,
    pub(super) name: String,
    pub(super) uuid: String,
    pub(super) engine: String,
    /// Its rows may vanish by themselves.
    pub(super) has_ttl: bool,
    /// It is filled anew by itself, from time to time.
    pub(super) refreshes: bool,
    /// Where a view puts its rows, as the server writes the name; empty: into a table of its own.
    pub(super) target: String,
}

impl Database {
    pub(super) fn holds(&self) -> Holds {
        let engine = self.engine.as_str();
        if HELD.contains(&engine) {
            Holds::Tables
        } else if ELSEWHERE.contains(&engine) {
            Holds::Nothing
        } else {
            Holds::Shared
        }
    }

    /// Whether it can be set aside by one rename.
    pub(super) fn can_be_renamed(&self) -> bool {
        self.engine == "Atomic"
    }
}

impl Table {
    pub(super) fn family(&self) -> Family {
        match self.engine.as_str() {
            "Dictionary" => Family::Dictionary,
            "MaterializedView" | "WindowView" => Family::MaterializedView,
            "LiveView" | "View" => Family::View,
            engine if COUNTED.contains(&engine) => Family::Counted,
            engine if LEFT_OUT.contains(&engine) => Family::LeftOut,
            engine if !engine.ends_with("MergeTree") => Family::Elsewhere,
            engine if engine.starts_with("Replicated") || engine.starts_with("Shared") => Family::Replicated,
            _ => Family::Parts,
        }
    }

    /// Whether its server makes fewer rows of it by itself: when it merges parts, or when they are old.
    pub(super) fn shrinks(&self) -> bool {
        self.family() == Family::Parts && (self.has_ttl || self.engine != "MergeTree")
    }

    /// Whether it acts by itself, or when others are written to.
    pub(super) fn is_active(&self) -> bool {
        ACTIVE.contains(&self.engine.as_str())
    }

    /// Whether there is anything behind it.
    pub(super) fn holds_something(&self) -> bool {
        !EMPTY.contains(&self.engine.as_str())
    }

    pub(super) fn fetches(&self) -> bool {
        FETCHES.contains(&self.engine.as_str())
    }

    /// Its name, for people.
    pub(super) fn told(&self) -> String {
        format!("{}.{}", self.database, self.name)
    }

    /// Whether it is where this view puts its rows.
    pub(super) fn is_target_of(&self, view: &Self) -> bool {
        let plain = view.target.replace('`', "");
        if view.target.is_empty() {
            self.database == view.database && is_inner_of(&self.name, view)
        } else {
            plain == self.told()
        }
    }
}

/// What a table is called to its users: the one that a view has made for itself is the view's.
pub(super) fn name_for_users(table: &Table, all: &[Table]) -> String {
    let of_view = all
        .iter()
        .find(|view| view.database == table.database && is_inner_of(&table.name, view));
    match of_view {
        Some(view) => format!("{}, its own table", view.told()),
        None => table.told(),
    }
}

fn is_inner_of(name: &str, view: &Table) -> bool {
    view.family() == Family::MaterializedView
        && match (name.strip_prefix(".inner_id."), name.strip_prefix(".inner.")) {
            (Some(uuid), _) => uuid == view.uuid,
            (None, Some(of)) => of == view.name,
            (None, None) => false,
        }
}

/// The names of those that a backup holds.
pub(super) fn held(databases: &[Database]) -> Vec<String> {
    let held = databases.iter().filter(|database| database.holds() == Holds::Tables);
    held.map(|database| database.name.clone()).collect()
}

impl ClickhouseStore {
    /// The users' databases, by name.
    pub(super) async fn databases(&self, session: &Session<'_>) -> Result<Vec<Database>, StoreError> {
        let list = format!(
            "SELECT name, engine FROM system.databases WHERE name NOT IN {} ORDER BY name",
            literals(OWN)
        );
        let rows = self.asked(session, "listing its databases", &list).await?;
        let databases = rows.iter().map(|row| Database {
            name: cell(row, 0).to_owned(),
            engine: cell(row, 1).to_owned(),
        });
        Ok(databases.filter(|database| !aside::is_ours(&database.name)).collect())
    }

    /// The tables of these databases, by name.
    pub(super) async fn tables(&self, session: &Session<'_>, databases: &[String]) -> Result<Vec<Table>, StoreError> {
        let list = format!(
            "SELECT database, name, toString(uuid), engine, position(engine_full, ' TTL ') > 0, \
             engine = 'MaterializedView' AND match(create_table_query, '^CREATE MATERIALIZED VIEW .+ REFRESH (AFTER|EVERY) '), \
             if(engine = 'MaterializedView', extract(create_table_query, ' TO ((?:`(?:[^`\\\\\\\\]|\\\\\\\\.)+`|[^ `.]+)\\\\.(?:`(?:[^`\\\\\\\\]|\\\\\\\\.)+`|[^ `.]+)) \\\\('), '') \
             FROM system.tables WHERE database IN {} AND NOT is_temporary ORDER BY database, name",
            literals(databases.iter().map(String::as_str))
        );
        let rows = self.asked(session, "listing its tables", &list).await?;
        Ok(rows.iter().map(|row| table(row)).collect())
    }
}

fn table(row: &[String]) -> Table {
    let text = |at: usize| cell(row, at).to_owned();
    let flag = |at: usize| matches!(cell(row, at), "1" | "true");
    Table {
        database: text(0),
        name: text(1),
        uuid: text(2),
        engine: text(3),
        has_ttl: flag(4),
        refreshes: flag(5),
        target: text(6),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::clickhouse) fn table_of(name: &str, engine: &str) -> Table {
        Table {
            database: "db".into(),
            name: name.into(),
            uuid: format!("uuid-of-{name}"),
            engine: engine.into(),
            ..Table::default()
        }
    }

    #[test]
    fn an_engine_tells_what_a_table_is() {
        for (engine, family, shrinks, is_active) in [
            ("MergeTree", Family::Parts, false, false),
            ("ReplacingMergeTree", Family::Parts, true, false),
            ("ReplicatedMergeTree", Family::Replicated, false, false),
            ("SharedMergeTree", Family::Replicated, false, false),
            ("Log", Family::Counted, false, false),
            ("Memory", Family::Counted, false, false),
            ("Join", Family::LeftOut, false, false),
            ("Buffer", Family::LeftOut, false, true),
            ("View", Family::View, false, false),
            ("MaterializedView", Family::MaterializedView, false, true),
            ("Dictionary", Family::Dictionary, false, false),
            ("Kafka", Family::Elsewhere, false, true),
            ("Distributed", Family::Elsewhere, false, false),
            ("Merge", Family::Elsewhere, false, false),
        ] {
            let table = table_of("t", engine);
            let found = (table.family(), table.shrinks(), table.is_active());
            assert_eq!(found, (family, shrinks, is_active), "{engine}");
        }
        let mut old = table_of("t", "MergeTree");
        old.has_ttl = true;
        assert!(old.shrinks());
    }

    #[test]
    fn an_engine_tells_what_a_database_is() {
        let holds = |engine: &str| {
            Database {
                name: "x".into(),
                engine: engine.into(),
            }
            .holds()
        };
        assert_eq!(holds("Atomic"), Holds::Tables);
        assert_eq!(holds("SQLite"), Holds::Nothing);
        for engine in ["Replicated", "MaterializedPostgreSQL", "Shared", "a new one"] {
            assert_eq!(holds(engine), Holds::Shared, "{engine}");
        }
    }

    #[test]
    fn the_table_of_a_view_is_called_after_it() {
        let view = table_of("mv", "MaterializedView");
        let inner = table_of(".inner_id.uuid-of-mv", "SummingMergeTree");
        let other = table_of(".inner_id.uuid-of-x", "MergeTree");
        let all = [view.clone(), inner.clone(), other.clone()];
        assert_eq!(name_for_users(&inner, &all), "db.mv, its own table");
        assert_eq!(name_for_users(&other, &all), "db..inner_id.uuid-of-x");
        assert!(inner.is_target_of(&view) && !other.is_target_of(&view));
        let mut elsewhere = view;
        elsewhere.target = "db.`odd t`".into();
        assert!(table_of("odd t", "MergeTree").is_target_of(&elsewhere) && !inner.is_target_of(&elsewhere));
    }
}
