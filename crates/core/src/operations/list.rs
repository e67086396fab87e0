//! Use case: which backups there are. Read from the repository, never from a history.

use jiff::Timestamp;
use serde::Serialize;

use crate::backups::{Content, Verified};
use crate::engine::errors::Error;
use crate::engine::site::Site;
use crate::manifest::Manifest;
use crate::names::{BackupId, Project};

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

/// Which backup `latest`, or a moment, means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Newest {
    /// The backup; none if there is none that can be used.
    pub backup: Option<BackupId>,
    /// What is newer and was passed over, each with the reason, the newest first.
    pub passed_over: Vec<(BackupId, String)>,
}

impl BackupList {
    /// The newest backup that is complete and not known to be damaged; with `at` the last one that was begun at this moment
    /// or before. With `of` those of this platform alone. The copy that a restore has made is no backup.
    pub fn newest(&self, at: Option<Timestamp>, of: Option<&Project>) -> Newest {
        let in_time = |id: &BackupId| at.is_none_or(|at| id.timestamp() <= at);
        let is_backup = |backup: &&Backup| {
            backup.manifest.safety_of.is_none() && of.is_none_or(|of| backup.manifest.platform == *of)
        };
        let (sound, damaged): (Vec<&Backup>, Vec<&Backup>) = self
            .backups
            .iter()
            .filter(is_backup)
            .filter(|backup| in_time(&backup.id))
            .partition(|backup| backup.verified.is_none_or(|verified| verified.sound));
        let backup = sound.iter().map(|backup| backup.id).max();
        let damaged = damaged.iter().map(|backup| {
            let why = "its last verification found damage".to_owned();
            (backup.id, why)
        });
        let unreadable = self.unreadable.iter().filter(|(id, _)| in_time(id)).cloned();
        let mut passed_over: Vec<_> = damaged.chain(unreadable).filter(|(id, _)| Some(*id) > backup).collect();
        passed_over.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        Newest { backup, passed_over }
    }
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
