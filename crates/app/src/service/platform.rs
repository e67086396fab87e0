//! The service as its pages and its API see it.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use stillpoint_core::doctor::Diagnosis;
use stillpoint_core::engine::plan::Plan;
use stillpoint_core::engine::prune::Pruned;
use stillpoint_core::engine::restore::Rehearsed;
use stillpoint_core::events::{Event, Listener};
use stillpoint_core::maintenance::Status;
use stillpoint_core::manifest::Manifest;
use stillpoint_core::names::{BackupId, Project};
use stillpoint_core::operations::{BackupList, Local, Operations, Restore, RunRequest};
use stillpoint_core::ports::Journal;
use stillpoint_core::ports::history::{Fact, FactFilter, RunRecord};
use stillpoint_core::ports::journal::OpenRun;
use stillpoint_core::ports::notices::OutboxError;
use stillpoint_notify::Channel;
use stillpoint_web::auth::Who;
use stillpoint_web::metrics::Metrics;
use stillpoint_web::platform::Platform;
use stillpoint_web::wire::notices::{Notices, Tried};
use stillpoint_web::wire::{Change, Problem, RunsWanted, Schedule, Service, Setting, Submission, Timetable, Told};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::daemon::Daemon;
use super::listed;
use crate::commands::look_at_stores;
use crate::failure::Failure;
use crate::{doctor, metrics, wiring};

/// The service, for those who ask over HTTP.
pub(super) struct Served(pub(super) Arc<Daemon>);

#[async_trait]
impl Platform for Served {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn zone(&self) -> TimeZone {
        let planned = self.0.config.schedules.first();
        planned.map_or_else(TimeZone::system, |planned| planned.schedule.calendar.zone().clone())
    }

    fn service(&self) -> Service {
        self.0.service()
    }

    fn settings(&self) -> Vec<Setting> {
        listed::settings(&self.0.config)
    }

    async fn submit(&self, submission: Submission) -> RunRecord {
        self.0.submit(submission).await
    }

    async fn cancel(&self, run: &str) -> Option<RunRecord> {
        self.0.cancel(run).await
    }

    async fn runs(&self, wanted: RunsWanted) -> Result<Vec<RunRecord>, Problem> {
        let (filter, limit) = (wanted.filter(), wanted.limit.unwrap_or(u32::MAX));
        let listed = self.0.historian.history.find(&filter, limit).await?;
        // What the service knows of itself is newer than what was noted.
        let newest = |run: RunRecord| self.0.known(run.run.as_str()).unwrap_or(run);
        let noted = listed.into_iter().map(newest);
        let known = self.0.found(&filter).into_iter().filter(|run| run.number.is_some());
        let mut all: Vec<RunRecord> = noted.chain(known).filter(|run| filter.has(run)).collect();
        all.sort_by_key(|run| Reverse(run.number));
        all.dedup_by_key(|run| run.number);
        all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(all)
    }

    async fn run(&self, name: &str) -> Result<Option<RunRecord>, Problem> {
        match self.0.known(name) {
            Some(known) => Ok(Some(known)),
            None => Ok(self.0.historian.history.run(name).await?),
        }
    }

    async fn facts(&self, run: &RunRecord, after: u64, limit: u32) -> Result<Vec<Fact>, Problem> {
        Ok(self.0.historian.history.facts(&run.run, after, limit).await?)
    }

    async fn last_facts(&self, run: &RunRecord, wanted: FactFilter, limit: u32) -> Result<Vec<Fact>, Problem> {
        Ok(self.0.historian.history.last_facts(&run.run, &wanted, limit).await?)
    }

    fn watch(&self) -> Receiver<Change> {
        self.0.watch()
    }

    fn listen(&self, run: &str, after: u64) -> Option<Receiver<Told>> {
        Some(self.0.feed(run)?.listen(after))
    }

    async fn backups(&self) -> Result<Arc<BackupList>, Problem> {
        let read = || async {
            let operations = self.0.anew().await?;
            operations.list().await.map_err(problem)
        };
        self.0.listing.get(read).await
    }

    async fn backup(&self, backup: BackupId) -> Result<Manifest, Problem> {
        let operations = self.0.anew().await?;
        operations.show(backup).await.map_err(problem)
    }

    async fn protect(&self, backup: BackupId, on: bool, _: &Who) -> Result<(), Problem> {
        let operations = self.0.anew().await?;
        let request = self.0.request();
        let done = if on {
            operations.protect(backup, request).await
        } else {
            operations.unprotect(backup, request).await
        };
        self.0.listing.changed();
        done.map_err(problem)
    }

    async fn retention(&self) -> Result<Pruned, Problem> {
        let operations = self.0.anew().await?;
        operations.prune(true, self.0.request()).await.map_err(problem)
    }

    async fn schedules(&self) -> Result<Vec<Schedule>, Problem> {
        Ok(listed::schedules(&self.0.config, &*self.0.historian.history, self.0.now()).await?)
    }

    async fn timetable(&self) -> Result<Timetable, Problem> {
        Ok(listed::timetable(&self.0.config, &*self.0.historian.history, self.0.now()).await?)
    }

    async fn switch(&self, job: &str, on: bool, who: &Who) -> Result<(), Problem> {
        listed::has_schedule(&self.0.config, job).map_err(problem)?;
        let history = &self.0.historian.history;
        Ok(history.switch(job, on, &who.name, self.0.now()).await?)
    }

    async fn plan(&self) -> Result<Plan, Problem> {
        let operations = self.0.anew().await?;
        operations.plan(self.0.config.project().as_ref()).await.map_err(problem)
    }

