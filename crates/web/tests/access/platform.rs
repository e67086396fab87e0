//! A platform on which there is nothing: who may ask is what counts here.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use stillpoint_core::doctor::Diagnosis;
use stillpoint_core::engine::plan::Plan;
use stillpoint_core::engine::prune::Pruned;
use stillpoint_core::engine::restore::Rehearsed;
use stillpoint_core::maintenance::Status;
use stillpoint_core::manifest::Manifest;
use stillpoint_core::names::{BackupId, Project, RunId};
use stillpoint_core::operations::{BackupList, Restore};
use stillpoint_core::ports::history::{Fact, FactFilter, RunRecord, RunState};
use stillpoint_core::ports::journal::OpenRun;
use stillpoint_web::auth::Who;
use stillpoint_web::metrics::Metrics;
use stillpoint_web::platform::Platform;
use stillpoint_web::wire::notices::{Notices, Tried};
use stillpoint_web::wire::{
    Change, Problem, RunsWanted, Schedule, Service, Setting, Site, Submission, Timetable, Told,
};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Its clock is the test's. Clones share it.
#[derive(Clone)]
pub(crate) struct Empty {
    pub(crate) now: Arc<Mutex<Timestamp>>,
    pub(crate) orders: Arc<Mutex<Vec<Submission>>>,
    /// Whom changes are told to; without it nothing ever changes, and who listens is let go.
    pub(crate) told: Arc<Mutex<Option<Vec<Sender<Change>>>>>,
}

fn nothing<T>() -> Result<T, Problem> {
    Err(Problem {
        title: "there is nothing".to_owned(),
        hint: "it is a test".to_owned(),
        status: 404,
        exit: 10,
    })
}

#[async_trait]
impl Platform for Empty {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    fn service(&self) -> Service {
        Service {
            version: "0".to_owned(),
            process: 1,
            host: "here".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            site: Site {
                platform: None,
                repository: "memory".to_owned(),
                engine: "none".to_owned(),
            },
        }
    }

    fn settings(&self) -> Vec<Setting> {
        Vec::new()
    }

    async fn submit(&self, submission: Submission) -> RunRecord {
        let record = RunRecord {
            number: Some(42),
            run: RunId::new("run"),
            job: submission.order.job().to_owned(),
            options: serde_json::Value::Null,
            platform: None,
            asked: submission.asked.clone(),
            host: "here".to_owned(),
            process: 1,
            state: RunState::Queued,
            asked_at: self.now(),
            started_at: None,
            ended_at: None,
            ending: None,
        };
        self.orders.lock().unwrap().push(submission);
        record
    }

    async fn cancel(&self, _: &str) -> Option<RunRecord> {
        None
    }

    async fn runs(&self, _: RunsWanted) -> Result<Vec<RunRecord>, Problem> {
        Ok(Vec::new())
    }

    async fn run(&self, _: &str) -> Result<Option<RunRecord>, Problem> {
        Ok(None)
    }

    async fn facts(&self, _: &RunRecord, _: u64, _: u32) -> Result<Vec<Fact>, Problem> {
        Ok(Vec::new())
    }

    async fn last_facts(&self, _: &RunRecord, _: FactFilter, _: u32) -> Result<Vec<Fact>, Problem> {
        Ok(Vec::new())
    }

    fn watch(&self) -> Receiver<Change> {
        let (sender, receiver) = channel(1);
        self.told
            .lock()
            .unwrap()
            .iter_mut()
            .for_each(|told| told.push(sender.clone()));
        receiver
    }

    fn listen(&self, _: &str, _: u64) -> Option<Receiver<Told>> {
        None
    }

    async fn backups(&self) -> Result<Arc<BackupList>, Problem> {
        nothing()
    }

    async fn backup(&self, _: BackupId) -> Result<Manifest, Problem> {
        nothing()
    }

    async fn protect(&self, _: BackupId, _: bool, _: &Who) -> Result<(), Problem> {
        nothing()
    }

    async fn retention(&self) -> Result<Pruned, Problem> {
        nothing()
    }

    async fn schedules(&self) -> Result<Vec<Schedule>, Problem> {
        Ok(Vec::new())
    }

    async fn timetable(&self) -> Result<Timetable, Problem> {
        nothing()
    }

    async fn switch(&self, _: &str, _: bool, _: &Who) -> Result<(), Problem> {
        nothing()
    }

    async fn plan(&self) -> Result<Plan, Problem> {
        nothing()
    }

    async fn rehearse(&self, _: Restore) -> Result<Rehearsed, Problem> {
        panic!("as a fault of the service's own would")
    }

    async fn undo_would_lose(&self) -> Result<Vec<String>, Problem> {
        nothing()
    }

    async fn maintenance(&self) -> Result<Status, Problem> {
        Ok(Status::default())
    }

    async fn doctor(&self) -> Result<Diagnosis, Problem> {
        nothing()
    }

    async fn notices(&self) -> Result<Notices, Problem> {
        Ok(Notices::default())
    }

    async fn try_notices(&self) -> Vec<Tried> {
        Vec::new()
    }

    async fn metrics(&self) -> Result<Metrics, Problem> {
        Ok(Metrics::default())
    }

    async fn open_runs(&self) -> Result<Vec<OpenRun>, Problem> {
        Ok(Vec::new())
    }

    async fn project(&self) -> Result<Project, Problem> {
        Ok(Project::new("acme"))
    }
}
