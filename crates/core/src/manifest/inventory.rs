//! What can be counted in a store, so that a restore can be compared with what was backed up.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Counts by name: `openwebui: public.chat` → 1,200 rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Inventory(pub BTreeMap<String, Count>);

/// One count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// How many.
    pub count: u64,
    /// Counted, not estimated. Estimates are shown, never compared.
    pub exact: bool,
}

impl Inventory {
    /// Adds an exact count.
    pub fn exact(&mut self, name: impl Into<String>, count: u64) {
        self.0.insert(name.into(), Count { count, exact: true });
    }

    /// Adds a count that a restore need not meet.
    pub fn estimate(&mut self, name: impl Into<String>, count: u64) {
        self.0.insert(name.into(), Count { count, exact: false });
    }

    /// Takes over all counts of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// One line for each exact count of `self` that `found` does not meet, in order of name.
    /// What only `found` has is no difference: the platform may know more than the backup.
    pub fn differences(&self, found: &Self) -> Vec<String> {
        self.0
            .iter()
            .filter(|(_, expected)| expected.exact)
            .filter_map(|(name, expected)| match found.0.get(name) {
                Some(actual) if actual.count == expected.count => None,
                Some(actual) => Some(format!(
                    "{name}: {} in the backup, {} restored",
                    expected.count, actual.count
                )),
                None => Some(format!(
                    "{name}: {} in the backup, missing after the restore",
                    expected.count
                )),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(entries: &[(&str, u64)]) -> Inventory {
        let mut inventory = Inventory::default();
        for (name, count) in entries {
            inventory.exact(*name, *count);
        }
        inventory
    }

    #[test]
    fn what_is_missing_or_differs_is_named() {
        let backup = inventory(&[("db: a", 3), ("db: b", 2), ("db: c", 1)]);
        let found = inventory(&[("db: a", 3), ("db: b", 1), ("db: extra", 9)]);
        assert_eq!(
            backup.differences(&found),
            [
                "db: b: 2 in the backup, 1 restored",
                "db: c: 1 in the backup, missing after the restore"
            ]
        );
    }

    #[test]
    fn an_estimate_is_never_compared() {
        let mut backup = inventory(&[]);
        backup.estimate("db: a", 5);
        assert!(backup.differences(&inventory(&[])).is_empty());
    }
}
