//! What can be counted in a server: the keys of each database, and functions. Keys that may vanish by
//! themselves are counted as estimates: between backup and restore time passes, and they with it.

use std::collections::BTreeMap;

use redis::Value;
use stillpoint_core::manifest::{Count, Inventory};
use stillpoint_core::stores::StoreError;

use super::access::server;
use super::info::{Info, part};
use super::session::{Session, Trouble, items, text};

/// Hashes of which fields may vanish, and with the last of them the hash: Valkey's and Redis' names.
const VOLATILE: [&str; 2] = ["keys_with_volatile_items", "subexpiry"];

const LASTING: &str = "keys without expiry";
const EXPIRING: &str = "keys with expiry";
const FUNCTIONS: &str = "functions";

/// Counts what is in the server now.
pub(super) async fn count(session: &Session) -> Result<Inventory, StoreError> {
    let mut inventory = keys(&Info::ask(session, Some("keyspace")).await?);
    match session.ask(&["FUNCTION", "LIST"]).await {
        Ok(libraries) => inventory.exact(FUNCTIONS, functions(&libraries)),
        // Servers before version 7 have none.
        Err(Trouble::Answer(_)) => {}
        Err(trouble) => return Err(server("counting functions", trouble)),
    }
    Ok(inventory)
}

/// Counts as a record does: a database that became empty is not told by a server, and counts as 0.
pub(super) async fn count_like(session: &Session, recorded: &Inventory) -> Result<Inventory, StoreError> {
    let mut inventory = count(session).await?;
    for (name, count) in &recorded.0 {
        let nothing = Count { count: 0, ..*count };
        inventory.0.entry(name.clone()).or_insert(nothing);
    }
    Ok(inventory)
}

fn keys(keyspace: &Info) -> Inventory {
    let mut counts = BTreeMap::new();
    for (database, field) in keyspace.below("db") {
        let volatile: u64 = VOLATILE.iter().map(|name| part(field, name)).sum();
        let expiring = part(field, "expires");
        let lasting = part(field, "keys").saturating_sub(expiring);
        // A hash that may vanish counts among the lasting keys: nobody knows how many of them do.
        let exact = volatile == 0;
        counts.insert(format!("db {database}: {LASTING}"), Count { count: lasting, exact });
        let expiring = Count {
            count: expiring,
            exact: false,
        };
        counts.insert(format!("db {database}: {EXPIRING}"), expiring);
    }
    Inventory(counts)
}

/// Each library is a list of names and values; its functions are one of them.
fn functions(libraries: &Value) -> u64 {
    let of_library = |library: &Value| {
        let fields = items(library).chunks(2);
        let functions = fields.filter(|field| field.first().is_some_and(|name| text(name) == "functions"));
        functions
            .filter_map(|field| field.get(1))
            .map(|list| items(list).len() as u64)
            .sum::<u64>()
    };
    items(libraries).iter().map(of_library).sum()
}

/// The highest database that holds something.
pub(super) fn highest_database(inventory: &Inventory) -> Option<u64> {
    let number = |name: &String| name.strip_prefix("db ")?.split(':').next()?.parse().ok();
    let filled = inventory.0.iter().filter(|(_, count)| count.count > 0);
    filled.filter_map(|(name, _)| number(name)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> Inventory {
        keys(&Info::parse(text))
    }

    #[test]
    fn what_expires_is_no_difference() {
        let backup = counted("db0:keys=10,expires=3,avg_ttl=9\r\ndb3:keys=2,expires=2\r\n");
        let mut restored = counted("db0:keys=8,expires=1,avg_ttl=9\r\n");
        restored.exact("db 3: keys without expiry", 0);
        assert_eq!(backup.differences(&restored), Vec::<String>::new());
        let lost = counted("db0:keys=9,expires=3,avg_ttl=9\r\ndb3:keys=2,expires=2\r\n");
        assert_eq!(
            backup.differences(&lost),
            ["db 0: keys without expiry: 7 in the backup, 6 restored"]
        );
    }

    #[test]
    fn hashes_whose_fields_expire_make_an_estimate_of_it() {
        for field in ["keys_with_volatile_items=1", "subexpiry=1"] {
            let backup = counted(&format!("db0:keys=10,expires=3,{field}\r\n"));
            let restored = counted("db0:keys=6,expires=0\r\n");
            assert_eq!(backup.differences(&restored), Vec::<String>::new(), "{field}");
        }
    }

    #[test]
    fn functions_are_counted_over_all_libraries() {
        let text = |text: &str| Value::BulkString(text.into());
        let library = |count: usize| {
            let functions = Value::Array(vec![Value::Array(vec![text("name"), text("f")]); count]);
            Value::Array(vec![
                text("library_name"),
                text("functions"),
                text("functions"),
                functions,
            ])
        };
        assert_eq!(functions(&Value::Array(vec![library(2), library(1)])), 3);
        assert_eq!(functions(&Value::Array(Vec::new())), 0);
    }

    #[test]
    fn the_highest_database_with_something_in_it_is_known() {
        assert_eq!(
            highest_database(&counted("db0:keys=1,expires=0\r\ndb15:keys=1,expires=1\r\n")),
            Some(15)
        );
        assert_eq!(highest_database(&counted("db0:keys=0,expires=0\r\n")), None);
    }
}
