//! What the pages and the API need of the service. Every answer is of this moment, or but
//! seconds old; what fails says what to do.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use stillpoint_core::doctor::Diagnosis;
use stillpoint_core::engine::plan::Plan;
use stillpoint_core::engine::prune::Pruned;
use stillpoint_core::engine::restore::Rehearsed;
use stillpoint_core::maintenance::Status;
use stillpoint_core::manifest::Manifest;
use stillpoint_core::names::{BackupId, Project};
use stillpoint_core::operations::{BackupList, Restore};
use stillpoint_core::ports::history::{Fact, FactFilter, RunRecord};
use stillpoint_core::ports::journal::OpenRun;
use tokio::sync::mpsc::Receiver;

use crate::auth::Who;
use crate::metrics::Metrics;
use crate::wire::notices::{Notices, Tried};
use crate::wire::{Change, Problem, RunsWanted, Schedule, Service, Setting, Submission, Timetable, Told};

/// The service, as seen from its pages.
#[async_trait]
pub trait Platform: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;

    /// The zone in which schedules count and times are shown.
    fn zone(&self) -> TimeZone;

    /// Who it is, and for what.
    fn service(&self) -> Service;

    /// The configuration with the origin of each value; secrets are hidden.
    fn settings(&self) -> Vec<Setting>;

    /// Takes an order in. It begins in its turn.
    async fn submit(&self, submission: Submission) -> RunRecord;

    /// Ends a run. None: it is over, unknown, or not ours to end.
    async fn cancel(&self, run: &str) -> Option<RunRecord>;

    /// Runs, the newest first.
    async fn runs(&self, wanted: RunsWanted) -> Result<Vec<RunRecord>, Problem>;

    /// The run with this number or id.
    async fn run(&self, name: &str) -> Result<Option<RunRecord>, Problem>;

    /// At most `limit` facts of a run after that number, in order.
    async fn facts(&self, run: &RunRecord, after: u64, limit: u32) -> Result<Vec<Fact>, Problem>;

    /// The last facts of a run of those that are looked for, at most `limit`, in order.
    async fn last_facts(&self, run: &RunRecord, wanted: FactFilter, limit: u32) -> Result<Vec<Fact>, Problem>;

    /// What changes in any run from now on, after the state of each that is not over. Who does not keep up is let go.
    fn watch(&self) -> Receiver<Change>;

    /// What happens in a run from now on, after the missed facts. None: the service does not know the run of itself.
    fn listen(&self, run: &str, after: u64) -> Option<Receiver<Told>>;

    /// The backups there are, as the repository has told a moment ago.
    async fn backups(&self) -> Result<Arc<BackupList>, Problem>;

    /// One of them.
    async fn backup(&self, backup: BackupId) -> Result<Manifest, Problem>;

    /// Keeps a backup from retention, or gives it back.
    async fn protect(&self, backup: BackupId, on: bool, who: &Who) -> Result<(), Problem>;

    /// What becomes of every backup when retention is applied now. Deletes nothing.
    async fn retention(&self) -> Result<Pruned, Problem>;

    /// The jobs that come by themselves.
    async fn schedules(&self) -> Result<Vec<Schedule>, Problem>;

    /// The same, with what else happens at their times.
    async fn timetable(&self) -> Result<Timetable, Problem>;

    /// Switches one of them.
    async fn switch(&self, job: &str, on: bool, who: &Who) -> Result<(), Problem>;

    /// What a backup would do with each workload.
    async fn plan(&self) -> Result<Plan, Problem>;

    /// Whether a restore could succeed, and what it would do. Changes nothing.
    async fn rehearse(&self, what: Restore) -> Result<Rehearsed, Problem>;

    /// What an undo of the last restore would lose, in words, one for each store. Changes nothing.
    async fn undo_would_lose(&self) -> Result<Vec<String>, Problem>;

    /// The runs of the platform that are not closed: a restore among them that nobody works on stands stopped on purpose.
    async fn open_runs(&self) -> Result<Vec<OpenRun>, Problem>;

    /// How Dagster's databases stand. Changes nothing.
    async fn maintenance(&self) -> Result<Status, Problem>;

    /// Everything that could make the next backup or a restore fail. Stops nothing.
    async fn doctor(&self) -> Result<Diagnosis, Problem>;

    /// Who is told when something goes wrong, and what became of it.
    async fn notices(&self) -> Result<Notices, Problem>;

    /// Sends a test to every channel, and returns what each answered.
    async fn try_notices(&self) -> Vec<Tried>;

    /// What Prometheus is told.
    async fn metrics(&self) -> Result<Metrics, Problem>;

    /// The platform, where one was named or there is but one.
    async fn project(&self) -> Result<Project, Problem>;
}
