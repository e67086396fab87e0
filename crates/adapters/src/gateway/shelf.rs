//! The objects that a gateway knows: what it has taken in, or what it was told to serve. Whoever reads one reads exactly
//! what is known of it, or gets an error.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use stillpoint_core::names::BackupId;
use stillpoint_core::ports::repository::{Content, Version};
use stillpoint_core::ports::{Key, Repository, RepositoryError, Workers};

use super::room::{Reader, Room};
use super::verify::Verified;
use super::{Place, Recorded, checked};

/// An object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) size: u64,
    pub(super) sha256: String,
    pub(super) written: SystemTime,
    /// The one that was verified; none of what was taken in, which nobody else writes.
    pub(super) version: Option<Version>,
}

impl Object {
    /// No MD5: the number behind it says so to clients, which would compare it otherwise.
    pub(super) fn etag(&self) -> String {
        etag(&self.sha256)
    }
}

/// The `ETag` of a content.
pub(super) fn etag(sha256: &str) -> String {
    format!("{}-1", sha256.get(..32).unwrap_or(sha256))
}

/// Objects by name.
pub(super) struct Shelf {
    backup: BackupId,
    repository: Arc<dyn Repository>,
    workers: Arc<dyn Workers>,
    room: Room,
    objects: Mutex<BTreeMap<String, Object>>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf")
            .field("backup", &self.backup)
            .finish_non_exhaustive()
    }
}

impl Shelf {
    pub(super) fn new(place: &Place, objects: Vec<Verified>) -> Self {
        let objects = objects.into_iter().map(Verified::into_object);
        Self {
            backup: place.backup,
            repository: place.repository.clone(),
            workers: place.workers.clone(),
            room: Room::new(),
            objects: Mutex::new(objects.collect()),
        }
    }

    pub(super) fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, name: &str) -> Option<Object> {
        self.objects().get(name).cloned()
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// All of them, by name.
    pub(super) fn recorded(&self) -> Vec<Recorded> {
        let objects = self.objects();
        let recorded = objects.iter().map(|(name, object)| Recorded {
            name: name.clone(),
            size: object.size,
            sha256: object.sha256.clone(),
        });
        recorded.collect()
    }

    /// Reads one whole, or a range of it; the reader's place is to be kept as long as the content is read.
    pub(super) async fn read(
        &self,
        name: &str,
        object: &Object,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<(Content, Reader), RepositoryError> {
        let reader = self.room.read().await;
        let key = Key::of(self.backup, name);
        let version = self.version(&key, object).await?;
        let asked = range.clone().unwrap_or(0..object.size);
        let size = asked.end - asked.start;
        let content = self.repository.open_range(&key, &version, asked).await?;
        let content = match range {
            Some(_) => checked::range(key, content, size),
            None => checked::whole(key, content, size, &object.sha256, &self.workers),
        };
        Ok((content, reader))
    }

    async fn version(&self, key: &Key, object: &Object) -> Result<Version, RepositoryError> {
        if let Some(version) = &object.version {
            return Ok(version.clone());
        }
        let found = self.repository.open(key).await?;
        if found.size == object.size {
            Ok(found.version)
        } else {
            Err(RepositoryError::Changed { key: key.to_string() })
        }
    }
}
