//! Who asks, and what he may do. Over the socket its permissions are the login; over a network port everything passes
//! [`door`], which asks [`identity`] who it is. Nothing here decides what a page shows.

mod access;
mod attempts;
mod door;
mod identity;
pub mod manage;
mod origin;
pub mod password;
pub(crate) mod refusals;
mod rules;
pub mod secrets;

use serde::{Deserialize, Serialize};
use stillpoint_core::ports::history::{Asked, Way};

pub use stillpoint_core::ports::accounts::Role;

pub use self::access::{Access, Say};
pub(crate) use self::door::{Said, guard, led_to_sign_in};
pub(crate) use self::identity::ClientAddress;
pub use self::identity::Peer;
pub(crate) use self::origin::own_path;
pub use self::rules::{PublicAddress, Rules, SignOn};

/// Who asks. Every request that passed has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// By which name.
    pub name: String,
    /// What he may do.
    pub role: Role,
    /// Over which way.
    pub way: Way,
}

impl Who {
    /// Whether everything is his.
    pub(crate) fn may_administer(&self) -> bool {
        self.role == Role::Admin
    }

    /// Whether he has signed in on a page, and can sign out.
    pub(crate) fn has_account(&self) -> bool {
        self.way == Way::Ui
    }

    /// Somebody who may open the service's socket. What he asks for says who he is on the host.
    pub(crate) fn local() -> Self {
        Self {
            name: "local".to_owned(),
            role: Role::Admin,
            way: Way::Cli,
        }
    }

    /// Who asks for what everybody may see.
    pub(crate) fn anybody() -> Self {
        Self {
            name: "anybody".to_owned(),
            role: Role::Viewer,
            way: Way::Api,
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
