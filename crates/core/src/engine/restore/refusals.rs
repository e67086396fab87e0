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

/// A store cannot take it: why, each reason for itself.
pub(crate) fn of_store(store: &StoreName, error: &StoreError) -> Vec<Finding> {
    match error {
        StoreError::Several(reasons) => reasons.iter().map(|why| finding(store, why.clone(), error)).collect(),
        error => vec![finding(store, error.to_string(), error)],
    }
}

fn finding(store: &StoreName, said: String, error: &StoreError) -> Finding {
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
        let db = StoreName::new("db");
        let what = |said: &str| of_store(&db, &StoreError::Unfit(said.to_owned())).remove(0).what;
        assert_eq!(what("db: no room"), "db: no room");
        assert_eq!(what("the databases need room"), "store db: the databases need room");
        assert_eq!(what("db-2 is not it"), "store db: db-2 is not it");
        let several = of_store(&db, &StoreError::Several(vec!["db: a".into(), "b".into()]));
        assert_eq!(
            several.iter().map(|one| one.what.as_str()).collect::<Vec<_>>(),
            ["db: a", "store db: b"]
        );
    }
}
