//! Which store of the platform gets what of a backup. Without a word from the operator all of it goes into all stores of
//! the platform: whatever is left out leaves data of two moments side by side, and what is another's is never taken
//! silently.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::refusals::shows;
use crate::engine::platform::Platform;
use crate::findings::Finding;
use crate::manifest::{Manifest, StoreRecord};
use crate::names::{Project, StoreKind, StoreName};
use crate::selection::Selection;
use crate::stores::Store;

use super::pairs::Pair;

/// What would be done, and what is to be said about it.
pub(super) struct Paired<'a> {
    /// The stores with their records.
    pub(super) pairs: Vec<Pair<'a>>,
    /// Why it cannot be done.
    pub(super) reasons: Vec<Finding>,
    /// What the operator should know.
    pub(super) warnings: Vec<String>,
}

/// The manifest with its stores called as they are here; their artifacts keep their names. Refuses a map that leads from
/// nothing, or two stores to one.
pub fn renamed(mut manifest: Manifest, map: &BTreeMap<StoreName, StoreName>) -> Result<Manifest, Vec<Finding>> {
    let held = names(manifest.stores.iter().map(|record| &record.name));
    let unknown = map
        .keys()
        .filter(|old| !manifest.stores.iter().any(|record| record.name == **old));
    let mut reasons: Vec<String> = unknown
        .map(|old| format!("--map {old}=…: the backup has no store {old}; it has {held}"))
        .collect();
    for record in &mut manifest.stores {
        if let Some(new) = map.get(&record.name) {
            record.name = new.clone();
        }
    }
    for new in map.values() {
        if manifest.stores.iter().filter(|record| record.name == *new).count() > 1 {
            reasons.push(format!(
                "--map …={new}: more than one store of the backup would be {new}"
            ));
        }
    }
    reasons.dedup();
    if reasons.is_empty() {
        return Ok(manifest);
    }
    let lists = shows(manifest.id);
    Err(reasons.into_iter().map(|what| Finding::refuses(what, &lists)).collect())
}

/// Pairs every wanted store with its record.
pub(super) fn pair<'a>(selection: &Selection, platform: &'a Platform, manifest: &'a Manifest) -> Paired<'a> {
    let mut paired = Paired {
        pairs: Vec::new(),
        reasons: Vec::new(),
        warnings: Vec::new(),
    };
    let mut meant = selection.clone();
    // What another selection would mend.
    let mut amiss = Vec::new();
    if let Some(of) = another(selection, &platform.name, &manifest.platform) {
        amiss.push(of);
        meant.from = (manifest.platform != platform.name).then(|| manifest.platform.clone());
    }
    let unplaced = unplaced(platform, manifest);
    for store in platform.stores.values().filter(|store| wants(selection, store.name())) {
        let found = manifest
            .stores
            .iter()
            .find(|record| record.name == *store.name() && record.kind == store.kind());
        let missing = || format!("it holds nothing of store {} ({})", store.name(), store.kind());
        match found {
            Some(record) => paired.pairs.push((store.as_ref(), record)),
            None if selection.accept_partial && selection.stores.is_empty() => {
                paired.warnings.push(format!("{}: its data stays as it is", missing()));
            }
            None => {
                let alike = unplaced.iter().filter(|record| record.kind == store.kind());
                let alike: Vec<&StoreRecord> = alike.copied().collect();
                if let [only] = &alike[..]
                    && lacking(platform, manifest, &store.kind()) == 1
                {
                    meant.map.insert(said(selection, &only.name), store.name().clone());
                }
                amiss.push(missing() + &instead(selection, &**store, &alike));
            }
        }
    }
    paired.warn_of_strangers(selection, manifest);
    let unknown = unknown(selection, platform);
    if paired.pairs.is_empty() && amiss.is_empty() && unknown.is_empty() {
        amiss.push("it holds nothing that could be restored here".to_owned());
    }
    let remedy = if meant == *selection {
        OTHERS.to_owned()
    } else {
        format!("if that is what you mean: `{}`", meant.command(manifest.id))
    };
    let named = |what| Finding::refuses(what, "name one that it has (--store NAME, --map OLD=NEW)");
    let amiss = amiss.into_iter().map(|what| Finding::refuses(what, &remedy));
    paired.reasons = unknown.into_iter().map(named).chain(amiss).collect();
    paired
}

