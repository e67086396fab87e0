//! The history: which runs there were, who asked for them, what they told and how they ended, for those who look later.
//!
//! Nothing that decides reads it: what a platform needs to be brought back stands in the journal, which backups there are
//! stands in the repository. A history that cannot be written is told, and stops nothing.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::{Project, RunId};

/// What has become of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunState {
    /// It waits for its turn.
    Queued,
    /// Its turn has come.
    Starting,
    /// It is at work.
    Started,
    /// It did what it was to do.
    Success,
    /// It did, but the platform is not as it was, or something is missing as was accepted.
    Degraded,
    /// It did not.
    Failure,
    /// It was told to end, and undoes what it has done.
    Canceling,
    /// It was ended before it had done what it was to do.
    Canceled,
}

impl RunState {
    /// Whether nothing more happens in it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Success | Self::Degraded | Self::Failure | Self::Canceled)
    }

    /// All of them, in the order in which a run goes through them.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Starting,
        Self::Started,
        Self::Success,
        Self::Degraded,
        Self::Failure,
        Self::Canceling,
        Self::Canceled,
    ];

    /// Its name, as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Starting => "STARTING",
            Self::Started => "STARTED",
            Self::Success => "SUCCESS",
            Self::Degraded => "DEGRADED",
            Self::Failure => "FAILURE",
            Self::Canceling => "CANCELING",
            Self::Canceled => "CANCELED",
        }
    }
}

impl std::fmt::Display for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// By which way a run was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By a command.
    Cli,
    /// By itself, at its time.
    Schedule,
    /// On a page.
    Ui,
    /// By a program.
    Api,
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Cli => "cli",
            Self::Schedule => "schedule",
            Self::Ui => "ui",
            Self::Api => "api",
        })
    }
}

/// Who asked for a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// How.
    pub way: Way,
    /// Who: of a command, the user of the host; of a schedule, which, and for what time.
    pub by: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The history's own number, for people; none as long as it was not noted.
    pub number: Option<u64>,
    /// Its id, as claim, journal and backups name it.
    pub run: RunId,
    /// The job: `backup_job`.
    pub job: String,
    /// How it was asked for, such that it can be asked for again.
    pub options: Value,
    /// The platform that was named, if one was.
    pub platform: Option<Project>,
    /// Who asked.
    pub asked: Asked,
    /// The host on which it runs.
    pub host: String,
    /// The process in which it runs.
    pub process: u32,
    /// What has become of it.
    pub state: RunState,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub ending: Option<Ending>,
}

impl RunRecord {
    /// What it is called where people read it: by its number, or by its id as long as it has none.
    pub fn called(&self) -> String {
        self.number
            .map_or_else(|| self.run.to_string(), |number| number.to_string())
    }
}

/// How a run ended: what it answered to whoever asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// The exit code; none of a run whose process died.
    pub exit: Option<u8>,
    /// Its result in words.
    pub said: Option<String>,
    /// Its result as a document.
    pub result: Option<Value>,
    /// Why it failed.
    pub reason: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
    /// What refused it, one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Value>,
}

/// Something that happened in a run, as it was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Its number within the run.
    pub seq: u64,
    /// The event as a document.
    pub event: Value,
}

/// What is known of a job that comes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleNote {
    /// The job.
    pub job: String,
    /// It begins by itself.
    pub is_on: bool,
    /// Who switched it last.
    pub switched_by: Option<String>,
    /// When.
    pub switched_at: Option<Timestamp>,
    /// Since when a service heeds it.
    pub known_since: Option<Timestamp>,
    /// Up to which time a service has handled it.
    pub handled: Option<Timestamp>,
}

/// Which runs are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFilter {
    /// Those whose number is below this.
    pub before: Option<u64>,
    /// Those of this job.
    pub job: Option<String>,
    /// Those in this state.
    pub state: Option<RunState>,
}

impl RunFilter {
    /// Whether a run is among them.
    pub fn has(&self, run: &RunRecord) -> bool {
        self.before.is_none_or(|before| run.number < Some(before))
            && self.job.as_ref().is_none_or(|job| run.job == *job)
            && self.state.is_none_or(|state| run.state == state)
    }
}

