//! Which databases are restored alone, and which may be missing afterwards. Names that the backup does not know are refused
//! before anything else is looked at.

use std::collections::BTreeSet;

use serde::Serialize;

use super::refusals::shows;
use crate::engine::platform::Platform;
use crate::findings::Finding;
use crate::manifest::{Manifest, StoreRecord};
use crate::names::StoreName;
use crate::selection::Selection;
use crate::stores::{self, Store};

/// More lines than this say no more.
const LINES: usize = 10;

/// What is missing of a store after a restore, as its operator has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The store.
    pub store: StoreName,
    /// The database.
    pub part: String,
    /// What is missing of it, or why, in lines; the first are told.
    pub missing: Vec<String>,
}

impl Gap {
    pub(super) fn of(store: &dyn Store, gap: stores::Gap) -> Self {
        let mut missing = gap.missing;
        let more = missing.len().saturating_sub(LINES);
        missing.truncate(LINES);
        missing.extend((more > 0).then(|| format!("and {more} more")));
        Self {
            store: store.name().clone(),
            part: gap.part,
            missing,
        }
    }
}

/// What is restored: of the backup as it lies in the repository, what was chosen.
#[derive(Debug)]
pub struct Chosen {
    /// The backup with what was chosen of each store.
    pub manifest: Manifest,
    /// What was chosen, with the stores that follow from it.
    pub selection: Selection,
}

/// Chooses the databases that are wanted alone.
pub fn choose(platform: &Platform, whole: &Manifest, selection: &Selection) -> Result<Chosen, Vec<Finding>> {
    let mut chosen = Chosen {
        manifest: whole.clone(),
        selection: selection.clone(),
    };
    let mut reasons = chosen.narrow(platform);
    reasons.extend(chosen.unknown_accepted(platform));
    if reasons.is_empty() {
        return Ok(chosen);
    }
    let lists = shows(whole.id);
    Err(reasons.into_iter().map(|what| Finding::refuses(what, &lists)).collect())
}

impl Chosen {
    fn narrow(&mut self, platform: &Platform) -> Vec<String> {
        let wanted = &self.selection.databases;
        if wanted.is_empty() {
            return Vec::new();
        }
        let held = held(platform, &self.manifest, &self.selection);
        let mut reasons: Vec<String> = wanted.iter().filter_map(|name| not_in_one(name, &held)).collect();
        let holds = |store: &StoreName| {
            held.iter()
                .any(|(other, part)| *other == store && wanted.contains(part))
        };
        let idle = self.selection.stores.iter().filter(|store| !holds(store));
        reasons.extend(idle.map(|store| format!("the backup has none of the databases asked for in store {store}")));
        self.selection.stores = platform
            .stores
            .values()
            .map(|store| store.name())
            .filter(|name| holds(name))
            .cloned()
            .collect();
        for store in platform.stores.values() {
            for record in self.manifest.stores.iter_mut().filter(|record| is_of(record, &**store)) {
                if self.selection.stores.contains(store.name()) {
                    *record = store.only(record, wanted);
                }
            }
        }
        reasons
    }

    fn unknown_accepted(&self, platform: &Platform) -> Vec<String> {
        let held = held(platform, &self.manifest, &self.selection);
        let names: BTreeSet<&str> = held.iter().map(|(_, part)| part.as_str()).collect();
        let unknown = self
            .selection
            .accept
            .iter()
            .filter(|name| !names.contains(name.as_str()));
        let told = unknown.map(|name| format!("--accept {name}: no such database is restored; {}", they_are(&names)));
        told.collect()
    }
}

/// The databases of the stores that are wanted.
fn held<'a>(platform: &'a Platform, manifest: &Manifest, selection: &Selection) -> Vec<(&'a StoreName, String)> {
    let wanted = |store: &StoreName| selection.stores.is_empty() || selection.stores.contains(store);
    let stores = platform.stores.values().filter(|store| wanted(store.name()));
    let parts = stores.flat_map(|store| {
        let record = manifest.stores.iter().find(|record| is_of(record, &**store));
        let parts = record.map_or_else(Vec::new, |record| store.parts(record)).into_iter();
        parts.map(|part| (store.name(), part))
    });
    parts.collect()
}

fn is_of(record: &StoreRecord, store: &dyn Store) -> bool {
    record.name == *store.name() && record.kind == store.kind()
}

fn not_in_one(name: &str, held: &[(&StoreName, String)]) -> Option<String> {
    let holders: Vec<&str> = held
        .iter()
        .filter(|(_, part)| part == name)
        .map(|(store, _)| store.as_str())
        .collect();
    match &holders[..] {
        [_] => None,
        [] => {
            let names = held.iter().map(|(_, part)| part.as_str()).collect();
            Some(format!("the backup has no database {name}; {}", they_are(&names)))
        }
        many => Some(format!(
            "database {name} is in the stores {}: say of which (--store)",
            many.join(", ")
        )),
    }
}

fn they_are(names: &BTreeSet<&str>) -> String {
    if names.is_empty() {
        return "there is none".to_owned();
    }
    format!("there are {}", names.iter().copied().collect::<Vec<_>>().join(", "))
}
