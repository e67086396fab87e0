//! How the platform stands: what backups, history, schedules and journal say, brought together. Nothing here is remembered.

mod actions;
pub(crate) mod days;
mod verdict;
mod work;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::{Backup, BackupList};
use stillpoint_core::ports::history::{RunRecord, RunState};
use stillpoint_core::ports::journal::{OpenRun, Phase};
use stillpoint_core::ports::power::Job;

use self::verdict::{AtWork, Facts, Last};
pub(crate) use self::work::line;
use crate::App;
use crate::wire::overview::{FirstStep, Kept, Overview, RunLine, Severity, Stopped, StoreCard, Work};
use crate::wire::{Problem, RunsWanted, Schedule};

/// So many runs are looked at.
const RUNS: u32 = 150;

/// So many of those that are over are shown.
const RECENT: usize = 8;

/// So many days are drawn of each store.
const DAYS: i64 = 30;

/// The job that starts what a restore has left stopped.
const START_JOB: &str = "start_job";

/// The job whose absence makes a platform overdue.
const BACKUP_JOB: &str = "backup_job";

/// What there is to be known, each as far as it can be had.
struct Known {
    now: Timestamp,
    backups: Result<Arc<BackupList>, Problem>,
    runs: Vec<RunRecord>,
    schedules: Vec<Schedule>,
    open: Vec<OpenRun>,
    /// What could not be had, beside the backups.
    troubles: Vec<Problem>,
}

impl Known {
    async fn look(app: &App) -> Self {
        let platform = &app.platform;
        let wanted = RunsWanted {
            limit: Some(RUNS),
            before: None,
            ..RunsWanted::default()
        };
        let (backups, runs, schedules, open) = futures::join!(
            platform.backups(),
            platform.runs(wanted),
            platform.schedules(),
            platform.open_runs()
        );
        let mut troubles = Vec::new();
        Self {
            now: platform.now(),
            backups,
            runs: or_trouble(runs, &mut troubles),
            schedules: or_trouble(schedules, &mut troubles),
            open: or_trouble(open, &mut troubles),
            troubles,
        }
    }

    /// Complete backups, oldest first, without the copies that restores make.
    fn complete(&self) -> Vec<&Backup> {
        let backups = self.backups.iter().flat_map(|list| &list.backups);
        backups.filter(|backup| counts(backup)).collect()
    }

    fn backup_schedule(&self) -> Option<&Schedule> {
        self.schedules.iter().find(|schedule| schedule.job == BACKUP_JOB)
    }

    fn at_work(&self) -> impl Iterator<Item = &RunRecord> {
        self.runs.iter().filter(|run| !run.state.is_over())
    }
}

fn or_trouble<T>(found: Result<Vec<T>, Problem>, troubles: &mut Vec<Problem>) -> Vec<T> {
    found.unwrap_or_else(|problem| {
        troubles.push(problem);
        Vec::new()
    })
}

/// Whether it is a backup, and no copy that a restore has made of what it replaced.
pub(crate) fn counts(backup: &Backup) -> bool {
    backup.manifest.safety_of.is_none()
}

/// The stores that the platform had when the backup was made.
pub(crate) fn stores_of_platform(backup: &Backup) -> usize {
    let workloads = &backup.manifest.workloads;
    let stores = workloads.iter().filter(|workload| workload.role == "store").count();
    stores.max(backup.manifest.stores.len())
}

