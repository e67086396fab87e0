//! What retention answers.

use stillpoint_core::engine::prune::Pruned;

use super::Answer;
use crate::commands::table;
use crate::display::words;

pub(super) fn answer(pruned: &Pruned) -> Answer {
    Answer::new(report(pruned, false), pruned, true)
}

/// What went and what stayed, or would.
pub(crate) fn report(pruned: &Pruned, dry_run: bool) -> Vec<String> {
    let mut rows = table(&["ID (UTC)", "LOCAL TIME", "WHAT IT IS", "", "WHY"]);
    for verdict in &pruned.plan.verdicts {
        rows.add_row([
            verdict.id.to_string(),
            words::local(verdict.id.timestamp()),
            verdict.standing.to_string(),
            verdict.fate.to_string(),
            verdict.reason.to_string(),
        ]);
    }
    let mut said = Vec::new();
    if !pruned.plan.verdicts.is_empty() {
        said.push(rows.to_string());
    }
    let foreign = pruned.foreign.iter();
    said.extend(foreign.map(|id| format!("{id} is not marked as ours: left alone")));
    said.push(if dry_run {
        format!("{} would go; nothing was deleted.", pruned.plan.gone().count())
    } else {
        let held = match pruned.locked.len() {
            0 => String::new(),
            held => format!(" {held} would go and cannot be deleted."),
        };
        format!("{} deleted.{held}", pruned.gone.len())
    });
    said
}
