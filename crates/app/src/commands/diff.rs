//! What has changed from one backup to another: stores, their sizes, and what was counted in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use comfy_table::CellAlignment;
use serde::Serialize;
use stillpoint_core::manifest::{Artifact, Count, Manifest, StoreRecord};
use stillpoint_core::names::{BackupId, Project, StoreKind, StoreName};

use super::{table, trimmed};
use crate::display::{print, words};

/// So many counts of a store are shown to people.
const SHOWN: usize = 20;

/// What has changed between two backups.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    from: Side,
    to: Side,
    stores: Vec<StoreDifference>,
}

/// One of the two.
#[derive(Debug, Serialize)]
struct Side {
    backup: BackupId,
    platform: Project,
    bytes: u64,
}

/// What has become of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    /// It is in both.
    Stayed,
    /// It is in the second alone.
    Appeared,
    /// It is in the first alone.
    Vanished,
}

#[derive(Debug, Serialize)]
struct StoreDifference {
    store: StoreName,
    kind: StoreKind,
    fate: Fate,
    version_from: Option<String>,
    version_to: Option<String>,
    bytes_from: Option<u64>,
    bytes_to: Option<u64>,
    /// What was counted and is not the same, the largest change first.
    counts: Vec<Counted>,
    /// How many counts are the same.
    same: usize,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Counted {
    name: String,
    /// None: it is not there.
    from: Option<u64>,
    /// None: it is not there.
    to: Option<u64>,
    /// One of the two is an estimate.
    estimated: bool,
}

impl Difference {
    /// From the one to the other.
    pub(super) fn between(from: &Manifest, to: &Manifest) -> Self {
        let names: BTreeSet<&StoreName> = [from, to]
            .into_iter()
            .flat_map(|manifest| manifest.stores.iter().map(|record| &record.name))
            .collect();
        let stores = names.into_iter().filter_map(|name| {
            let of = |manifest: &'_ Manifest| manifest.stores.iter().position(|record| record.name == *name);
            let (first, second) = (of(from), of(to));
            StoreDifference::of(first.map(|at| &from.stores[at]), second.map(|at| &to.stores[at]))
        });
        Self {
            stores: stores.collect(),
            from: Side::of(from),
            to: Side::of(to),
        }
    }

    /// Shows it to people.
    pub(super) fn show(&self) {
        print::line(&self.text());
    }

    fn text(&self) -> String {
        let mut text = format!(
            "From {} ({}) to {} ({}): {}\n",
            self.from.backup,
            words::local(self.from.backup.timestamp()),
            self.to.backup,
            words::local(self.to.backup.timestamp()),
            grown(Some(self.from.bytes), Some(self.to.bytes)),
        );
        if self.from.platform != self.to.platform {
            let _ = writeln!(
                text,
                "They are of two platforms: {} and {}.",
                self.from.platform, self.to.platform
            );
        }
        let mut stores = table(&["STORE", "KIND", "BEFORE", "AFTER", "CHANGE", "VERSION"]);
        for column in [2, 3] {
            let column = stores.column_mut(column).into_iter();
            column.for_each(|column| column.set_cell_alignment(CellAlignment::Right));
        }
        for store in &self.stores {
            let size = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), words::bytes);
            stores.add_row([
                store.store.to_string(),
                store.kind.to_string(),
                size(store.bytes_from),
                size(store.bytes_to),
                grown(store.bytes_from, store.bytes_to),
                store.version(),
            ]);
        }
        text.push_str(&trimmed(&stores.to_string()));
        for store in &self.stores {
            text.push_str(&store.counts());
        }
        text
    }
}

impl Side {
    fn of(manifest: &Manifest) -> Self {
        Self {
            backup: manifest.id,
            platform: manifest.platform.clone(),
            bytes: manifest.size(),
        }
    }
}

impl StoreDifference {
    fn of(from: Option<&StoreRecord>, to: Option<&StoreRecord>) -> Option<Self> {
        let either = to.or(from)?;
        let fate = match (from, to) {
            (Some(_), Some(_)) => Fate::Stayed,
            (None, _) => Fate::Appeared,
            (_, None) => Fate::Vanished,
        };
        let none = BTreeMap::new();
        let counts = |record: Option<&'_ StoreRecord>| record.map(|record| record.inventory.0.clone());
        let (before, after) = (counts(from).unwrap_or_else(|| none.clone()), counts(to).unwrap_or(none));
        let counts = changed(&before, &after);
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let bytes = |record: &StoreRecord| record.artifacts.iter().map(Artifact::bytes).sum();
        Some(Self {
            store: either.name.clone(),
            kind: either.kind.clone(),
            fate,
            version_from: from.map(|record| record.version.clone()),
            version_to: to.map(|record| record.version.clone()),
            bytes_from: from.map(bytes),
            bytes_to: to.map(bytes),
            same: names.len() - counts.len(),
            counts,
        })
    }

