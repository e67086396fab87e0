//! What a verification answers. That a backup is damaged is its result, and a failure all the same.

use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::operations::{Checked, Verification};

use super::Answer;
use crate::display::words;

pub(super) fn answer(found: Verification) -> Answer {
    let answer = Answer::new(said(&found), &found, true);
    let mut damaged = found.checked.into_iter().map(|checked| checked.outcome);
    match damaged.find(|outcome| !outcome.damage.is_empty()) {
        Some(outcome) => Answer {
            exit: Exit::Damaged,
            failed: Some(Error::Damaged {
                backup: outcome.backup,
                damage: outcome.damage,
            }),
            ..answer
        },
        None if !found.unreadable.is_empty() => Answer {
            exit: Exit::Damaged,
            ..answer
        },
        None => answer,
    }
}

fn said(found: &Verification) -> Vec<String> {
    let mut said = Vec::new();
    for Checked { artifacts, outcome } in &found.checked {
        let (backup, bytes) = (outcome.backup, words::bytes(outcome.bytes));
        if outcome.damage.is_empty() {
            said.push(format!(
                "Backup {backup} is whole: {artifacts} artifacts, {bytes} read, every SHA-256 as in its manifest."
            ));
        }
        let damage = outcome.damage.iter();
        said.extend(damage.map(|damage| format!("Backup {backup} is DAMAGED: {damage}")));
    }
    let unreadable = found.unreadable.iter();
    said.extend(unreadable.map(|(id, cause)| format!("{id} cannot be used: {cause}")));
    if said.is_empty() {
        said.push("There is no complete backup to read.".to_owned());
    }
    said
}
