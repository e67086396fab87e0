//! What of a backup is restored, and into what, as its operator said it. Plain data: it is kept with the restore that
//! it was said to, so that whoever goes on with that one does the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{BackupId, Project, StoreName};

/// What the operator wants restored. Without a word it is all of the backup, into all stores of the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// The backup is of this other platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Project>,
    /// Stores that are called otherwise here: by the backup's name, the platform's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<StoreName, StoreName>,
    /// These stores of the platform alone; all if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<StoreName>,
    /// Whatever there is: stores of which the backup holds nothing keep their data, and what a failed run
    /// left will do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accept_partial: bool,
}

impl Selection {
    /// Whether nothing was said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The command that restores this of a backup.
    pub fn command(&self, backup: BackupId) -> String {
        let mut words = vec!["stillpoint restore".to_owned(), backup.to_string()];
        words.extend(self.from.iter().map(|from| format!("--from {from}")));
        words.extend(self.map.iter().map(|(old, new)| format!("--map {old}={new}")));
        words.extend(self.stores.iter().map(|store| format!("--store {store}")));
        words.extend(self.accept_partial.then(|| "--accept-partial".to_owned()));
        words.join(" ")
    }
}
