//! What a backup does not hold, and what may write by itself meanwhile, in words for its operator. Pure.

use std::collections::BTreeMap;

use super::tables::{Database, Family, Holds, Table};

/// Which of the tables of `system` a backup holds, and why not the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extras {
    pub(super) backed: Vec<String>,
    pub(super) missing: Vec<(String, String)>,
}

/// What a backup does not hold, in words.
pub(super) fn not_in_backup(databases: &[Database], tables: &[Table], extras: &Extras) -> Vec<String> {
    let elsewhere = databases.iter().filter(|database| database.holds() == Holds::Nothing);
    let mut told: Vec<String> = elsewhere
        .map(|database| format!("database {} ({}): it lies elsewhere", database.name, database.engine))
        .collect();
    for table in tables {
        let what = match table.family() {
            Family::LeftOut => "its rows (ClickHouse's BACKUP leaves them out)",
            Family::Elsewhere if table.holds_something() => "what it shows, for that lies elsewhere",
            _ if tables.iter().any(|view| view.refreshes && table.is_target_of(view)) => {
                "its rows, which a refreshable view makes anew"
            }
            _ => continue,
        };
        told.push(format!("table {} ({}): {what}", table.told(), table.engine));
    }
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, why) in extras.missing.iter().filter(|(name, _)| name != "functions") {
        missing.entry(why).or_default().push(name.replace('_', " "));
    }
    told.extend(
        missing
            .iter()
            .map(|(why, names)| format!("{}: {why}", names.join(", "))),
    );
    told
}

/// What may write by itself while no client runs.
pub(super) fn acting(tables: &[Table]) -> Vec<String> {
    let acting = tables.iter().filter_map(|table| {
        let what = if table.fetches() {
            "takes in rows by itself"
        } else if table.refreshes {
            "is refreshed by itself"
        } else {
            return None;
        };
        Some(format!(
            "table {} ({}) {what}: if it does while the clients are down, there is no backup",
            table.told(),
            table.engine
        ))
    });
    acting.collect()
}

#[cfg(test)]
mod tests {
    use super::super::tables::tests::table_of;
    use super::*;

    fn database(name: &str, engine: &str) -> Database {
        Database {
            name: name.into(),
            engine: engine.into(),
        }
    }

    #[test]
    fn what_a_backup_does_not_hold_is_told() {
        let mut view = table_of("fresh", "MaterializedView");
        view.refreshes = true;
        view.target = "db.latest".into();
        let tables = [
            table_of("t", "MergeTree"),
            table_of("j", "Join"),
            table_of("k", "Kafka"),
            table_of("nowhere", "Null"),
            table_of("latest", "MergeTree"),
            view,
        ];
        let extras = Extras {
            backed: vec!["functions".into()],
            missing: ["row_policies", "users", "functions"]
                .map(|name| (name.into(), "not granted".into()))
                .into(),
        };
        let told = not_in_backup(&[database("my", "MySQL"), database("a", "Atomic")], &tables, &extras);
        let expected = [
            "database my (MySQL): it lies elsewhere",
            "table db.j (Join): its rows (ClickHouse's BACKUP leaves them out)",
            "table db.k (Kafka): what it shows, for that lies elsewhere",
            "table db.latest (MergeTree): its rows, which a refreshable view makes anew",
            "row policies, users: not granted",
        ];
        assert_eq!(told, expected);
        assert_eq!(acting(&tables).len(), 2);
    }
}