    async fn rehearse(&self, what: Restore) -> Result<Rehearsed, Problem> {
        let operations = self.0.anew().await?;
        look_at_stores(&self.0.config, &operations).await.map_err(problem)?;
        let rehearsed = operations.rehearse_restore(what, self.0.request()).await;
        rehearsed.map_err(problem)
    }

    async fn maintenance(&self) -> Result<Status, Problem> {
        let operations = self.0.anew().await?;
        operations.maintenance_status(self.0.request()).await.map_err(problem)
    }

    async fn undo_would_lose(&self) -> Result<Vec<String>, Problem> {
        let operations = self.0.anew().await?;
        operations.undo_would_lose(self.0.request()).await.map_err(problem)
    }

    async fn open_runs(&self) -> Result<Vec<OpenRun>, Problem> {
        let project = self.project().await?;
        let journal = wiring::journal(&self.0.config);
        let open = journal.open_runs(&project).await;
        open.map_err(|error| problem(Failure::from(stillpoint_core::engine::errors::Error::from(error))))
    }

    async fn doctor(&self) -> Result<Diagnosis, Problem> {
        let daemon = &self.0;
        // One looks at a time, and who has waited for him has his answer: it costs the stores some work.
        let mut diagnosed = daemon.diagnosed.lock().await;
        let now = self.now();
        if let Some((at, diagnosis)) = diagnosed.as_ref()
            && now.duration_since(*at).abs() < DIAGNOSED
        {
            return Ok(diagnosis.clone());
        }
        let operations = daemon.anew().await?;
        let found = doctor::examine(
            &daemon.config,
            &operations,
            &daemon.historian,
            &daemon.notices,
            daemon.request(),
        );
        let diagnosis = found.await.map_err(problem)?;
        *diagnosed = Some((self.now(), diagnosis.clone()));
        Ok(diagnosis)
    }

    async fn notices(&self) -> Result<Notices, Problem> {
        let notices = &self.0.notices;
        Ok(Notices {
            channels: notices.channels().await.map_err(unread)?,
            events: self.0.config.notices.events.clone(),
            notices: notices.post.outbox().notices(NOTICES).await.map_err(unread)?,
        })
    }

    async fn try_notices(&self) -> Vec<Tried> {
        let notices = &self.0.notices;
        let all: Vec<&Channel> = notices.post.channels().iter().collect();
        notices.try_out(&all).await
    }

    async fn metrics(&self) -> Result<Metrics, Problem> {
        let daemon = &self.0;
        let mut metrics = metrics::gather(&daemon.config, &daemon.historian, &**daemon.notices.post.outbox()).await?;
        daemon.add_work(&mut metrics);
        self.add_repository(&mut metrics).await;
        Ok(metrics)
    }

    async fn project(&self) -> Result<Project, Problem> {
        match self.0.config.project() {
            Some(project) => Ok(project),
            None => Ok(self.plan().await?.platform),
        }
    }
}

impl Served {
    /// Adds what the repository holds, as it was when somebody looked last. Who asks every few seconds must not have it listed
    /// each time, nor wait for one that does not answer.
    async fn add_repository(&self, metrics: &mut Metrics) {
        let mut looked = self.0.looked.lock().await;
        let now = self.0.now();
        let is_fresh =
            |looked: &Looked| now.duration_since(looked.at).abs() < if looked.is_up { LISTED } else { AGAIN };
        if !looked.as_ref().is_some_and(is_fresh) {
            let listed = tokio::time::timeout(PATIENCE, self.backups()).await;
            let listed = listed.ok().and_then(Result::ok);
            let before = looked.take().and_then(|before| before.list);
            *looked = Some(Looked {
                at: now,
                is_up: listed.is_some(),
                list: listed.or(before),
            });
        }
        if let Some(looked) = looked.as_ref() {
            metrics.repository_up = Some(looked.is_up);
            if let Some(list) = &looked.list {
                metrics::add_backups(metrics, list);
            }
        }
    }
}

/// What was found in the repository.
pub(super) struct Looked {
    at: Timestamp,
    is_up: bool,
    /// The last that was found, also where it does not answer now.
    list: Option<Arc<BackupList>>,
}

/// So long what a doctor has found is good enough.
const DIAGNOSED: SignedDuration = SignedDuration::from_secs(10);

/// So many notices are listed.
const NOTICES: u32 = 100;

/// So long a list of backups is good enough for metrics, and until one that did not answer is asked again.
const LISTED: SignedDuration = SignedDuration::from_mins(5);
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// So long the repository may take to answer: whoever asks for metrics waits for ten seconds.
const PATIENCE: Duration = Duration::from_secs(7);

impl Daemon {
    /// Engine and repository as they are now: a service lives longer than they do.
    async fn anew(&self) -> Result<Local, Problem> {
        wiring::operations(&self.config).await.map_err(problem)
    }

    fn request(&self) -> RunRequest {
        RunRequest {
            run: None,
            platform: self.config.project(),
            listener: Arc::new(Deaf),
            cancel: CancellationToken::new(),
        }
    }
}

/// Nobody is told.
struct Deaf;

impl Listener for Deaf {
    fn hear(&self, _: &Event) {}
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
fn unread(error: OutboxError) -> Problem {
    problem(Failure::usage(
        error.to_string(),
        "look at the state directory: its disk, its owner; runs go on without it",
    ))
}

fn problem(failure: impl Into<Failure>) -> Problem {
    failure.into().problem()
}
