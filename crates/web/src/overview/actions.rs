//! What needs an act: each with its reason and the next step. Pure.

use stillpoint_core::operations::Backup;
use stillpoint_core::ports::history::{RunRecord, RunState};

use super::{BACKUP_JOB, Known, bytes, stores_of_platform};
use crate::ui::words::change;
use crate::wire::overview::{Action, Severity};

/// All of it, the gravest first.
pub(super) fn of(known: &Known) -> Vec<Action> {
    let mut actions = Vec::new();
    if let Err(problem) = &known.backups {
        actions.push(action(
            Severity::Failure,
            &problem.title,
            &problem.hint,
            Some("/settings".to_owned()),
        ));
    }
    for problem in &known.troubles {
        actions.push(action(Severity::Risk, &problem.title, &problem.hint, None));
    }
    let complete = known.complete();
    actions.extend(complete.last().and_then(|newest| damaged(newest, &complete)));
    actions.extend(complete.last().and_then(|newest| incomplete(newest)));
    actions.extend(failed(known, complete.last().copied()));
    actions.extend(not_back(known));
    actions.extend(switched_off(known));
    if let [.., before, newest] = &complete[..] {
        actions.extend(shrunk(before, newest));
    }
    actions.extend(overdue_beside_backups(known));
    // Those of the same severity stay in the order above.
    actions.sort_by_key(|action| action.severity);
    actions
}

fn action(severity: Severity, what: &str, next: &str, link: Option<String>) -> Action {
    Action {
        severity,
        what: what.to_owned(),
        next: next.to_owned(),
        link,
    }
}

fn damaged(newest: &Backup, complete: &[&Backup]) -> Option<Action> {
    newest.verified.filter(|verified| !verified.sound)?;
    let sound = complete
        .iter()
        .rev()
        .find(|backup| backup.verified.is_some_and(|verified| verified.sound));
    let next = match sound {
        Some(sound) => format!(
            "make a new one now; {} is the newest that was read and found whole",
            sound.id
        ),
        None => "make a new one now; none of the others was verified".to_owned(),
    };
    let what = format!("the newest backup is damaged: {}", newest.id);
    Some(action(
        Severity::Failure,
        &what,
        &next,
        Some(format!("/backups/{}", newest.id)),
    ))
}

fn incomplete(newest: &Backup) -> Option<Action> {
    let (holds, of) = (newest.manifest.stores.len(), stores_of_platform(newest));
    (holds < of).then(|| {
        let what = format!("the newest backup holds {holds} of {of} stores");
        action(
            Severity::Risk,
            &what,
            "look which store it lacks and why",
            Some(format!("/backups/{}", newest.id)),
        )
    })
}

/// A backup has failed and none has been made since.
fn failed(known: &Known, newest: Option<&Backup>) -> Option<Action> {
    let last = known
        .runs
        .iter()
        .find(|run| run.job == BACKUP_JOB && run.state.is_over())?;
    let is_older = newest.is_some_and(|newest| newest.id.timestamp() > last.asked_at);
    if last.state != RunState::Failure || is_older {
        return None;
    }
    let ending = last.ending.as_ref();
    let reason = ending
        .and_then(|ending| ending.reason.as_deref())
        .unwrap_or("its process died");
    let hint = ending.and_then(|ending| ending.hint.as_deref());
    let what = format!("the last backup run failed: {reason}");
    let next = hint.unwrap_or("look at the run, then back up again");
    Some(action(
        Severity::Failure,
        &what,
        next,
        Some(format!("/runs/{}", last.called())),
    ))
}

/// What did not come back as it was after the last run that stopped the platform.
fn not_back(known: &Known) -> Option<Action> {
    let stops = |run: &&RunRecord| {
        let job = run.job.as_str();
        run.state.is_over() && (job == BACKUP_JOB || super::is_restore(job))
    };
    let last = known
        .runs
        .iter()
        .find(stops)
        .filter(|run| run.state == RunState::Degraded)?;
    let told = degraded(last);
    (!told.is_empty()).then(|| {
        let what = format!("not everything came back as it was: {}", told.join("; "));
        let next = "look at its own log; `stillpoint containers start` starts what is still down";
        action(Severity::Risk, &what, next, Some(format!("/runs/{}", last.called())))
    })
}

/// What a run says of what is not as it was.
pub(super) fn degraded(run: &RunRecord) -> Vec<String> {
    let result = run.ending.as_ref().and_then(|ending| ending.result.as_ref());
    let entries = result.and_then(|result| result["degraded"].as_array());
    let told = entries.into_iter().flatten().filter_map(|entry| {
        let service = entry["workload"]["service"].as_str()?;
        Some(format!("{service}: {}", entry["cause"].as_str()?))
    });
    told.collect()
}

fn switched_off(known: &Known) -> Option<Action> {
    let schedule = known.backup_schedule().filter(|schedule| !schedule.on)?;
    let by = schedule
        .switched_by
        .as_ref()
        .map_or_else(String::new, |by| format!(" by {by}"));
    let what = format!("no backup begins by itself: the schedule was switched off{by}");
    Some(action(
        Severity::Risk,
        &what,
        "switch it on again",
        Some("/schedules".to_owned()),
    ))
}

/// A store that is empty of a sudden, or half of what it was, or half as much again.
fn shrunk(before: &Backup, newest: &Backup) -> Vec<Action> {
    let stores = newest.manifest.stores.iter().filter_map(|store| {
        let earlier = before
            .manifest
            .stores
            .iter()
            .find(|earlier| earlier.name == store.name)?;
        Some((&store.name, bytes(earlier), bytes(store)))
    });
    let link = || Some(format!("/backups/{}", newest.id));
    stores
        .filter_map(|(store, was, is)| match crate::backups::flag(was, is)? {
            crate::wire::backups::Flag::Zero => {
                let what = format!("{store} is empty in the newest backup");
                let next = format!("look whether its data is still there before {} goes", before.id);
                Some(action(Severity::Risk, &what, &next, link()))
            }
            crate::wire::backups::Flag::Shrunk | crate::wire::backups::Flag::Grown => {
                let what = format!(
                    "the size of {store} has changed by {} since the backup before",
                    change(&was, &is)
                );
                Some(action(Severity::Note, &what, "look whether that is meant", link()))
            }
        })
        .collect()
}

/// Other jobs that are overdue; a backup's is told in the verdict.
fn overdue_beside_backups(known: &Known) -> Vec<Action> {
    let overdue = known
        .schedules
        .iter()
        .filter(|schedule| schedule.job != BACKUP_JOB && schedule.overdue_since.is_some());
    overdue
        .map(|schedule| {
            let why = schedule
                .reason
                .as_ref()
                .map_or_else(String::new, |why| format!(": {why}"));
            let what = format!("{} is overdue{why}", schedule.job);
            action(
                Severity::Note,
                &what,
                "look at its last runs",
                Some("/schedules".to_owned()),
            )
        })
        .collect()
}