/// Which facts of a run are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactFilter {
    /// Those whose number is below this.
    pub before: Option<u64>,
    /// Those of this store, and the warnings that name it.
    pub store: Option<String>,
    /// Of which weight.
    pub weight: Weight,
}

/// How much a fact weighs among the others of its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weight {
    /// Whatever it weighs.
    #[default]
    Any,
    /// It says how far the run is: any fact but that of one artifact more.
    Mark,
    /// It is a warning, or a step that failed.
    Warning,
}

impl FactFilter {
    /// Whether a fact is among them.
    pub fn has(&self, fact: &Fact) -> bool {
        let text = |key: &str| fact.event.get(key).and_then(Value::as_str).unwrap_or_default();
        let failed = fact.event.get("ok") == Some(&Value::Bool(false));
        let weighs = match self.weight {
            Weight::Any => true,
            Weight::Mark => text("event") != "artifact_done",
            Weight::Warning => text("event") == "warning" || failed,
        };
        let is_of = |store: &String| text("store") == store || text("message").contains(store.as_str());
        weighs && self.before.is_none_or(|before| fact.seq < before) && self.store.as_ref().is_none_or(is_of)
    }
}

/// What stays when old runs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Runs that were asked for later than so many days ago.
    pub days: u32,
    /// Of those the newest, so many.
    pub runs: u32,
}

/// Why the history could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the history in {place} cannot be {doing}: {cause}")]
pub struct HistoryError {
    /// The file.
    pub place: String,
    /// `read` or `written`.
    pub doing: &'static str,
    /// The system's own words.
    pub cause: String,
}

/// Notes of runs, for display.
///
/// What was written is read by every process of the host from then on. The death of the host may lose what was written
/// last.
#[async_trait]
pub trait History: Send + Sync {
    /// Where it is, for messages.
    fn place(&self) -> String;

    /// Notes a run as it is now, in place of what was noted of it. A new one gets a number above all others, also above
    /// those that are gone; the number in `record` counts for nothing.
    async fn note(&self, record: &RunRecord) -> Result<(), HistoryError>;

    /// Notes what happened in a run. What has a number that is noted already is noted once. Facts of a run that is not
    /// known are lost without an error.
    async fn tell(&self, run: &RunId, facts: &[Fact]) -> Result<(), HistoryError>;

    /// The run with this number or id.
    async fn run(&self, name: &str) -> Result<Option<RunRecord>, HistoryError>;

    /// At most `limit` runs of those that are looked for, the newest first.
    async fn find(&self, wanted: &RunFilter, limit: u32) -> Result<Vec<RunRecord>, HistoryError>;

    /// At most `limit` runs whose number is below `before`, the newest first.
    async fn runs(&self, before: Option<u64>, limit: u32) -> Result<Vec<RunRecord>, HistoryError> {
        let wanted = RunFilter {
            before,
            ..RunFilter::default()
        };
        self.find(&wanted, limit).await
    }

    /// The runs that are not over, oldest first.
    async fn open_runs(&self) -> Result<Vec<RunRecord>, HistoryError>;

    /// At most `limit` facts of a run whose number is above `after`, in order.
    async fn facts(&self, run: &RunId, after: u64, limit: u32) -> Result<Vec<Fact>, HistoryError>;

    /// The last facts of a run of those that are looked for, at most `limit`, in order.
    async fn last_facts(&self, run: &RunId, wanted: &FactFilter, limit: u32) -> Result<Vec<Fact>, HistoryError>;

    /// What is known of the jobs that come by themselves, in order of their names.
    async fn schedules(&self) -> Result<Vec<ScheduleNote>, HistoryError>;

    /// Notes that somebody has switched a job on or off. One that nobody has switched is on.
    async fn switch(&self, job: &str, on: bool, by: &str, at: Timestamp) -> Result<(), HistoryError>;

    /// Notes up to which time a job was handled, in place of what was noted of that before. The first time says since when it
    /// is heeded. Whether it is on is not touched.
    async fn handled(&self, job: &str, until: Timestamp) -> Result<(), HistoryError>;

    /// Forgets what is beyond the limits at this moment, with all that happened in it; never a run that is not over.
    /// Returns how many runs went.
    async fn prune(&self, limits: HistoryLimits, now: Timestamp) -> Result<u64, HistoryError>;
}
