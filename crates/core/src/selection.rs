//! What of a backup is restored, and into what, as its operator said it. Plain data: it is kept with the restore that
//! it was said to, so that whoever goes on with that one does the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::command_line::quoted;
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
    /// These databases of the backup alone: the others of their servers stay as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<String>,
    /// Databases that may be missing afterwards, in part or whole, if they cannot be loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<String>,
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

    /// Why this may not take over a restore of `before` that did not finish: what that one had begun to replace would
    /// stay half done.
    pub fn leaves_out(&self, before: &Self) -> Option<(String, String)> {
        if self.databases.is_empty() {
            return None;
        }
        let begun: Vec<&str> = before.databases.iter().map(String::as_str).collect();
        if begun.is_empty() {
            let remedy = "restore it without --database".to_owned();
            return Some(("of all databases".to_owned(), remedy));
        }
        let left = before.databases.iter().any(|name| !self.databases.contains(name));
        left.then(|| {
            let of = format!("of the databases {}", begun.join(", "));
            (of, "restore at least these".to_owned())
        })
    }

    /// The command that restores this of a backup.
    pub fn command(&self, backup: BackupId) -> String {
        let mut words = vec!["stillpoint restore".to_owned(), backup.to_string()];
        words.extend(self.from.iter().map(|from| format!("--from {}", quoted(from.as_str()))));
        words.extend(
            self.map
                .iter()
                .map(|(old, new)| format!("--map {}", quoted(&format!("{old}={new}")))),
        );
        words.extend(
            self.stores
                .iter()
                .map(|store| format!("--store {}", quoted(store.as_str()))),
        );
        words.extend(self.databases.iter().map(|name| format!("--database {}", quoted(name))));
        words.extend(self.accept.iter().map(|name| format!("--accept {}", quoted(name))));
        words.extend(self.accept_partial.then(|| "--accept-partial".to_owned()));
        words.join(" ")
    }
}
