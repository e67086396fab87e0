//! How the platform stands.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use stillpoint_core::names::{BackupId, StoreName};
use stillpoint_core::ports::history::RunState;

use super::Service;

/// How the platform stands, and what needs an act.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    /// Who says it.
    pub service: Service,
    /// When this was so.
    pub now: Timestamp,
    /// In a sentence.
    pub verdict: Verdict,
    /// In a word, for monitoring: whether or not a run is at work.
    pub health: Health,
    /// What stands stopped on purpose.
    pub stopped: Option<Stopped>,
    /// What a restore has replaced is still there.
    pub kept: Option<Kept>,
    /// The runs at work, and those that wait.
    pub work: Vec<Work>,
    /// What needs an act, the gravest first.
    pub actions: Vec<Action>,
    /// The stores, as the newest backup names them.
    pub stores: Vec<StoreCard>,
    /// The repository, where it is a directory of this host.
    pub only_copy: Option<String>,
    /// The newest runs that are over.
    pub runs: Vec<RunLine>,
    /// What is to be done first, where nothing was ever backed up.
    pub first_steps: Vec<FirstStep>,
}

/// How a platform stands for whoever watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// There is a backup, and nothing is wrong.
    Healthy,
    /// There is one, and it is older than it should be, or something else is wrong.
    Degraded,
    /// None can be counted on.
    Failing,
}

/// How the platform stands, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How it stands.
    pub state: VerdictState,
    /// The sentence; it begins with the word for the state.
    pub sentence: String,
}

/// How a platform stands. In the order in which they count: the first that is true is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictState {
    /// A restore has failed and left the platform down.
    StoppedOnPurpose,
    /// A restore, or its undoing, is at work.
    Restoring,
    /// A backup is at work.
    Running,
    /// There is no complete backup.
    NeverBackedUp,
    /// A backup was due and was not made.
    Overdue,
    /// There is a backup, and something is wrong.
    AtRisk,
    /// All is well.
    Protected,
}

impl VerdictState {
    /// The word that the sentence begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::StoppedOnPurpose => "Stopped on purpose",
            Self::Restoring => "Restoring",
            Self::Running => "Backing up",
            Self::NeverBackedUp => "Never backed up",
            Self::Overdue => "Overdue",
            Self::AtRisk => "At risk",
            Self::Protected => "Protected",
        }
    }
}

/// A platform that a restore has left stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// What was being done, in words.
    pub what: String,
    /// The backup.
    pub backup: BackupId,
    /// Since when it stands.
    pub since: Timestamp,
    /// The run that left it so.
    pub run: String,
    /// Why that one failed, as far as the history knows.
    pub reason: Option<String>,
    /// The stores that hold the backup's data by now.
    pub loaded: Vec<StoreName>,
    /// Whether it can be gone on with.
    pub can_resume: bool,
}

/// What a restore has replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The run that replaced it.
    pub run: String,
    /// When that ended.
    pub at: Timestamp,
}

/// A run that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Work {
    /// The run.
    #[serde(flatten)]
    pub run: RunLine,
    /// Its steps, those to come too.
    pub phases: Vec<Phase>,
    /// What it does now, in words.
    pub doing: Option<String>,
    /// Where its clients are.
    pub clients: Clients,
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// What is done in it.
    pub name: String,
    /// How far it is.
    pub state: PhaseState,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseState {
    /// It has not begun.
    Ahead,
    /// It is at work.
    AtWork,
    /// It ended well.
    Done,
    /// It failed.
    Failed,
}

/// Where the clients of a platform are during a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clients {
    /// They run: nothing has stopped them.
    #[default]
    Up,
    /// They are down since then.
    Down(Timestamp),
    /// They were down for so many milliseconds, and run again.
    Back(u64),
}

/// Something that needs an act.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Action {
    /// How grave it is.
    pub severity: Severity,
    /// What is the case.
    pub what: String,
    /// What to do.
    pub next: String,
    /// Where that is done.
    pub link: Option<String>,
}

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// No backup can be counted on.
    Failure,
    /// The next restore may fail, or something is down.
    Risk,
    /// It should be looked at.
    Note,
}

/// One store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreCard {
    /// Its name.
    pub name: StoreName,
    /// Its kind.
    pub kind: String,
    /// Its version, as of its last backup.
    pub version: String,
    /// The newest complete backup that holds it and is not known to be damaged.
    pub last: Option<BackupId>,
    /// Its bytes in the newest that holds it.
    pub bytes: u64,
    /// Its bytes in the one before.
    pub bytes_before: Option<u64>,
    /// The newest backup of it that was read and found whole.
    pub verified: Option<Timestamp>,
    /// The last days, oldest first.
    pub days: Vec<Day>,
}

/// A day, and the worst that it brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    /// Which, in the schedule's zone.
    pub date: Date,
    /// What it brought.
    pub state: DayState,
}

/// What a day brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DayState {
    /// Nothing.
    #[default]
    Idle,
    /// A backup, and it is good as far as is known.
    Good,
    /// A backup, and some trouble.
    Trouble,
    /// A run failed, or the backup is damaged, and there is no other.
    Failed,
    /// A backup was due and was not made.
    Overdue,
}

impl DayState {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Idle => "no backup",
            Self::Good => "backed up",
            Self::Trouble => "backed up with trouble",
            Self::Failed => "failed",
            Self::Overdue => "overdue",
        }
    }
}

/// A run in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunLine {
    /// Its number, or its id as long as it has none.
    pub name: String,
    /// Its job.
    pub job: String,
    /// What has become of it.
    pub state: RunState,
    /// Who asked, and by which way.
    pub asked: String,
    /// When it was asked for, or began.
    pub at: Timestamp,
    /// How long it took, or takes by now, in milliseconds.
    pub millis: u64,
    /// Why it failed.
    pub reason: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
}

/// Something to be done before the first backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstStep {
    /// What.
    pub what: String,
    /// Whether it is done.
    pub done: bool,
    /// What was found, or how to do it.
    pub found: String,
}
