//! The backups, as a table and one by one: read from the repository; from the history only who asked.

mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use stillpoint_core::engine::prune::Pruned;
use stillpoint_core::manifest::Manifest;
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::{Backup, BackupList};
use stillpoint_core::ports::history::{RunRecord, RunState};
use stillpoint_core::retention::{Reason, Verdict};

pub(crate) use self::table::page;
use crate::App;
use crate::overview::{bytes, counts, runs_about, stores_of_platform};
use crate::wire::backups::{
    BackupDetail, BackupLine, BackupStanding, BackupsPage, BackupsWanted, Flag, StoreChange, VerifiedAt,
};
use crate::wire::overview::Day;
use crate::wire::{Problem, RunsWanted};

/// So many runs are looked at for who asked.
const RUNS: u32 = 800;

/// A year and the day itself.
const YEAR: i64 = 366;

/// What is known of the backups.
pub(crate) struct Shelf {
    pub(crate) list: Arc<BackupList>,
    pub(crate) runs: Vec<RunRecord>,
    retention: BTreeMap<BackupId, Verdict>,
    now: Timestamp,
}

impl Shelf {
    /// Looks into the repository. History and retention are told as far as they can be had.
    pub(crate) async fn look(app: &App) -> Result<Self, Problem> {
        let platform = &app.platform;
        let wanted = RunsWanted {
            limit: Some(RUNS),
            before: None,
            ..RunsWanted::default()
        };
        let (list, runs, pruned) = futures::join!(platform.backups(), platform.runs(wanted), platform.retention());
        Ok(Self {
            list: list?,
            runs: runs.unwrap_or_default(),
            retention: pruned.map(verdicts).unwrap_or_default(),
            now: platform.now(),
        })
    }

    /// All lines, oldest first.
    pub(crate) fn lines(&self) -> Vec<BackupLine> {
        let complete = self.list.backups.iter().map(|backup| self.line(backup));
        let unreadable = self.list.unreadable.iter();
        let unreadable = unreadable.map(|(id, why)| self.bare(*id, BackupStanding::Unreadable, Some(why.clone())));
        let partial = self.list.partial.iter();
        let partial = partial.map(|(id, why)| self.bare(*id, BackupStanding::Partial, Some(why.clone())));
        let incomplete = self.list.incomplete.iter();
        let incomplete = incomplete.map(|id| self.bare(*id, BackupStanding::Incomplete, None));
        let mut lines: Vec<BackupLine> = complete.chain(unreadable).chain(partial).chain(incomplete).collect();
        lines.sort_by_key(|line| line.id);
        lines
    }

    /// What each day of the last year brought.
    pub(crate) fn year(&self, app: &App, overdue_since: Option<Timestamp>) -> Vec<Day> {
        let period = crate::overview::days::Period::ending(self.now, YEAR, &app.platform.zone());
        period.of(Some(&self.list), &self.runs, overdue_since, None)
    }

    fn line(&self, backup: &Backup) -> BackupLine {
        let manifest = &backup.manifest;
        let is_damaged = backup.verified.is_some_and(|verified| !verified.sound);
        let standing = match (manifest.safety_of, is_damaged) {
            (Some(_), _) => BackupStanding::Safety,
            (None, true) => BackupStanding::Damaged,
            (None, false) => BackupStanding::Complete,
        };
        let note = match manifest.safety_of {
            Some(of) => Some(format!("what the restore of {of} replaced")),
            None => manifest.adopted.then(|| "made by others, taken over".to_owned()),
        };
        BackupLine {
            millis: Some(millis(manifest.sealed.duration_since(manifest.began))),
            down_millis: down(manifest),
            bytes: backup.size,
            stores: manifest.stores.iter().map(|store| store.name.clone()).collect(),
            lacks: match standing {
                BackupStanding::Safety => 0,
                _ => stores_of_platform(backup) - manifest.stores.len(),
            },
            verified: backup.verified.map(|verified| VerifiedAt {
                at: verified.at,
                sound: verified.sound,
            }),
            protected: backup.protected,
            ..self.asked(self.bare(backup.id, standing, note), manifest.run.as_str())
        }
    }

    fn asked(&self, line: BackupLine, run: &str) -> BackupLine {
        let run = self.runs.iter().find(|known| known.run.as_str() == run);
        BackupLine {
            trigger: run.map(|run| run.asked.way),
            run: run.map(RunRecord::called),
            degraded: run.is_some_and(|run| run.state == RunState::Degraded),
            ..line
        }
    }

