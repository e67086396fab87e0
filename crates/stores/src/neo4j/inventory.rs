//! What can be counted in a server: nodes and relationships by the names of their kinds, indexes and constraints by theirs,
//! and users. From the server's own counters, which every commit keeps; nothing is read through.

use serde_json::{Value, json};
use stillpoint_core::manifest::{Count, Inventory};

use super::session::{AskError, Rows, SYSTEM, Session, texts};

const COUNTS: &str = "CALL db.stats.retrieve('GRAPH COUNTS') YIELD data RETURN data";
const INDEXES: &str = "SHOW INDEXES YIELD type RETURN type";
const CONSTRAINTS: &str = "SHOW CONSTRAINTS YIELD type RETURN type";
const USERS: &str = "SHOW USERS YIELD user RETURN user";

/// Counts what is in the server now.
pub(super) async fn count(session: &Session<'_>, database: &str) -> Result<Inventory, AskError> {
    let counts = session.ask(database, COUNTS, json!({})).await?;
    let mut inventory = graph(&counts);
    for (what, statement) in [("indexes", INDEXES), ("constraints", CONSTRAINTS)] {
        let found = session.ask(database, statement, json!({})).await?;
        for kind in texts(&found) {
            add(&mut inventory, format!("{what} of type {kind}"), 1);
        }
    }
    for user in texts(&session.ask(SYSTEM, USERS, json!({})).await?) {
        inventory.exact(format!("user {user}"), 1);
    }
    Ok(inventory)
}

/// Counts as a record does: what became empty may not be told by a server, and counts as 0.
pub(super) fn like(mut found: Inventory, recorded: &Inventory) -> Inventory {
    for (name, count) in &recorded.0 {
        found.0.entry(name.clone()).or_insert(Count { count: 0, ..*count });
    }
    found
}

fn add(inventory: &mut Inventory, name: String, count: u64) {
    let before = inventory.0.get(&name).map_or(0, |count| count.count);
    inventory.exact(name, before + count);
}

/// Entries that name neither kind nor ends count everything; those that name ends as well count parts of what was counted.
fn graph(counts: &Rows) -> Inventory {
    let mut inventory = Inventory::default();
    let entries = |list: &str| {
        let data = counts.rows.first().and_then(|row| row.first());
        let entries = data.and_then(|data| data.get(list)?.as_array());
        entries.cloned().unwrap_or_default()
    };
    let number = |entry: &Value| entry.get("count").and_then(Value::as_u64).unwrap_or(0);
    for node in entries("nodes") {
        let name = match node.get("label").and_then(Value::as_str) {
            Some(label) => format!("nodes with label {label}"),
            None => "nodes".to_owned(),
        };
        inventory.exact(name, number(&node));
    }
    for relationship in entries("relationships") {
        let text = |key: &str| relationship.get(key).and_then(Value::as_str);
        let name = match (text("relationshipType"), text("startLabel").or(text("endLabel"))) {
            (None, None) => "relationships".to_owned(),
            (Some(kind), None) => format!("relationships of type {kind}"),
            (_, Some(_)) => continue,
        };
        inventory.exact(name, number(&relationship));
    }
    inventory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_the_server_are_named() {
        let data = json!({
            "nodes": [{"count": 5}, {"count": 3, "label": "A"}, {"count": 0, "label": "we`ird"}],
            "relationships": [
                {"count": 4}, {"relationshipType": "R", "count": 4},
                {"relationshipType": "R", "startLabel": "A", "count": 2},
                {"relationshipType": "R", "endLabel": "A", "count": 1},
            ],
            "indexes": [], "constraints": [],
        });
        let counted = graph(&Rows {
            rows: vec![vec![data]],
            bookmark: None,
        });
        let told: Vec<(&str, u64)> = counted
            .0
            .iter()
            .map(|(name, count)| (name.as_str(), count.count))
            .collect();
        assert_eq!(
            told,
            [
                ("nodes", 5),
                ("nodes with label A", 3),
                ("nodes with label we`ird", 0),
                ("relationships", 4),
                ("relationships of type R", 4),
            ]
        );
    }

    #[test]
    fn what_became_empty_is_a_difference() {
        let mut backup = Inventory::default();
        backup.exact("nodes with label A", 3);
        let found = like(Inventory::default(), &backup);
        assert_eq!(
            backup.differences(&found),
            ["nodes with label A: 3 in the backup, 0 restored"]
        );
    }
}
