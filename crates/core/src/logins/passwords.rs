//! What a restore does about passwords.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a restore does about the passwords of those who log in and exist already. Who does not exist comes
/// with the backup's; the one whom we log in as always keeps his.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passwords {
    /// They keep the present ones.
    #[default]
    Keep,
    /// They get the backup's. Until the old data is freed, the present ones can be had back as it can.
    Backup,
}

impl Passwords {
    /// Whether it is what is done unless told otherwise.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Passwords {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Keep => "keep",
            Self::Backup => "backup",
        })
    }
}
