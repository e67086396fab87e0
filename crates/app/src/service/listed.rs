//! What is listed of schedules and settings, for commands and pages alike.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use stillpoint_core::ports::History;
use stillpoint_core::ports::history::{HistoryError, RunFilter, RunRecord, RunState, ScheduleNote};
use stillpoint_core::schedule::{self, Meeting, Success, Usual, Window};
use stillpoint_web::wire::{ForeignWindow, Overlap, Schedule, Setting, Standing, Timetable};

use crate::config::{Config, Planned};
use crate::failure::Failure;

/// So many fires are told.
const FIRES: usize = 5;

/// Deletes in small steps beside everybody, and is paced.
const CLEANUP_JOB: &str = "dagster_cleanup_job";

/// So many of the last runs say how long a job usually takes.
const USUAL: u32 = 9;

/// The configuration, with the origin of each value; what labels of containers set is not among it.
pub(crate) fn settings(config: &Config) -> Vec<Setting> {
    let rows = config.rows(None).into_iter();
    rows.map(|row| {
        let about = row.about.as_ref();
        Setting {
            default: about.map(|about| about.default.clone()),
            about: about.map(|about| about.meaning.to_owned()),
            key: row.key,
            variable: row.variable,
            value: row.value,
            origin: row.origin,
        }
    })
    .collect()
}

/// The jobs that come by themselves, as they stand.
pub(crate) async fn schedules(
    config: &Config,
    history: &dyn History,
    now: Timestamp,
) -> Result<Vec<Schedule>, HistoryError> {
    standing(&config.schedules, history, now).await
}

/// The same of these jobs.
pub(crate) async fn standing(
    planned: &[Planned],
    history: &dyn History,
    now: Timestamp,
) -> Result<Vec<Schedule>, HistoryError> {
    let notes = history.schedules().await?;
    let mut rows = Vec::new();
    for planned in planned {
        rows.push(row(planned, &notes, &success(history, planned.job).await?, now));
    }
    Ok(rows)
}

/// The same, with how long each usually takes and what it meets.
pub(crate) async fn timetable(
    config: &Config,
    history: &dyn History,
    now: Timestamp,
) -> Result<Timetable, HistoryError> {
    let schedules = schedules(config, history, now).await?;
    let mut usual = BTreeMap::new();
    for planned in &config.schedules {
        if let Some(takes) = usually_takes(history, planned.job).await? {
            usual.insert(planned.job.to_owned(), takes);
        }
    }
    let is_on = |planned: &&Planned| schedules.iter().any(|row| row.on && row.job == planned.job);
    let jobs = config.schedules.iter().filter(is_on).map(|planned| Usual {
        job: planned.job,
        calendar: &planned.schedule.calendar,
        takes: usual.get(planned.job).copied().unwrap_or_default(),
    });
    let mut met = schedule::meetings(&jobs.collect::<Vec<_>>(), &config.foreign_windows, now);
    // It harms nobody who is at work then: the windows of others are there for what stops or slows them.
    let is_window = |with: &str| config.foreign_windows.iter().any(|window| window.name == with);
    met.retain(|met| met.job != CLEANUP_JOB || !is_window(&met.with));
    Ok(Timetable {
        overlaps: met.into_iter().map(overlap).collect(),
        foreign_windows: config.foreign_windows.iter().map(window).collect(),
        usual_seconds: usual.into_iter().map(|(job, takes)| (job, takes.as_secs())).collect(),
        schedules,
    })
}

/// The middle of how long its last runs took that succeeded.
async fn usually_takes(history: &dyn History, job: &str) -> Result<Option<Duration>, HistoryError> {
    let wanted = RunFilter {
        job: Some(job.to_owned()),
        state: Some(RunState::Success),
        ..RunFilter::default()
    };
    let runs = history.find(&wanted, USUAL).await?;
    let took = |run: &RunRecord| Some(run.ended_at?.duration_since(run.started_at?).unsigned_abs());
    let mut took: Vec<Duration> = runs.iter().filter_map(took).collect();
    took.sort();
    Ok(took.get(took.len() / 2).copied())
}

fn overlap(met: Meeting) -> Overlap {
    Overlap {
        job: met.job,
        with: met.with,
        at: met.at,
        warning: met.sentence,
    }
}

fn window(window: &Window) -> ForeignWindow {
    let clock = |time: Time| time.strftime("%H:%M").to_string();
    ForeignWindow {
        name: window.name.clone(),
        from: clock(window.from),
        until: clock(window.until),
    }
}

/// Refuses a job that has no schedule.
pub(crate) fn has_schedule(config: &Config, job: &str) -> Result<(), Failure> {
    let jobs: Vec<&str> = config.schedules.iter().map(|planned| planned.job).collect();
    if jobs.contains(&job) {
        return Ok(());
    }
    let what = format!("no job {job} has a schedule");
    Err(Failure::usage(what, format!("those that have: {}", jobs.join(", "))))
}

fn row(planned: &Planned, notes: &[ScheduleNote], success: &Success, now: Timestamp) -> Schedule {
    let calendar = &planned.schedule.calendar;
    let note = notes.iter().find(|note| note.job == planned.job);
    let on = note.is_none_or(|note| note.is_on);
    let since = note.and_then(|note| note.switched_at.max(note.known_since));
    let (standing, overdue) = match since {
        _ if !on => (Standing::Off, None),
        None => (Standing::NeverHeeded, None),
        Some(since) => match planned.schedule.standing(since, success, now) {
            schedule::Standing::OnTime => (Standing::OnTime, None),
            schedule::Standing::Overdue { since, reason } => (Standing::Overdue, Some((since, reason))),
        },
    };
    let (overdue_since, reason) = overdue.unzip();
    Schedule {
        job: planned.job.to_owned(),
        expression: calendar.expression().to_owned(),
        sentence: calendar.sentence(),
        zone: calendar.zone().iana_name().map(ToOwned::to_owned),
        on,
        switched_by: note.and_then(|note| note.switched_by.clone()),
        switched_at: note.and_then(|note| note.switched_at),
        next: if on {
            calendar.next_fires(now, FIRES)
        } else {
            Vec::new()
        },
        standing,
        overdue_since,
        reason,
    }
}

/// What the history knows of a job, however long ago it was.
async fn success(history: &dyn History, job: &str) -> Result<Success, HistoryError> {
    let mut newest = BTreeMap::new();
    for state in [
        RunState::Success,
        RunState::Degraded,
        RunState::Started,
        RunState::Failure,
        RunState::Canceled,
    ] {
        let wanted = RunFilter {
            job: Some(job.to_owned()),
            state: Some(state),
            ..RunFilter::default()
        };
        newest.extend(history.find(&wanted, 1).await?.pop().map(|run| (state, run)));
    }
    let last = |states: &[RunState]| {
        states
            .iter()
            .filter_map(|state| newest.get(state))
            .max_by_key(|run| run.number)
    };
    let done = last(&[RunState::Success, RunState::Degraded]);
    let failed = last(&[RunState::Failure, RunState::Canceled]);
    Ok(Success {
        began: done.and_then(|run| run.started_at),
        at_work: newest.get(&RunState::Started).and_then(|run| run.started_at),
        failure: failed
            .filter(|failed| done.is_none_or(|done| done.number < failed.number))
            .map(failure),
    })
}

fn failure(run: &RunRecord) -> String {
    let number = run.number.unwrap_or_default();
    let why = run.ending.as_ref().and_then(|ending| ending.reason.as_deref());
    let why = why.and_then(|why| why.lines().next()).unwrap_or("no reason is known");
    format!("run {number} ended with {}: {why}", run.state)
}
