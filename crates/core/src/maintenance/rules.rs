//! What goes and when: four handlers, each with its window.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Pace;
use crate::events::Step;

/// How Dagster's databases are kept lean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Nothing is done.
    pub disabled: bool,
    /// Debug logs stay for so many days.
    pub debug_days: u32,
    /// Logs of level info stay for so many days.
    pub info_days: u32,
    /// Warnings stay for so many days.
    pub warning_days: u32,
    /// Framework events that no page needs stay for so many days.
    pub framework_days: u32,
    /// So many rows a handler deletes at most in one run.
    pub limit: u64,
    /// How fast.
    pub pace: Pace,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            disabled: false,
            debug_days: 7,
            info_days: 60,
            warning_days: 60,
            framework_days: 30,
            limit: 1_000_000,
            pace: Pace::default(),
        }
    }
}

impl Rules {
    /// The window of a handler.
    pub fn days(&self, handler: Handler) -> u32 {
        match handler {
            Handler::DebugLogs => self.debug_days,
            Handler::InfoLogs => self.info_days,
            Handler::WarningLogs => self.warning_days,
            Handler::FrameworkEvents => self.framework_days,
        }
    }
}

/// What a cleanup is asked for beyond its rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CleanupWish {
    /// It goes on until nothing is left that is past its window, whatever the limit.
    pub until_drained: bool,
    /// The index that Dagster's documentation proposes is dropped: with it Dagster cannot store a message with a NUL.
    pub drop_published_index: bool,
}

/// A part of a cleanup that succeeds or fails by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handler {
    /// Python logs of level debug.
    DebugLogs,
    /// Python logs of level info.
    InfoLogs,
    /// Python logs of level warning.
    WarningLogs,
    /// Framework events that no page needs.
    FrameworkEvents,
}

impl Handler {
    /// All, in the order in which they come.
    pub const ALL: [Self; 4] = [
        Self::DebugLogs,
        Self::InfoLogs,
        Self::WarningLogs,
        Self::FrameworkEvents,
    ];

    /// The step of the run that it is.
    pub fn step(self) -> Step {
        match self {
            Self::DebugLogs => Step::DebugLogs,
            Self::InfoLogs => Step::InfoLogs,
            Self::WarningLogs => Step::WarningLogs,
            Self::FrameworkEvents => Step::FrameworkEvents,
        }
    }
}

impl fmt::Display for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DebugLogs => "debug logs",
            Self::InfoLogs => "info logs",
            Self::WarningLogs => "warning logs",
            Self::FrameworkEvents => "framework events",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_handler_has_its_own_window() {
        let rules = Rules {
            debug_days: 1,
            info_days: 2,
            warning_days: 3,
            framework_days: 4,
            ..Rules::default()
        };
        assert_eq!(Handler::ALL.map(|handler| rules.days(handler)), [1, 2, 3, 4]);
    }
}
