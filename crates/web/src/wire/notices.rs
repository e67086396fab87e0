//! Who is told when something goes wrong, and what became of it.

use serde::Serialize;
use stillpoint_core::ports::notices::{ChannelNote, Noted, NoticeKind};

/// Who is told what, and what became of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Notices {
    /// The channels and heartbeats that are configured, with what became of the last that was sent there.
    pub channels: Vec<Channel>,
    /// What is told of.
    pub events: Vec<NoticeKind>,
    /// The newest notices, the newest first.
    pub notices: Vec<Noted>,
}

/// Somebody who is told.
#[derive(Clone, Debug, Serialize)]
pub struct Channel {
    /// It watches that a job comes, and is told no notices.
    pub is_heartbeat: bool,
    /// What is known of it.
    #[serde(flatten)]
    pub note: ChannelNote,
}

/// What a channel answered to a test.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    /// Its name.
    pub channel: String,
    /// It has it.
    pub delivered: bool,
    /// What it answered, or why it has not got it.
    pub answer: String,
}
