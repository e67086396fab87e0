//! `stillpoint schedules ls`, `on` and `off`.

use jiff::Timestamp;
use serde::Serialize;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::ports::History;
use stillpoint_core::ports::history::{RunRecord, RunState, ScheduleNote};
use stillpoint_core::schedule::{Standing, Success};

use super::table;
use crate::config::{Config, Planned};
use crate::display::{print, words};
use crate::failure::Failure;
use crate::service::{Client, Service};
use crate::{operator, wiring};

/// So many fires are told.
const FIRES: usize = 5;

/// So many runs are looked through for the last success.
const RUNS: u32 = 1000;

/// Look at what the service begins by itself, and switch it
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List the jobs with their next times, and whether they are overdue
    Ls,
    /// Let a job begin by itself again
    On {
        /// The job, as `stillpoint schedules ls` shows it
        job: String,
    },
    /// Let a job no longer begin by itself
    Off {
        /// The job, as `stillpoint schedules ls` shows it
        job: String,
    },
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    let historian = wiring::historian(config);
    let history = historian.history.clone();
    match command {
        Command::Ls => {
            // A run whose process is gone is not at work.
            wiring::tidy_up(config, &historian).await?;
            list(config, &*history).await?;
        }
        Command::On { job } => switch(config, &*history, job, true).await?,
        Command::Off { job } => switch(config, &*history, job, false).await?,
    }
    Ok(Exit::Ok)
}

async fn switch(config: &Config, history: &dyn History, job: &str, on: bool) -> Result<(), Failure> {
    let jobs: Vec<&str> = config.schedules.iter().map(|planned| planned.job).collect();
    if !jobs.contains(&job) {
        let what = format!("no job {job} has a schedule");
        return Err(Failure::usage(what, format!("those that have: {}", jobs.join(", "))));
    }
    history.switch(job, on, &operator::name(), Timestamp::now()).await?;
    let word = if on { "on" } else { "off" };
    print::summary(config.json, &format!("The schedule of {job} is {word}."));
    Ok(())
}

/// All that is told.
#[derive(Serialize)]
struct Listed {
    /// The service that heeds them, if one runs.
    service: Option<Service>,
    schedules: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    job: &'static str,
    expression: String,
    sentence: String,
    zone: Option<String>,
    on: bool,
    switched_by: Option<String>,
    switched_at: Option<Timestamp>,
    next: Vec<Timestamp>,
    /// `on_time`, `overdue`, `off`, or `never_heeded`: no service has run yet.
    standing: &'static str,
    overdue_since: Option<Timestamp>,
    reason: Option<String>,
}

async fn list(config: &Config, history: &dyn History) -> Result<(), Failure> {
    let notes = history.schedules().await?;
    let runs = history.runs(None, RUNS).await?;
    let service = Client::find(&config.platform.state_dir).await;
    let row = |planned| row(planned, &notes, &runs);
    let listed = Listed {
        service: service.map(|client| client.service),
        schedules: config.schedules.iter().map(row).collect(),
    };
    if config.json {
        print::document(&listed);
    } else {
        show(config, &listed);
    }
    Ok(())
}

fn row(planned: &Planned, notes: &[ScheduleNote], runs: &[RunRecord]) -> Row {
    let (calendar, now) = (&planned.schedule.calendar, Timestamp::now());
    let note = notes.iter().find(|note| note.job == planned.job);
    let on = note.is_none_or(|note| note.is_on);
    let since = note.and_then(|note| note.switched_at.max(note.known_since));
    let (standing, overdue) = match since {
        _ if !on => ("off", None),
        None => ("never_heeded", None),
        Some(since) => match planned.schedule.standing(since, &success(planned.job, runs), now) {
            Standing::OnTime => ("on_time", None),
            Standing::Overdue { since, reason } => ("overdue", Some((since, reason))),
        },
    };
    let (overdue_since, reason) = overdue.unzip();
    Row {
        job: planned.job,
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

fn show(config: &Config, listed: &Listed) {
    let mut rows = table(&["JOB", "SCHEDULE", "ZONE", "SWITCH", "NEXT", "STANDING"]);
    for (row, planned) in listed.schedules.iter().zip(&config.schedules) {
        let next = row
            .next
            .first()
            .map(|next| next.to_zoned(planned.schedule.calendar.zone().clone()));
        rows.add_row([
            row.job.to_owned(),
            row.expression.clone(),
            row.zone.clone().unwrap_or_default(),
            if row.on { "on" } else { "off" }.to_owned(),
            next.map(|next| next.strftime("%a %d %b %Y %H:%M %Z").to_string())
                .unwrap_or_default(),
            row.standing.replace('_', " ").to_uppercase(),
        ]);
    }
    print::line(&rows.to_string());
    for row in &listed.schedules {
        if let (Some(by), Some(at)) = (&row.switched_by, row.switched_at) {
            let word = if row.on { "on" } else { "off" };
            print::line(&format!(
                "{} was switched {word} by {by}, {}.",
                row.job,
                words::local(at)
            ));
        }
        if let (Some(since), Some(reason)) = (row.overdue_since, &row.reason) {
            print::line(&format!(
                "{} is OVERDUE since {}: {reason}.",
                row.job,
                words::local(since)
            ));
        }
    }
    if listed.service.is_none() {
        print::line("No service runs here, so nothing begins by itself: `stillpoint serve` is what does it.");
    }
}
