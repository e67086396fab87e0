//! Use case: which backups there are. Read from the repository, never from a history.

use serde::Serialize;

use crate::backups::{Content, Verified};
use crate::engine::errors::Error;
use crate::engine::site::Site;
use crate::manifest::Manifest;
use crate::names::BackupId;

/// The repository's content.
#[derive(Debug, Serialize)]
pub struct BackupList {
    /// The repository.
    pub place: String,
    /// Complete backups, oldest first.
    pub backups: Vec<Backup>,
    /// Directories whose manifest exists and cannot be used, with the reason.
    pub unreadable: Vec<(BackupId, String)>,
    /// What failed runs left and described. No backups: shown, never counted.
    pub partial: Vec<(BackupId, String)>,
    /// Directories without a manifest: being written, or left by a dead run. No backups.
    pub incomplete: Vec<BackupId>,
}

/// One complete backup in short.
#[derive(Debug, Serialize)]
pub struct Backup {
    /// Its id.
    pub id: BackupId,
    /// Its size in bytes.
    pub size: u64,
    /// How its last verification ended, if there was one.
    pub verified: Option<Verified>,
    /// It is kept from retention.
    pub protected: bool,
    /// Its manifest.
    pub manifest: Manifest,
}

pub(super) async fn list(site: &Site) -> Result<BackupList, Error> {
    let place = site.backups.place();
    let failed = |cause| site.repository_failed(cause);
    let listed = site.backups.list().await.map_err(failed)?;
    let marks = site.backups.marks().await.map_err(failed)?;
    let mut backups = BackupList {
        place,
        backups: Vec::new(),
        unreadable: Vec::new(),
        partial: Vec::new(),
        incomplete: Vec::new(),
    };
    for entry in listed {
        match entry.content {
            Content::Complete(manifest) => {
                backups.backups.push(Backup {
                    id: entry.id,
                    size: manifest.size(),
                    verified: marks.verified.get(&entry.id).copied(),
                    protected: marks.protected.contains(&entry.id),
                    manifest: *manifest,
                });
            }
            Content::Unreadable(cause) => backups.unreadable.push((entry.id, cause.to_string())),
            Content::Partial(manifest) => {
                let failure = manifest.failure.unwrap_or_default();
                backups.partial.push((entry.id, failure));
            }
            Content::Incomplete => backups.incomplete.push(entry.id),
        }
    }
    Ok(backups)
}
