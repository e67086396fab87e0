//! What refuses a restore or its undoing, in the words of a finding: what, where, and what to do about it. Nothing here looks
//! for anything.

use crate::engine::hints::store_hint;
use crate::findings::Finding;
use crate::names::{BackupId, StoreName};
use crate::stores::StoreError;
use crate::workload::State;

/// What to do about damage.
pub(super) const DAMAGED: &str = "choose another backup (`stillpoint backups ls`); look after the repository's disk";

/// What to do about most else.
pub(super) const MEND: &str = "mend what is named, then try again";

/// A store cannot take it.
pub(super) fn of_store(store: &StoreName, error: &StoreError) -> Finding {
    let said = error.to_string();
    // As a word: a short name stands in many others.
    let is_of_a_name = |sign: char| sign.is_alphanumeric() || "-_.".contains(sign);
    let mut words = said.split(|sign| !is_of_a_name(sign));
    let what = if words.any(|word| word == store.as_str()) {
        said
    } else {
        format!("store {store}: {said}")
    };
    Finding::refuses(what, store_hint(error))
}

/// A store cannot be asked.
pub(super) fn down(store: &StoreName, state: State) -> Finding {
    Finding::refuses(format!("store {store} is {state}"), "start it first")
}

/// Where names stand that a backup knows.
pub(super) fn shows(backup: BackupId) -> String {
    format!("`stillpoint backups show {backup}` lists what it holds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_store_once() {
        let what = |said: &str| of_store(&StoreName::new("db"), &StoreError::Unfit(said.to_owned())).what;
        assert_eq!(what("db: no room"), "db: no room");
        assert_eq!(what("the databases need room"), "store db: the databases need room");
        assert_eq!(what("db-2 is not it"), "store db: db-2 is not it");
    }
}
