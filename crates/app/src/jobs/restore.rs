//! What a restore answers, and what becomes afterwards of the data that it replaced.

use stillpoint_core::engine::restore::discard::Discarded;
use stillpoint_core::engine::restore::undo::Undone;
use stillpoint_core::engine::restore::{Gap, Origin, Restored};
use stillpoint_core::engine::start::Degraded;
use stillpoint_core::names::Project;

use super::Answer;

pub(super) fn restored(restored: &Restored) -> Answer {
    let mut said = summary(restored);
    said.extend(but(&restored.degraded));
    let is_whole = restored.degraded.is_empty() && restored.gaps.is_empty();
    Answer::new(said, restored, is_whole)
}

pub(super) fn undone(undone: &Undone) -> Answer {
    let stores = listed(undone.stores.iter().map(ToString::to_string));
    let mut said = vec![format!("The restore is undone: {stores} as before it.")];
    said.extend(but(&undone.degraded));
    Answer::new(said, undone, undone.degraded.is_empty())
}

pub(super) fn discarded(freed: &Discarded) -> Answer {
    let stores = freed.stores.iter().map(ToString::to_string);
    let copies = freed.copies.iter().map(|copy| format!("copy {copy}"));
    let said = format!("The old data is freed: {}.", listed(stores.chain(copies)));
    Answer::new(vec![said], freed, true)
}

fn but(degraded: &[Degraded]) -> impl Iterator<Item = String> {
    let degraded = degraded.iter();
    degraded.map(|degraded| format!("The data is good, but {degraded}."))
}

fn summary(restored: &Restored) -> Vec<String> {
    let mut said = vec![format!(
        "Backup {}{} is restored{}; {}.",
        restored.backup,
        of_another(&restored.origin, &restored.platform),
        alone(&restored.databases),
        match &restored.gaps[..] {
            [] => "every store holds what was backed up",
            _ => "not all of it is there",
        }
    )];
    for Gap { store, part, missing } in &restored.gaps {
        said.push(format!("MISSING in database {part} of {store}, as was accepted:"));
        said.extend(missing.iter().map(|line| format!("  {line}")));
    }
    said.extend(renamings(&restored.origin));
    if restored.old_data_kept {
        let ways = "What it replaced is kept: `stillpoint restore undo` brings it back, `stillpoint restore discard-old` frees it.";
        said.push(ways.to_owned());
    }
    said
}

/// Data of another platform is never restored silently.
pub(crate) fn of_another(origin: &Origin, platform: &Project) -> String {
    let from = origin.from.as_ref();
    from.map_or_else(String::new, |from| {
        format!(" of platform {from}, into platform {platform},")
    })
}

fn alone(databases: &[String]) -> String {
    match databases {
        [] => String::new(),
        some => format!(", of its databases {} alone", listed(some.iter().cloned())),
    }
}

/// The stores that the backup calls otherwise, a line for each.
pub(crate) fn renamings(origin: &Origin) -> impl Iterator<Item = String> {
    let renamed = origin.renamed.iter();
    renamed.map(|(old, new)| format!("Store {old} of the backup → {new}."))
}

/// Names in a row.
pub(crate) fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
