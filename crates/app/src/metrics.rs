//! Gathers what Prometheus is told, from the history, the outbox and the journal; what the repository holds comes from who has
//! looked. Changes nothing, and asks the network for nothing.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use stillpoint_core::history::Historian;
use stillpoint_core::manifest::{Artifact, Manifest};
use stillpoint_core::names::Project;
use stillpoint_core::operations::BackupList;
use stillpoint_core::ports::history::{HistoryError, RunFilter, RunRecord, RunState};
use stillpoint_core::ports::{Journal, Outbox};
use stillpoint_web::metrics::{Job, Metrics, Store};
use stillpoint_web::wire::Standing;

use crate::config::Config;
use crate::service::listed;
use crate::wiring;

/// So many runs are looked at for the jobs that there are, and for the last of a job that is over.
const NEWEST: u32 = 200;

/// What this host knows by itself.
pub(crate) async fn gather(
    config: &Config,
    historian: &Historian,
    outbox: &dyn Outbox,
) -> Result<Metrics, HistoryError> {
    let now = historian.clock.now();
    let mut metrics = Metrics {
        version: wiring::VERSION.to_owned(),
        channels: outbox.channels().await.unwrap_or_default(),
        jobs: jobs(config, historian, now).await?,
        ..Metrics::default()
    };
    let last = last(historian, "backup_job", &GOOD).await?;
    let sealed = last.and_then(|run| run.ending?.result?.get("manifest").cloned());
    let sealed = sealed.and_then(|manifest| serde_json::from_value::<Manifest>(manifest).ok());
    if let Some(manifest) = &sealed {
        let standstill = manifest.standstill.as_ref();
        metrics.clients_down = standstill.map(|standstill| standstill.down().as_secs_f64());
        metrics.newest_backup = Some(manifest.began);
        note_stores(&mut metrics.stores, manifest);
    }
    let platform: Option<Project> = config.project().or_else(|| sealed.map(|manifest| manifest.platform));
    if let Some(platform) = platform {
        let missing = wiring::journal(config).missing(&platform).await;
        metrics.not_recovered = missing.ok().map(|missing| missing.len() as u64);
    }
    Ok(metrics)
}

/// Adds what the repository holds.
pub(crate) fn add_backups(metrics: &mut Metrics, listed: &BackupList) {
    let counts = [
        ("complete", listed.backups.len()),
        ("failed", listed.partial.len()),
        ("unreadable", listed.unreadable.len()),
        ("incomplete", listed.incomplete.len()),
    ];
    metrics.backups = counts.map(|(state, count)| (state.to_owned(), count as u64)).into();
    metrics.stores.clear();
    let mut manifests: Vec<&Manifest> = listed.backups.iter().map(|backup| &backup.manifest).collect();
    manifests.sort_by_key(|manifest| manifest.began);
    for manifest in &manifests {
        note_stores(&mut metrics.stores, manifest);
    }
    metrics.newest_backup = manifests.last().map(|manifest| manifest.began);
}

fn note_stores(stores: &mut BTreeMap<String, Store>, manifest: &Manifest) {
    for store in &manifest.stores {
        let bytes = store.artifacts.iter().map(Artifact::bytes);
        let store_now = Store {
            last_success: manifest.began,
            bytes: bytes.sum(),
        };
        stores.insert(store.name.to_string(), store_now);
    }
}

/// What counts as a success: also a backup that is good while the platform is not as it was.
const GOOD: [RunState; 2] = [RunState::Success, RunState::Degraded];

const OVER: [RunState; 4] = [
    RunState::Success,
    RunState::Degraded,
    RunState::Failure,
    RunState::Canceled,
];

async fn jobs(config: &Config, historian: &Historian, now: Timestamp) -> Result<BTreeMap<String, Job>, HistoryError> {
    let history = &historian.history;
    let newest = history.runs(None, NEWEST).await?;
    let mut jobs: BTreeMap<String, Job> = newest.into_iter().map(|run| (run.job, Job::default())).collect();
    for row in listed::schedules(config, &**history, now).await? {
        let job = jobs.entry(row.job.clone()).or_default();
        job.enabled = Some(row.standing != Standing::Off);
        job.next_run = row.next.first().copied();
        if let [first, second, ..] = &row.next[..] {
            job.expected_interval = Some(second.duration_since(*first).as_secs_f64());
        }
    }
    for (name, job) in &mut jobs {
        job.last_success = last(historian, name, &GOOD).await?.and_then(|run| run.ended_at);
        if let Some(run) = last(historian, name, &OVER).await? {
            let took = run.ended_at.zip(run.started_at);
            job.last_run = run.ended_at;
            job.last_duration = took.map(|(ended, began)| ended.duration_since(began).as_secs_f64());
        }
    }
    Ok(jobs)
}

/// The newest run of a job in one of these states.
async fn last(historian: &Historian, job: &str, states: &[RunState]) -> Result<Option<RunRecord>, HistoryError> {
    let mut newest: Option<RunRecord> = None;
    for state in states {
        let wanted = RunFilter {
            job: Some(job.to_owned()),
            state: Some(*state),
            ..RunFilter::default()
        };
        let found = historian.history.find(&wanted, 1).await?;
        newest = newest.into_iter().chain(found).max_by_key(|run| run.number);
    }
    Ok(newest)
}

/// Writes a file for the textfile collector of a node exporter: whole, or not at all.
pub(crate) fn write(place: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = place.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, place).inspect_err(|_| {
        let _ = std::fs::remove_file(&beside);
    })
}
