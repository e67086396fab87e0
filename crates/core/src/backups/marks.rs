//! What is said about a backup after it was sealed: that it is protected from retention, and how its last
//! verification ended. A backup's own directory is never written again, so marks stand beside the
//! backups, under `.stillpoint/`. Their names say it all: a listing reads no mark.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Backups, Outcome, document};
use crate::names::{BackupId, RunId};
use crate::ports::repository::{Entry, PRODUCT};
use crate::ports::{Key, RepositoryError};

const PROTECTED: &str = "protected";
const VERIFIED: &str = "verified";

/// What is said about the backups of a repository.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// What its operator keeps from retention.
    pub protected: BTreeSet<BackupId>,
    /// How each backup's last verification ended.
    pub verified: BTreeMap<BackupId, Verified>,
}

/// How a verification ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Verified {
    /// When.
    pub at: Timestamp,
    /// Every artifact was what the manifest says.
    pub sound: bool,
}

/// `.stillpoint/protected/<id>.json`.
#[derive(Serialize, Deserialize)]
struct Protection {
    format: u32,
    since: Timestamp,
    run: RunId,
}

fn protected(id: BackupId) -> Key {
    Key::product(&format!("{PROTECTED}/{id}.json"))
}

impl Backups {
    /// Keeps a backup from retention, for ever. A success also if it is kept already.
    pub async fn protect(&self, id: BackupId, run: &RunId, now: Timestamp) -> Result<(), RepositoryError> {
        let mark = Protection {
            format: 1,
            since: now,
            run: run.clone(),
        };
        match self.repository.create(&protected(id), document(&mark)).await {
            Err(RepositoryError::Exists { .. }) => Ok(()),
            made => made.map(drop),
        }
    }

    /// Gives a backup back to retention.
    pub async fn unprotect(&self, id: BackupId) -> Result<(), RepositoryError> {
        self.repository.delete(&protected(id)).await
    }

    /// Whether a backup is kept from retention: asked again right before it is deleted.
    pub async fn is_protected(&self, id: BackupId) -> Result<bool, RepositoryError> {
        match self.repository.open(&protected(id)).await {
            Ok(_) => Ok(true),
            Err(RepositoryError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All marks.
    pub async fn marks(&self) -> Result<Marks, RepositoryError> {
        Ok(Marks::of(&self.repository.list(Some(PRODUCT)).await?))
    }

    /// Writes how a verification ended; what earlier ones said goes.
    pub async fn note_outcome(&self, outcome: &Outcome) -> Result<(), RepositoryError> {
        let key = verified(outcome);
        match self.repository.create(&key, document(outcome)).await {
            // Within one second twice the same: the first says it all.
            Ok(_) | Err(RepositoryError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
        let older = self.marks_of(outcome.backup).await?.into_iter();
        for mark in older.filter(|mark| verdict(mark).is_some() && *mark < key) {
            self.delete_if_it_may_be(&mark).await?;
        }
        Ok(())
    }

    /// Everything that is said about a backup.
    pub(super) async fn marks_of(&self, id: BackupId) -> Result<Vec<Key>, RepositoryError> {
        let entries = self.repository.list(Some(PRODUCT)).await?;
        let keys = entries.into_iter().map(|entry| entry.key);
        let speaks = |key: &Key| verdict(key).is_some_and(|(of, _)| of == id) || *key == protected(id);
        Ok(keys.filter(speaks).collect())
    }
}

impl Marks {
    /// The marks among these objects.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut marks = Self::default();
        for entry in entries {
            if let Some((id, verified)) = verdict(&entry.key) {
                let last = marks.verified.entry(id).or_insert(verified);
                *last = verified.max(*last);
            }
            marks.protected.extend(protection(&entry.key));
        }
        marks
    }

    /// Whether a backup's last verification found damage.
    pub fn is_damaged(&self, id: BackupId) -> bool {
        self.verified.get(&id).is_some_and(|verified| !verified.sound)
    }
}

/// `.stillpoint/verified/<id>/<when>-sound.json`: in order of time, and damage after soundness.
fn verified(outcome: &Outcome) -> Key {
    let word = if outcome.damage.is_empty() { "sound" } else { "unsound" };
    let at = BackupId::at(outcome.at);
    Key::product(&format!("{VERIFIED}/{}/{at}-{word}.json", outcome.backup))
}

fn verdict(key: &Key) -> Option<(BackupId, Verified)> {
    let (id, name) = below(key, VERIFIED)?.split_once('/')?;
    let (at, word) = name.strip_suffix(".json")?.rsplit_once('-')?;
    let sound = match word {
        "sound" => true,
        "unsound" => false,
        _ => return None,
    };
    let at = at.parse::<BackupId>().ok()?.timestamp();
    Some((id.parse().ok()?, Verified { at, sound }))
}

fn protection(key: &Key) -> Option<BackupId> {
    below(key, PROTECTED)?.strip_suffix(".json")?.parse().ok()
}

fn below<'a>(key: &'a Key, folder: &str) -> Option<&'a str> {
    let (product, rest) = key.split()?;
    (product == PRODUCT).then(|| rest.strip_prefix(folder)?.strip_prefix('/'))?
}