/// What can be done where no other words would pair more.
const OTHERS: &str = "choose another backup (`stillpoint backups ls`), restore single stores (--store NAME), or leave the data of \
     the others as it is (--accept-partial)";

/// Why the backup's platform is not the one that was said.
fn another(selection: &Selection, here: &Project, of: &Project) -> Option<String> {
    match &selection.from {
        None if of != here => Some(format!("it is a backup of platform {of}, not of {here}")),
        Some(from) if from != of => Some(format!("it is a backup of platform {of}, not of {from}")),
        _ => None,
    }
}

/// What the backup holds and no store of the platform is called.
fn unplaced<'a>(platform: &Platform, manifest: &'a Manifest) -> Vec<&'a StoreRecord> {
    let is_here = |record: &&StoreRecord| {
        let mut stores = platform.stores.values();
        stores.any(|store| *store.name() == record.name && store.kind() == record.kind)
    };
    manifest.stores.iter().filter(|record| !is_here(record)).collect()
}

/// How many stores of a kind the backup holds nothing of.
fn lacking(platform: &Platform, manifest: &Manifest, kind: &StoreKind) -> usize {
    let is_held = |store: &&Arc<dyn Store>| {
        let mut records = manifest.stores.iter();
        records.any(|record| record.name == *store.name() && record.kind == *kind)
    };
    let of_kind = platform.stores.values().filter(|store| store.kind() == *kind);
    of_kind.filter(|store| !is_held(store)).count()
}

/// What the backup holds of a store's kind under other names.
fn instead(selection: &Selection, store: &dyn Store, alike: &[&StoreRecord]) -> String {
    let old: Vec<StoreName> = alike.iter().map(|record| said(selection, &record.name)).collect();
    match &old[..] {
        [] => String::new(),
        [only] => format!(", but of {only}"),
        many => format!(
            ", but of {}: say which one it is (--map OLD={})",
            names(many.iter()),
            store.name()
        ),
    }
}

/// What the backup itself calls the store that is called so here.
fn said(selection: &Selection, here: &StoreName) -> StoreName {
    let old = selection.map.iter().find(|(_, new)| *new == here);
    old.map_or(here, |(old, _)| old).clone()
}

fn wants(selection: &Selection, store: &StoreName) -> bool {
    selection.stores.is_empty() || selection.stores.contains(store)
}

fn unknown(selection: &Selection, platform: &Platform) -> Vec<String> {
    let is_here = |name: &&StoreName| platform.stores.values().any(|store| store.name() == *name);
    let here = names(platform.stores.values().map(|store| store.name()));
    let wanted = selection.stores.iter().chain(selection.map.values());
    let unknown = wanted.filter(|store| !is_here(store));
    unknown
        .map(|store| format!("the platform has no store {store}; it has {here}"))
        .collect()
}

fn names<'a>(names: impl Iterator<Item = &'a StoreName>) -> String {
    names.map(StoreName::as_str).collect::<Vec<_>>().join(", ")
}

/// Whether nothing of the backup is left out.
pub(super) fn is_whole(selection: &Selection, manifest: &Manifest) -> bool {
    // A renamed store does not know what lies in the backup under its old name: all of it must be in order.
    let restricted = !selection.stores.is_empty() && selection.map.is_empty();
    !restricted && !selection.accept_partial && manifest.failure.is_none()
}

impl Paired<'_> {
    fn warn_of_strangers(&mut self, selection: &Selection, manifest: &Manifest) {
        for record in manifest.stores.iter().filter(|record| wants(selection, &record.name)) {
            if !self.pairs.iter().any(|(_, paired)| paired.name == record.name) {
                let (name, kind) = (&record.name, &record.kind);
                self.warnings.push(format!(
                    "the platform has no store {name} ({kind}): what the backup holds of it is not restored"
                ));
            }
        }
    }
}
