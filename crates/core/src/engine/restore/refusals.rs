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
    let what = if said.contains(store.as_str()) {
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
