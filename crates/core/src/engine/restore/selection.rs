//! What of a backup is restored. Without a word from the operator it is all of it, into all stores of the
//! platform: whatever is left out leaves data of two moments side by side.

use crate::engine::platform::Platform;
use crate::manifest::Manifest;
use crate::names::StoreName;

use super::pairs::Pair;

/// What the operator wants restored.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// These stores alone; all if there are none.
    pub stores: Vec<StoreName>,
    /// Whatever there is: stores of which the backup holds nothing keep their data, and what a failed run
    /// left will do.
    pub accept_partial: bool,
}

/// What would be done, and what is to be said about it.
pub(super) struct Paired<'a> {
    /// The stores with their records.
    pub(super) pairs: Vec<Pair<'a>>,
    /// Why it cannot be done.
    pub(super) reasons: Vec<String>,
    /// What the operator should know.
    pub(super) warnings: Vec<String>,
}

impl Selection {
    fn wants(&self, store: &StoreName) -> bool {
        self.stores.is_empty() || self.stores.contains(store)
    }

    /// Pairs every wanted store with its record.
    pub(super) fn pair<'a>(&self, platform: &'a Platform, manifest: &'a Manifest) -> Paired<'a> {
        let mut paired = Paired {
            pairs: Vec::new(),
            reasons: self.unknown(platform),
            warnings: Vec::new(),
        };
        if manifest.platform != platform.name {
            let (of, here) = (&manifest.platform, &platform.name);
            paired
                .reasons
                .push(format!("it is a backup of platform {of}, not of {here}"));
        }
        for store in platform.stores.values().filter(|store| self.wants(store.name())) {
            let found = manifest
                .stores
                .iter()
                .find(|record| record.name == *store.name() && record.kind == store.kind());
            let missing = || format!("it holds nothing of store {} ({})", store.name(), store.kind());
            match found {
                Some(record) => paired.pairs.push((store.as_ref(), record)),
                None if self.accept_partial && self.stores.is_empty() => {
                    paired.warnings.push(format!("{}: its data stays as it is", missing()));
                }
                None => paired.reasons.push(missing()),
            }
        }
        paired.warn_of_strangers(self, manifest);
        if paired.pairs.is_empty() && paired.reasons.is_empty() {
            paired
                .reasons
                .push("it holds nothing that could be restored here".to_owned());
        }
        paired
    }

    fn unknown(&self, platform: &Platform) -> Vec<String> {
        let here: Vec<&str> = platform.stores.values().map(|store| store.name().as_str()).collect();
        let unknown = self.stores.iter().filter(|store| !here.contains(&store.as_str()));
        unknown
            .map(|store| format!("the platform has no store {store}; it has {}", here.join(", ")))
            .collect()
    }

    /// Whether nothing is left out.
    pub(super) fn is_whole(&self, manifest: &Manifest) -> bool {
        self.stores.is_empty() && !self.accept_partial && manifest.failure.is_none()
    }
}

impl Paired<'_> {
    fn warn_of_strangers(&mut self, selection: &Selection, manifest: &Manifest) {
        for record in manifest.stores.iter().filter(|record| selection.wants(&record.name)) {
            if !self.pairs.iter().any(|(_, paired)| paired.name == record.name) {
                let (name, kind) = (&record.name, &record.kind);
                self.warnings.push(format!(
                    "the platform has no store {name} ({kind}): what the backup holds of it is not restored"
                ));
            }
        }
    }
}
