//! What is listed of schedules and settings, for commands and pages alike.

use jiff::Timestamp;
use stillpoint_core::ports::History;
use stillpoint_core::ports::history::{HistoryError, RunRecord, RunState, ScheduleNote};
use stillpoint_core::schedule::{self, Success};
use stillpoint_web::wire::{Schedule, Setting, Standing};

use crate::config::{Config, Planned};
use crate::failure::Failure;

/// So many fires are told.
const FIRES: usize = 5;

/// So many runs are looked through for the last success.
const RUNS: u32 = 1000;

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
    let notes = history.schedules().await?;
    let runs = history.runs(None, RUNS).await?;
    let planned = config.schedules.iter();
    Ok(planned.map(|planned| row(planned, &notes, &runs, now)).collect())
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

fn row(planned: &Planned, notes: &[ScheduleNote], runs: &[RunRecord], now: Timestamp) -> Schedule {
    let calendar = &planned.schedule.calendar;
    let note = notes.iter().find(|note| note.job == planned.job);
    let on = note.is_none_or(|note| note.is_on);
    let since = note.and_then(|note| note.switched_at.max(note.known_since));
    let (standing, overdue) = match since {
        _ if !on => (Standing::Off, None),
        None => (Standing::NeverHeeded, None),
        Some(since) => match planned.schedule.standing(since, &success(planned.job, runs), now) {
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

/// What the history knows of a job; the newest run comes first.
fn success(job: &str, runs: &[RunRecord]) -> Success {
    let of_job: Vec<&RunRecord> = runs.iter().filter(|run| run.job == job).collect();
    let began = |is: fn(&RunRecord) -> bool| of_job.iter().find(|run| is(run)).and_then(|run| run.started_at);
    let last = of_job.iter().find(|run| run.state.is_over());
    Success {
        began: began(|run| matches!(run.state, RunState::Success | RunState::Degraded)),
        at_work: began(|run| run.state == RunState::Started),
        failure: last
            .filter(|run| matches!(run.state, RunState::Failure | RunState::Canceled))
            .map(|run| failed(run)),
    }
}

fn failed(run: &RunRecord) -> String {
    let number = run.number.unwrap_or_default();
    let why = run.ending.as_ref().and_then(|ending| ending.reason.as_deref());
    let why = why.and_then(|why| why.lines().next()).unwrap_or("no reason is known");
    format!("run {number} ended with {}: {why}", run.state)
}
