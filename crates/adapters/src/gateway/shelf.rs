//! The objects that a gateway knows: what it has taken in, or what it was told to serve. Whoever reads one reads exactly
//! what is known of it, or gets an error.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use futures::{StreamExt, TryStreamExt};
use stillpoint_core::ports::gateway::{Place, Recorded, Verified};
use stillpoint_core::ports::repository::{Content, Version};
use stillpoint_core::ports::{Key, RepositoryError};

use super::checked;
use super::room::{Reader, Room};

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
    /// Where the objects lie; none: there are none.
    place: Option<Place>,
    room: Room,
    objects: Mutex<BTreeMap<String, Object>>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Shelf {
    pub(super) fn new(place: Option<Place>, objects: Vec<Verified>) -> Self {
        let objects = objects.into_iter().map(object);
        Self {
            place,
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
        let Some(place) = &self.place else {
            return Err(RepositoryError::Missing { key: name.to_owned() });
        };
        let reader = self.room.read().await;
        let key = Key::of(place.backup, name);
        let version = version(place, &key, object).await?;
        let asked = range.clone().unwrap_or(0..object.size);
        let size = asked.end - asked.start;
        let content = place.repository.open_range(&key, &version, asked).await?;
        let content = match range {
            Some(_) => checked::range(key, content, size),
            None => checked::whole(key, content, size, &object.sha256, &place.workers),
        };
        let passed = self.room.counter();
        let content = content.inspect_ok(move |piece| passed.add(piece.len())).boxed();
        Ok((content, reader))
    }
}

fn object(verified: Verified) -> (String, Object) {
    let object = Object {
        size: verified.recorded.size,
        sha256: verified.recorded.sha256,
        written: verified.written.into(),
        version: Some(verified.version),
    };
    (verified.recorded.name, object)
}

async fn version(place: &Place, key: &Key, object: &Object) -> Result<Version, RepositoryError> {
    if let Some(version) = &object.version {
        return Ok(version.clone());
    }
    let found = place.repository.open(key).await?;
    if found.size == object.size {
        Ok(found.version)
    } else {
        Err(RepositoryError::Changed { key: key.to_string() })
    }
}
