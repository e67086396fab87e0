//! Use case: which backups there are. Read from the repository, never from a history.

use serde::Serialize;

use crate::backups::Content;
use crate::engine::site::Site;
use crate::errors::Error;
use crate::manifest::Manifest;
use crate::names::BackupId;

/// The repository's content.
#[derive(Debug, Serialize)]
pub struct Backups {
    /// The repository.
    pub place: String,
    /// Complete backups, oldest first.
    pub backups: Vec<Backup>,
    /// Directories whose manifest exists and cannot be used, with the reason.
    pub unreadable: Vec<(BackupId, String)>,
    /// Directories without a manifest: being written, or left by a failed run. No backups.
    pub incomplete: Vec<BackupId>,
}

/// One complete backup in short.
#[derive(Debug, Serialize)]
pub struct Backup {
    /// Its id.
    pub id: BackupId,
    /// Its size in bytes.
    pub size: u64,
    /// Its manifest.
    pub manifest: Manifest,
}

pub(super) async fn list(site: &Site) -> Result<Backups, Error> {
    let place = site.backups.place();
    let listed = site.backups.list().await.map_err(|cause| Error::Repository {
        place: place.clone(),
        cause,
    })?;
    let mut backups = Backups {
        place,
        backups: Vec::new(),
        unreadable: Vec::new(),
        incomplete: Vec::new(),
    };
    for entry in listed {
        match entry.content {
            Content::Complete(manifest) => {
                backups.backups.push(Backup {
                    id: entry.id,
                    size: manifest.size(),
                    manifest: *manifest,
                });
            }
            Content::Unreadable(cause) => backups.unreadable.push((entry.id, cause.to_string())),
            Content::Incomplete => backups.incomplete.push(entry.id),
        }
    }
    Ok(backups)
}
