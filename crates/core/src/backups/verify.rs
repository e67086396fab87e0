//! Comparing a backup with its manifest by reading all of it. Finds damage, repairs nothing.

use std::fmt;

use serde::Serialize;

use super::Backups;
use super::artifacts::ArtifactError;
use crate::events::Reporter;
use crate::manifest::Manifest;
use crate::names::{ArtifactName, StoreName};

/// An artifact that is not what the manifest says.
#[derive(Clone, Debug, Serialize)]
pub struct Damage {
    /// The store it belongs to.
    pub store: StoreName,
    /// The artifact.
    pub artifact: ArtifactName,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.artifact, self.what)
    }
}

impl Backups {
    /// Reads every artifact of the backup and returns those that are not what the manifest says.
    /// Goes on after the first, so that the operator sees the whole extent.
    ///
    /// Fails only if the repository cannot be asked.
    pub async fn damage(
        &self,
        manifest: &Manifest,
        report: &Reporter,
    ) -> Result<Vec<Damage>, crate::ports::RepositoryError> {
        let artifacts = self.artifacts(manifest.id, report);
        let mut damage = Vec::new();
        for (store, artifact) in manifest.artifacts() {
            match artifacts.check(&store.name, artifact).await {
                Ok(()) => report.tell(crate::events::Kind::ArtifactDone {
                    store: store.name.clone(),
                    artifact: artifact.name.clone(),
                    bytes: artifact.size,
                }),
                Err(ArtifactError::Repository(error)) => return Err(error),
                Err(what) => damage.push(Damage {
                    store: store.name.clone(),
                    artifact: artifact.name.clone(),
                    what: what.to_string(),
                }),
            }
        }
        Ok(damage)
    }
}
