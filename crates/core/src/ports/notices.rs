//! The outbox: what operators are to be told who are not looking, for which channels, and what became of each delivery.
//!
//! What is noted here is delivered later too, by another process if need be. Nothing that decides reads it: an outbox that
//! cannot be written costs a notice its second attempt, and a run nothing.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A run failed, or its process died.
    Failed,
    /// A run did its work, but something is not as it should be.
    Degraded,
    /// A scheduled job has not succeeded in time.
    Overdue,
    /// The first success after a failure or after being overdue.
    Recovered,
    /// Containers that ran before a run do not run after it.
    NotBack,
    /// A restore has begun, or has ended.
    Restore,
    /// A backup is damaged.
    Damage,
    /// A run succeeded.
    Success,
    /// What happened in a week.
    Digest,
    /// Somebody wanted to see whether notices arrive.
    Test,
}

impl NoticeKind {
    /// All that can be switched on and off.
    pub const ALL: [Self; 9] = [
        Self::Failed,
        Self::Degraded,
        Self::Overdue,
        Self::Recovered,
        Self::NotBack,
        Self::Restore,
        Self::Damage,
        Self::Success,
        Self::Digest,
    ];

    /// Its name, as it is configured, stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Degraded => "degraded",
            Self::Overdue => "overdue",
            Self::Recovered => "recovered",
            Self::NotBack => "not_back",
            Self::Restore => "restore",
            Self::Damage => "damage",
            Self::Success => "success",
            Self::Digest => "digest",
            Self::Test => "test",
        }
    }

    /// How much it matters to somebody who is asleep.
    pub fn weight(self) -> Gravity {
        match self {
            Self::Failed | Self::Overdue | Self::NotBack | Self::Damage => Gravity::Bad,
            Self::Degraded => Gravity::Warning,
            Self::Recovered | Self::Restore | Self::Success | Self::Digest | Self::Test => Gravity::Good,
        }
    }
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// It can wait.
    Good,
    /// It should be looked at.
    Warning,
    /// Something has to be done.
    Bad,
}

/// What an operator is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What makes it this one: a notice whose key was noted before is not told again.
    pub key: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// The job, if it is about one.
    pub job: Option<String>,
    /// What the run is called, if it is about one.
    pub run: Option<String>,
    /// The platform, where it was named.
    pub platform: Option<String>,
    /// The host on which it was noticed.
    pub host: String,
    /// When.
    pub at: Timestamp,
    /// One line: what happened, to what, where.
    pub title: String,
    /// What is known of it, line by line.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
    /// Where more is shown.
    pub link: Option<String>,
}

/// A delivery that is to be attempted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The outbox's number of the notice.
    pub number: u64,
    /// The channel.
    pub channel: String,
    /// How often it was attempted before.
    pub tries: u32,
    /// What is to be told.
    pub notice: Notice,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// It has not.
    Failed {
        /// Why.
        why: String,
        /// When it is attempted again; none: never.
        again: Option<Timestamp>,
    },
}

/// What is known of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelNote {
    /// Its name.
    pub channel: String,
    /// So many notices arrived.
    pub delivered: u64,
    /// So many attempts failed.
    pub failed: u64,
    /// When the last arrived.
    pub delivered_at: Option<Timestamp>,
    /// When the last attempt failed.
    pub failed_at: Option<Timestamp>,
    /// Why that failed.
    pub error: Option<String>,
}

/// A notice and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// Its number.
    pub number: u64,
    /// The notice.
    #[serde(flatten)]
    pub notice: Notice,
    /// Its deliveries, by channel.
    pub deliveries: Vec<Delivery>,
}

/// What became of a notice on one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The channel.
    pub channel: String,
    /// How often it was attempted.
    pub tries: u32,
    /// When it arrived.
    pub delivered_at: Option<Timestamp>,
    /// When it is attempted next; none where it arrived or was given up.
    pub again_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// Why the outbox could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the notices in {place} cannot be {doing}: {cause}")]
pub struct OutboxError {
    /// Where they are kept.
    pub place: String,
    /// `written` or `read`.
    pub doing: &'static str,
    /// Why.
    pub cause: String,
}

/// Keeps notices until they are delivered. Several processes may use it at once.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Notes a notice, to be delivered by each of these channels at once. False, and nothing is changed, if one with its key
    /// was noted before.
    async fn note(&self, notice: &Notice, channels: &[String]) -> Result<bool, OutboxError>;

    /// Takes at most `limit` deliveries whose time has come at `now`, the oldest first. Nobody else is given them before
    /// `until`: whoever takes one and dies has it attempted again then.
    async fn take(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Waiting>, OutboxError>;

    /// Notes what became of a delivery that was taken, and counts it for its channel.
    async fn attempted(&self, taken: &Waiting, at: Timestamp, outcome: &Outcome) -> Result<(), OutboxError>;

    /// Counts an attempt that is no delivery of a notice: a heartbeat, a test.
    async fn answered(&self, channel: &str, at: Timestamp, error: Option<&str>) -> Result<(), OutboxError>;

    /// The last notice about a job of one of these kinds.
    async fn last_about(&self, job: &str, kinds: &[NoticeKind]) -> Result<Option<Notice>, OutboxError>;

    /// What is known of the channels, in order of their names.
    async fn channels(&self) -> Result<Vec<ChannelNote>, OutboxError>;

    /// At most `limit` notices, the newest first.
    async fn notices(&self, limit: u32) -> Result<Vec<Noted>, OutboxError>;

    /// Forgets notices from before that moment whose deliveries are over. Returns how many went.
    async fn prune(&self, before: Timestamp) -> Result<u64, OutboxError>;
}