    fn version(&self) -> String {
        match (&self.version_from, &self.version_to) {
            (Some(from), Some(to)) if from != to => format!("{from} → {to}"),
            (from, to) => to.as_ref().or(from.as_ref()).cloned().unwrap_or_default(),
        }
    }

    fn counts(&self) -> String {
        if self.counts.is_empty() {
            return String::new();
        }
        let mut text = format!(
            "\n\n{}: {} counts differ, {} are the same",
            self.store,
            self.counts.len(),
            self.same
        );
        for counted in self.counts.iter().take(SHOWN) {
            let _ = write!(text, "\n  {counted}");
        }
        if self.counts.len() > SHOWN {
            let _ = write!(text, "\n  and {} more: --json has all", self.counts.len() - SHOWN);
        }
        text
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let about = if self.estimated { " (estimated)" } else { "" };
        match (self.from, self.to) {
            (Some(from), Some(to)) if to >= from => write!(f, "{}: {from} → {to} (+{}){about}", self.name, to - from),
            (Some(from), Some(to)) => write!(f, "{}: {from} → {to} (-{}){about}", self.name, from - to),
            (None, Some(to)) => write!(f, "{}: new, {to}{about}", self.name),
            (Some(from), None) => write!(f, "{}: gone, it was {from}{about}", self.name),
            (None, None) => write!(f, "{}", self.name),
        }
    }
}

/// What is not the same: what is gone first, then what is new, then the largest change.
fn changed(before: &BTreeMap<String, Count>, after: &BTreeMap<String, Count>) -> Vec<Counted> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let counted = names.into_iter().map(|name| {
        let (from, to) = (before.get(name), after.get(name));
        Counted {
            name: name.clone(),
            from: from.map(|count| count.count),
            to: to.map(|count| count.count),
            estimated: from.into_iter().chain(to).any(|count| !count.exact),
        }
    });
    let mut changed: Vec<Counted> = counted.filter(|counted| counted.from != counted.to).collect();
    changed.sort_by_key(|counted| {
        let order = match (counted.from, counted.to) {
            (Some(_), None) => 0,
            (None, _) => 1,
            (Some(_), Some(_)) => 2,
        };
        let change = counted.from.unwrap_or(0).abs_diff(counted.to.unwrap_or(0));
        (order, std::cmp::Reverse(change), counted.name.clone())
    });
    changed
}

/// `+1.40 MiB (+12 %)`.
fn grown(from: Option<u64>, to: Option<u64>) -> String {
    let (from, to) = match (from, to) {
        (None, _) => return "new".to_owned(),
        (_, None) => return "GONE".to_owned(),
        (Some(from), Some(to)) => (from, to),
    };
    if from == to {
        return "the same size".to_owned();
    }
    let sign = if to > from { '+' } else { '-' };
    let change = from.abs_diff(to);
    let percent = change.saturating_mul(100).checked_div(from);
    let percent = percent.map_or_else(String::new, |percent| format!(" ({sign}{percent} %)"));
    format!("{sign}{}{percent}", words::bytes(change))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> BTreeMap<String, Count> {
        let mut inventory = stillpoint_core::manifest::Inventory::default();
        for (name, count) in of {
            inventory.exact(*name, *count);
        }
        inventory.0
    }

    #[test]
    fn what_is_gone_comes_first_and_the_largest_change_before_the_smaller() {
        let before = counts(&[("a", 1), ("b", 10), ("c", 10), ("gone", 3), ("same", 5)]);
        let after = counts(&[("a", 2), ("b", 4), ("c", 10), ("new", 7), ("same", 5)]);
        let said: Vec<String> = changed(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            ["gone: gone, it was 3", "new: new, 7", "b: 10 → 4 (-6)", "a: 1 → 2 (+1)"]
        );
        assert!(changed(&before, &before).is_empty());
    }

    #[test]
    fn a_change_of_size_is_told_in_bytes_and_percent() {
        assert_eq!(grown(Some(1000), Some(1500)), "+500 B (+50 %)");
        assert_eq!(grown(Some(4096), Some(1024)), "-3.00 KiB (-75 %)");
        assert_eq!(grown(Some(0), Some(10)), "+10 B");
        assert_eq!(grown(Some(7), Some(7)), "the same size");
        assert_eq!(
            (grown(None, Some(1)), grown(Some(1), None)),
            ("new".to_owned(), "GONE".to_owned())
        );
    }
}