/// How the platform stands now.
pub(crate) async fn look(app: &App) -> Overview {
    let known = Known::look(app).await;
    let service = app.platform.service();
    let mut work = Vec::new();
    for run in known.at_work() {
        work.push(work::of(app, run, known.now).await);
    }
    work.sort_by_key(|work| work.run.state == RunState::Queued);
    let actions = actions::of(&known);
    let stopped = stopped(&known);
    let complete = known.complete();
    let zone = app.platform.zone();
    let facts = Facts {
        now: known.now,
        zone: zone.clone(),
        stopped: stopped.as_ref().map(|stopped| (stopped.backup, stopped.since)),
        restoring: at_work(&work, is_restore),
        running: at_work(&work, |job| job == BACKUP_JOB),
        unreachable: known.backups.as_ref().err().map(|problem| problem.title.clone()),
        last: complete.last().map(|backup| last(backup)),
        overdue: known.backup_schedule().and_then(|schedule| {
            let since = schedule.overdue_since?;
            Some((since, schedule.reason.clone()))
        }),
        risks: risks(&actions),
        next: known
            .backup_schedule()
            .and_then(|schedule| schedule.next.first().copied()),
    };
    let has_none = complete.is_empty() && known.backups.is_ok();
    let over = known.runs.iter().filter(|run| run.state.is_over());
    Overview {
        now: known.now,
        verdict: verdict::verdict(&facts),
        health: verdict::health(&facts, &actions),
        stores: cards(&known, &complete, &zone),
        only_copy: is_local(&service.site.repository).then(|| service.site.repository.clone()),
        runs: over.take(RECENT).map(|run| line(run, known.now)).collect(),
        first_steps: if has_none {
            first_steps(app, &known).await
        } else {
            Vec::new()
        },
        kept: kept(&known),
        service,
        stopped,
        work,
        actions,
    }
}

fn risks(actions: &[crate::wire::overview::Action]) -> Vec<String> {
    let risks = actions.iter().filter(|action| action.severity != Severity::Note);
    risks.map(|action| action.what.clone()).collect()
}

/// A bucket has an address with a scheme.
fn is_local(repository: &str) -> bool {
    !repository.contains("://")
}

fn is_restore(job: &str) -> bool {
    matches!(job, "full_restore_job" | "undo_job")
}

fn at_work(work: &[Work], job: impl Fn(&str) -> bool) -> Option<AtWork> {
    let runs = |work: &&Work| job(&work.run.job) && work.run.state != RunState::Queued;
    work.iter().find(runs).map(|work| AtWork {
        since: work.run.at,
        doing: work.doing.clone(),
        clients: work.clients,
    })
}

fn last(backup: &Backup) -> Last {
    let down = backup.manifest.standstill.map(|window| window.down());
    Last {
        at: backup.id.timestamp(),
        stores: backup.manifest.stores.len(),
        of: stores_of_platform(backup),
        down: down.and_then(|down| SignedDuration::try_from(down).ok()),
    }
}

/// A restore that nobody works on, and that has come so far that it left the platform down.
fn stopped(known: &Known) -> Option<Stopped> {
    let is_left = |open: &&OpenRun| {
        // One that had only said what it would do has stopped nothing.
        let leaves_down = matches!(open.intent.job, Job::FullRestoreJob | Job::UndoJob) && open.phase >= Phase::Acting;
        leaves_down
            && !known
                .at_work()
                .any(|run| (is_restore(&run.job) || run.job == START_JOB) && run.state != RunState::Queued)
    };
    let open = known.open.iter().find(is_left)?;
    let intent = &open.intent;
    let run = known.runs.iter().find(|run| run.run == intent.run);
    Some(Stopped {
        what: intent.described(),
        backup: intent.backup,
        since: intent.since,
        run: run.map_or_else(|| intent.run.to_string(), RunRecord::called),
        reason: run.and_then(|run| run.ending.as_ref()?.reason.clone()),
        loaded: open.loaded.iter().flat_map(|loaded| loaded.stores.clone()).collect(),
        can_resume: intent.job.is_resumable(),
    })
}

/// The newest restore that ended well, where it kept what it replaced and nothing has been done about that since.
fn kept(known: &Known) -> Option<Kept> {
    let done = |run: &&RunRecord| matches!(run.state, RunState::Success | RunState::Degraded);
    let about_it = |run: &&RunRecord| matches!(run.job.as_str(), "full_restore_job" | "undo_job" | "discard_job");
    let newest = known.runs.iter().filter(done).find(about_it)?;
    let result = newest.ending.as_ref()?.result.as_ref()?;
    let keeps = newest.job == "full_restore_job" && result["old_data_kept"] == true;
    keeps.then(|| Kept {
        run: newest.called(),
        at: newest.ended_at.unwrap_or(newest.asked_at),
    })
}

