//! Comparing a backup with its manifest by reading all of it. Finds damage, repairs nothing.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Backups;
use super::artifacts::ArtifactError;
use crate::events::Reporter;
use crate::manifest::Manifest;
use crate::names::{ArtifactName, BackupId, RunId, StoreName};
use crate::ports::RepositoryError;
use crate::ports::repository::Entry;

/// An artifact that is not what the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The store it belongs to.
    pub store: StoreName,
    /// The artifact.
    pub artifact: ArtifactName,
    /// What is wrong with it.
    pub what: String,
}

/// How a verification ended, as it is written beside the backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The version of this format: 1.
    pub format: u32,
    /// The backup.
    pub backup: BackupId,
    /// When it ended.
    pub at: Timestamp,
    /// The run that read it.
    pub run: RunId,
    /// The version of Stillpoint that read it.
    pub stillpoint: String,
    /// Bytes that the manifest names, and that were read.
    pub bytes: u64,
    /// What was found; nothing: the backup is sound.
    pub damage: Vec<Damage>,
}

impl Damage {
    /// Of this artifact, in these words.
    pub fn of(store: &StoreName, artifact: &ArtifactName, what: impl fmt::Display) -> Self {
        Self {
            store: store.clone(),
            artifact: artifact.clone(),
            what: what.to_string(),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.artifact, self.what)
    }
}

impl Backups {
    /// What lies in a backup and is not in its manifest: the manifest has lost an entry, or a whole store,
    /// and what it still says would pass for the whole. Documents ([`DOCUMENTS`]) lie beside the
    /// stores' folders, never in them: those that a later version may add are no damage.
    pub async fn unnamed(&self, manifest: &Manifest, report: &Reporter) -> Result<Vec<Damage>, RepositoryError> {
        let (named, unlisted) = self.named(manifest, report).await?;
        let found = self.repository.list(Some(&manifest.id.to_string())).await?;
        let unnamed = found.iter().filter_map(|entry| unnamed(entry, &named));
        let mut unnamed: Vec<Damage> = unnamed.collect();
        unnamed.retain(|damage| !unlisted.contains(&damage.store));
        unnamed.sort_by(|a, b| a.artifact.cmp(&b.artifact));
        Ok(unnamed)
    }

    /// Everything that the manifest names, its lists of objects too; and the stores whose list cannot be read, which whoever
    /// reads their artifacts will say.
    async fn named(
        &self,
        manifest: &Manifest,
        report: &Reporter,
    ) -> Result<(BTreeSet<String>, BTreeSet<StoreName>), RepositoryError> {
        let artifacts = self.artifacts(manifest.id, report);
        let (mut named, mut unlisted) = (BTreeSet::new(), BTreeSet::new());
        for (store, artifact) in manifest.artifacts() {
            named.insert(artifact.name.to_string());
            match artifacts.objects(&store.name, artifact).await {
                Ok(objects) => named.extend(objects.into_iter().map(|object| object.name)),
                Err(ArtifactError::Repository(error)) => return Err(error),
                Err(_) => drop(unlisted.insert(store.name.clone())),
            }
        }
        Ok((named, unlisted))
    }
}

/// How the names of documents end: ours, and what an operator may note beside them.
const DOCUMENTS: [&str; 4] = [".json", ".jsonl.gz", ".md", ".txt"];

fn unnamed(entry: &Entry, named: &BTreeSet<String>) -> Option<Damage> {
    let (_, place) = entry.key.split()?;
    let (folder, in_a_folder) = place
        .split_once('/')
        .map_or((place, false), |(folder, _)| (folder, true));
    let is_document = !in_a_folder && DOCUMENTS.iter().any(|ending| place.ends_with(ending));
    if is_document || named.contains(place) {
        return None;
    }
    let artifact = ArtifactName::found(place);
    Some(Damage::of(
        &StoreName::new(folder),
        &artifact,
        "it is not in the manifest",
    ))
}
