//! Who asks, and what he may do.

use serde::{Deserialize, Serialize};
use stillpoint_core::ports::history::{Asked, Way};

/// What somebody may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Back up, verify, cancel, switch schedules, protect.
    Operator,
    /// Restore, undo, free old data, delete; users and tokens.
    Admin,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        })
    }
}

/// Who asks. Every request that passed has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// By which name.
    pub name: String,
    /// What he may do.
    pub role: Role,
    /// Over which way.
    pub way: Way,
}

impl Who {
    /// Somebody who may open the service's socket. What he asks for says who he is on the host.
    pub(crate) fn local() -> Self {
        Self {
            name: "local".to_owned(),
            role: Role::Admin,
            way: Way::Cli,
        }
    }

    /// As it is noted of what he asks for.
    pub(crate) fn asked(&self) -> Asked {
        Asked {
            way: self.way,
            by: self.name.clone(),
        }
    }
}