fn cards(known: &Known, complete: &[&Backup], zone: &jiff::tz::TimeZone) -> Vec<StoreCard> {
    let Some(newest) = complete.last() else {
        return Vec::new();
    };
    let mut names: Vec<_> = newest.manifest.stores.iter().map(|store| store.name.clone()).collect();
    // What the newest does not hold and the one before it did must not vanish from sight.
    for backup in complete.iter().rev().take(2) {
        for store in &backup.manifest.stores {
            if !names.contains(&store.name) {
                names.push(store.name.clone());
            }
        }
    }
    let overdue = known.backup_schedule().and_then(|schedule| schedule.overdue_since);
    let period = days::Period::ending(known.now, DAYS, zone);
    names
        .into_iter()
        .filter_map(|name| {
            let holding = complete.iter().rev().filter_map(|backup| {
                let store = backup.manifest.stores.iter().find(|store| store.name == name)?;
                Some((*backup, store))
            });
            let mut newest_two = holding.clone();
            let (_, store) = newest_two.next()?;
            let before = newest_two.next();
            let is_good = |(backup, _): &(&Backup, _)| backup.verified.is_none_or(|verified| verified.sound);
            let good = holding.clone().find(is_good).map(|(backup, _)| backup.id);
            let sound = holding.filter_map(|(backup, _)| backup.verified.filter(|verified| verified.sound));
            Some(StoreCard {
                kind: store.kind.to_string(),
                version: store.version.clone(),
                last: good,
                bytes: bytes(store),
                bytes_before: before.map(|(_, store)| bytes(store)),
                verified: sound.map(|verified| verified.at).max(),
                days: period.of(known.backups.as_deref().ok(), &known.runs, overdue, Some(&name)),
                name,
            })
        })
        .collect()
}

pub(crate) fn bytes(store: &stillpoint_core::manifest::StoreRecord) -> u64 {
    store
        .artifacts
        .iter()
        .map(stillpoint_core::manifest::Artifact::bytes)
        .sum()
}

/// What leads to the first backup.
async fn first_steps(app: &App, known: &Known) -> Vec<FirstStep> {
    let step = |what: &str, done: bool, found: String| FirstStep {
        what: what.to_owned(),
        done,
        found,
    };
    let repository = app.platform.service().site.repository;
    let mut steps = match app.platform.plan().await {
        Ok(plan) => {
            let stores = plan.entries.iter().filter_map(|entry| match &entry.role {
                stillpoint_core::engine::plan::Role::Store(name) => Some(name.to_string()),
                _ => None,
            });
            let stores: Vec<String> = stores.collect();
            let found = if stores.is_empty() {
                "None was recognised: `stillpoint containers plan` says what was seen.".to_owned()
            } else {
                stores.join(", ")
            };
            vec![
                step("The platform is found", true, plan.platform.to_string()),
                step("Its stores are recognised", !stores.is_empty(), found),
            ]
        }
        Err(problem) => vec![step(
            "The platform is found",
            false,
            format!("{}: {}", problem.title, problem.hint),
        )],
    };
    steps.push(step("The repository answers", true, repository));
    let schedule = known.backup_schedule().filter(|schedule| schedule.on);
    steps.push(step(
        "Backups begin by themselves",
        schedule.is_some(),
        schedule.map_or_else(
            || "Switch the schedule of backup_job on.".to_owned(),
            |schedule| schedule.sentence.clone(),
        ),
    ));
    steps.push(step(
        "The first backup is made",
        false,
        "Back up now, or wait for the schedule.".to_owned(),
    ));
    steps
}

/// The runs that had to do with a backup: those that made, verified or restored it, the newest first.
pub(crate) fn runs_about(runs: &[RunRecord], backup: BackupId, made_by: &str, now: Timestamp) -> Vec<RunLine> {
    let id = backup.to_string();
    let about = |run: &&RunRecord| {
        let options = &run.options;
        let is_named = options["backup"] == *id || options["scope"]["one"] == *id;
        run.run.as_str() == made_by || is_named
    };
    runs.iter().filter(about).map(|run| line(run, now)).collect()
}
