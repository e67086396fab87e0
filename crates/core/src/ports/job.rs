//! The jobs that stop a platform, each declared once: what it stops, what it writes, what its death means, and what
//! its operator can do. Whoever decides asks the declaration, so that a new job is a declaration.

use serde::{Deserialize, Serialize};

use crate::names::BackupId;

/// The jobs that stop a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Writes a backup.
    BackupJob,
    /// Overwrites the platform's data from a backup.
    FullRestoreJob,
    /// Brings back the data that a restore has replaced.
    UndoJob,
    /// Frees the data that a restore has replaced.
    DiscardJob,
}

/// What is to be known of a job.
#[derive(Debug)]
pub struct Declaration {
    /// What it is, in words, of this backup.
    pub described: fn(BackupId) -> String,
    /// What it stops.
    pub stops: Stops,
    /// What it does with a store, for the plan.
    pub with_store: &'static str,
    /// What its death means.
    pub death: Death,
    /// It may have begun to copy what it was to replace, into a backup of its own.
    pub copies_first: bool,
    /// The data that it puts back may lie in a copy, which is to go once all of it runs.
    pub uses_up_a_copy: bool,
    /// How its operator goes on with it when it left the platform stopped.
    pub way_on: WayOn,
}

/// What a job stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stops {
    /// Nothing.
    Nothing,
    /// The clients that run. Stores are worked on while they run, and what is paused cannot write.
    Clients,
    /// Everything that is not kept.
    Everything,
}

/// What the death of a job means to what it had stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// What ran runs again.
    StartAgain,
    /// The platform stays down: clients must not meet data of which half is old.
    StayDown,
    /// What was begun is finished: it has no way back.
    Finish,
}

/// How an operator goes on with a job that left the platform stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOn {
    /// By `restore resume`; `restore undo` goes back.
    Resume,
    /// By doing the same again.
    Again(&'static str),
    /// It never leaves it stopped.
    None,
}

const BACKUP: Declaration = Declaration {
    described: |backup| format!("backup {backup}"),
    stops: Stops::Clients,
    with_store: "a store: it is pinned while it runs",
    death: Death::StartAgain,
    copies_first: false,
    uses_up_a_copy: false,
    way_on: WayOn::None,
};

const FULL_RESTORE: Declaration = Declaration {
    described: |backup| format!("the restore of {backup}"),
    stops: Stops::Everything,
    with_store: "started alone, its data is replaced",
    death: Death::StayDown,
    copies_first: true,
    uses_up_a_copy: false,
    way_on: WayOn::Resume,
};

const UNDO: Declaration = Declaration {
    described: |_| "the undoing of a restore".to_owned(),
    stops: Stops::Everything,
    with_store: "started alone, its old data is put back",
    death: Death::StayDown,
    copies_first: false,
    uses_up_a_copy: true,
    way_on: WayOn::Again("stillpoint restore undo"),
};

const DISCARD: Declaration = Declaration {
    described: |_| "the discarding of old data".to_owned(),
    stops: Stops::Nothing,
    with_store: "old data is freed beside it",
    death: Death::Finish,
    copies_first: false,
    uses_up_a_copy: false,
    way_on: WayOn::None,
};

impl Job {
    /// Its declaration.
    pub fn declaration(self) -> &'static Declaration {
        match self {
            Self::BackupJob => &BACKUP,
            Self::FullRestoreJob => &FULL_RESTORE,
            Self::UndoJob => &UNDO,
            Self::DiscardJob => &DISCARD,
        }
    }

    /// Whether it replaces data, and starts and stops the stores that it works on: if it dies, the platform stays
    /// down, and a later start of one of those stores tells nothing about others.
    pub fn replaces_data(self) -> bool {
        self.declaration().death == Death::StayDown
    }

    /// Whether `restore resume` goes on with it.
    pub fn is_resumable(self) -> bool {
        self.declaration().way_on == WayOn::Resume
    }
}