    fn bare(&self, id: BackupId, standing: BackupStanding, note: Option<String>) -> BackupLine {
        let verdict = self.retention.get(&id);
        BackupLine {
            id,
            standing,
            note,
            trigger: None,
            run: None,
            millis: None,
            down_millis: None,
            bytes: 0,
            stores: Vec::new(),
            lacks: 0,
            verified: None,
            degraded: false,
            protected: false,
            expires: verdict.and_then(expires),
            retention: verdict.map(|verdict| verdict.reason.to_string()),
        }
    }
}

fn verdicts(pruned: Pruned) -> BTreeMap<BackupId, Verdict> {
    let verdicts = pruned.plan.verdicts.into_iter();
    verdicts.map(|verdict| (verdict.id, verdict)).collect()
}

/// When retention lets it go; a moment that has passed, where it goes with the next.
fn expires(verdict: &Verdict) -> Option<Timestamp> {
    let made = verdict.id.timestamp();
    match verdict.reason {
        Reason::Young { days } | Reason::Old { days, .. } | Reason::Damaged { days } => {
            Some(made + SignedDuration::from_hours(24 * i64::from(days)))
        }
        Reason::OldPartial | Reason::Abandoned | Reason::DeletionBegan => Some(made),
        _ => None,
    }
}

fn down(manifest: &Manifest) -> Option<u64> {
    let window = manifest.standstill?;
    u64::try_from(window.down().as_millis()).ok()
}

fn millis(span: SignedDuration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(0)
}

/// What is conspicuous about a store's bytes, beside those before.
pub(crate) fn flag(before: u64, after: u64) -> Option<Flag> {
    if before > 0 && after == 0 {
        Some(Flag::Zero)
    } else if after.saturating_mul(2) <= before && before > 0 {
        Some(Flag::Shrunk)
    } else if before > 0 && after.saturating_mul(2) >= before.saturating_mul(3) {
        Some(Flag::Grown)
    } else {
        None
    }
}

/// One backup with all that is known of it.
pub(crate) async fn detail(app: &App, id: &str) -> Result<BackupDetail, Problem> {
    let id: BackupId = id.parse().map_err(|error| Problem::unknown_backup(&error))?;
    let shelf = Shelf::look(app).await?;
    let Some(backup) = shelf.list.backups.iter().find(|backup| backup.id == id) else {
        return Err(missing(&shelf, id));
    };
    let manifest = backup.manifest.clone();
    let earlier = shelf.list.backups.iter().rev().filter(|backup| counts(backup));
    let previous = earlier
        .filter(|earlier| manifest.safety_of.is_none() && earlier.id < id)
        .max_by_key(|earlier| earlier.id);
    let changes = manifest.stores.iter().map(|store| {
        let before = previous.and_then(|previous| {
            previous
                .manifest
                .stores
                .iter()
                .find(|earlier| earlier.name == store.name)
        });
        let (before, bytes) = (before.map(bytes), bytes(store));
        StoreChange {
            store: store.name.clone(),
            before,
            bytes,
            flag: before.and_then(|before| flag(before, bytes)),
        }
    });
    Ok(BackupDetail {
        line: shelf.line(backup),
        previous: previous.map(|previous| previous.id),
        changes: changes.collect(),
        runs: runs_about(&shelf.runs, id, manifest.run.as_str(), shelf.now),
        manifest,
    })
}

/// Why there is nothing to show: what is there is no backup, or nothing is.
fn missing(shelf: &Shelf, id: BackupId) -> Problem {
    let line = shelf.lines().into_iter().find(|line| line.id == id);
    let (title, hint) = if let Some(line) = line {
        let note = line.note.map_or_else(String::new, |note| format!(": {note}"));
        let word = line.standing.word();
        let what = format!("{id} is {word}, no backup that could be shown or restored{note}");
        (
            what,
            "the backups before and after it are listed on the page of backups",
        )
    } else {
        let what = format!("there is no backup {id} in {}", shelf.list.place);
        (what, "the page of backups lists those there are")
    };
    Problem {
        title,
        hint: hint.to_owned(),
        status: 404,
        exit: stillpoint_core::engine::errors::Exit::NotFound as u8,
    }
}

/// The backups that are wanted.
pub(crate) async fn wanted(app: &App, wanted: &BackupsWanted) -> Result<(Shelf, BackupsPage), Problem> {
    let shelf = Shelf::look(app).await?;
    let page = page(&shelf, wanted, &app.platform.zone());
    Ok((shelf, page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_conspicuous_from_half_of_what_it_was_down_and_half_as_much_again_up() {
        assert_eq!(flag(100, 0), Some(Flag::Zero));
        assert_eq!(flag(100, 50), Some(Flag::Shrunk));
        assert_eq!(flag(100, 51), None);
        assert_eq!(flag(100, 149), None);
        assert_eq!(flag(100, 150), Some(Flag::Grown));
        assert_eq!(flag(0, 100), None);
        assert_eq!(flag(0, 0), None);
    }
}
