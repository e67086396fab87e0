//! What of a platform a backup does not hold.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Data of a workload that is no store: the backup does not hold it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// What it is.
    pub what: DataKind,
    /// The database's kind, the volume's name, or the folder's path on the engine's host.
    pub name: String,
    /// Where the workload sees it; none for a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Its size in bytes; none where the engine did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What a workload keeps data in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataKind {
    /// A server that no kind of store is for.
    Database,
    /// A volume of the engine.
    Volume,
    /// A folder or file of the engine's host.
    Folder,
}

impl fmt::Display for DataKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Database => "database",
            Self::Volume => "volume",
            Self::Folder => "folder",
        })
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, name, .. } = self;
        match &self.at {
            Some(at) => write!(f, "{what} {name} at {at}"),
            None => write!(f, "{what} {name}"),
        }
    }
}
