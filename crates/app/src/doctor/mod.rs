//! Gathers what a doctor goes by beside engine, stores and repository: history, schedules, who is told, and the host. Changes
//! nothing. What cannot be had is told as not seen, and fails nothing.

mod host;

use std::path::Path;

use serde::Deserialize;
use stillpoint_core::doctor::{Beside, Diagnosis, PastBackup, Receiver, ScheduleFacts, SiteFacts, diagnose};
use stillpoint_core::engine::errors::Error;
use stillpoint_core::events::{Event, EventKind};
use stillpoint_core::history::Historian;
use stillpoint_core::names::Address;
use stillpoint_core::operations::{Local, Operations, RunRequest};
use stillpoint_core::ports::history::{HistoryError, RunFilter, RunRecord};
use stillpoint_web::wire::{Schedule, Standing};

use crate::config::{Config, Repository};
use crate::notices::Notices;
use crate::service::listed;

/// So many backups that ran are looked at.
const RUNS: u32 = 5;

/// Those that ran are found among so many that were asked for.
const ASKED: u32 = 20;

/// So many facts of each: what is stopped is told among the first.
const FACTS: u32 = 2000;

const BACKUP_JOB: &str = "backup_job";

/// Asks everybody and says what is wrong.
pub(crate) async fn examine(
    config: &Config,
    operations: &Local,
    historian: &Historian,
    notices: &Notices,
    request: RunRequest,
) -> Result<Diagnosis, Error> {
    let site = operations.examine(request).await?;
    let beside = beside(config, historian, notices, &site).await;
    Ok(diagnose(&site, &beside))
}

async fn beside(config: &Config, historian: &Historian, notices: &Notices, site: &SiteFacts) -> Beside {
    let mut beside = Beside {
        accepted: config.accepted.clone(),
        directory: directory(config),
        ..Beside::default()
    };
    let history = &*historian.history;
    match listed::timetable(config, history, site.now).await {
        Ok(table) => {
            beside.schedules = table.schedules.iter().map(schedule).collect();
            beside.meetings = table.overlaps.into_iter().map(|overlap| overlap.warning).collect();
        }
        Err(error) => beside.unseen.push(format!("schedules and what is overdue: {error}")),
    }
    match runs(historian).await {
        Ok(runs) => beside.runs = runs,
        Err(error) => beside.unseen.push(format!("what earlier backups told: {error}")),
    }
    match notices.channels().await {
        Ok(channels) => beside.receivers = channels.into_iter().map(|channel| receiver(config, channel)).collect(),
        Err(error) => beside.unseen.push(format!("who is told: {error}")),
    }
    if site.sees_host {
        let seen = host::look(Path::new("/"));
        (beside.boot, beside.prunes) = (seen.boot, Some(seen.prunes));
        beside.unseen.extend(seen.unseen);
    } else {
        beside
            .unseen
            .push("what begins when the host starts, and the host's cron jobs".to_owned());
    }
    beside
}

/// The directory of the backups, if it is on a disk of this host.
fn directory(config: &Config) -> Option<String> {
    match config.repository() {
        Repository::Local(directory) if !host::is_remote(&directory) => Some(directory.display().to_string()),
        _ => None,
    }
}

fn schedule(row: &Schedule) -> ScheduleFacts {
    ScheduleFacts {
        job: row.job.clone(),
        on: row.on,
        switched_by: row.switched_by.clone(),
        heeded: row.standing != Standing::NeverHeeded,
        overdue: row.overdue_since.zip(row.reason.clone()),
    }
}

fn receiver(config: &Config, channel: stillpoint_web::wire::notices::Channel) -> Receiver {
    let note = channel.note;
    let mut heartbeats = config.notices.heartbeats.all.iter();
    Receiver {
        watches: channel.is_heartbeat
            && heartbeats.any(|heartbeat| heartbeat.name() == note.channel && heartbeat.job() == BACKUP_JOB),
        failed: note.error.filter(|_| note.failed_at > note.delivered_at),
        name: note.channel,
    }
}

/// The last backups that stopped something, the newest first.
async fn runs(historian: &Historian) -> Result<Vec<PastBackup>, HistoryError> {
    let wanted = RunFilter {
        job: Some(BACKUP_JOB.to_owned()),
        ..RunFilter::default()
    };
    let history = &historian.history;
    let found = historian.bounded("read", history.find(&wanted, ASKED)).await?;
    let mut runs = Vec::new();
    for run in found.into_iter().filter(|run| run.state.is_over()) {
        let facts = historian.bounded("read", history.facts(&run.run, 0, FACTS)).await?;
        let events = facts
            .into_iter()
            .filter_map(|fact| serde_json::from_value(fact.event).ok());
        let stopped: Vec<(Address, bool)> = events.filter_map(stopped).collect();
        if !stopped.is_empty() {
            runs.push(past(&run, stopped));
        }
        if runs.len() == RUNS as usize {
            break;
        }
    }
    Ok(runs)
}

fn stopped(event: Event) -> Option<(Address, bool)> {
    match event.kind {
        EventKind::Stopped { workload, killed } => Some((workload, killed)),
        _ => None,
    }
}

/// As a run tells it in its result.
#[derive(Deserialize)]
struct Degraded {
    workload: Address,
    cause: String,
}

fn past(run: &RunRecord, stopped: Vec<(Address, bool)>) -> PastBackup {
    let result = run.ending.as_ref().and_then(|ending| ending.result.as_ref());
    let degraded = result.and_then(|result| result.get("degraded").cloned());
    let degraded: Vec<Degraded> = degraded
        .and_then(|told| serde_json::from_value(told).ok())
        .unwrap_or_default();
    PastBackup {
        called: run.called(),
        stopped,
        degraded: degraded.into_iter().map(|one| (one.workload, one.cause)).collect(),
    }
}
