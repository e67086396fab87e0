//! A repository in memory, held to the same suite as the real ones; it can be full, its objects can
//! be damaged by hand, and what was not synced is torn when its host dies.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use stillpoint_core::ports::repository::{Content, Entry, Object, Version};
use stillpoint_core::ports::{Clock, Key, Repository, RepositoryError, Upload};

use super::{FakeClock, lock};

/// Objects by key. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryRepository {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Clone)]
struct Stored {
    /// In the pieces in which they were written.
    pieces: Vec<Bytes>,
    version: u64,
    written: Timestamp,
}

#[derive(Clone, Default)]
struct Disk {
    objects: BTreeMap<String, Stored>,
    /// Counts writings: no two objects have the same version.
    writings: u64,
    clock: FakeClock,
    /// How far its clock is ahead of everybody's.
    ahead: SignedDuration,
    /// It takes every condition for fulfilled.
    careless: bool,
    /// The objects whose content is not on the disk yet.
    unsynced: BTreeSet<String>,
    /// Bytes of uploads that have not ended, by their number and object. They outlive a process
    /// that dies.
    staged: BTreeMap<(u64, String), u64>,
    capacity: Option<u64>,
    read_only: bool,
    /// Nothing can be deleted.
    locked: bool,
    /// Why what is deleted goes on taking room.
    keeps: Option<String>,
}

impl Disk {
    fn admit(&self, key: &str, more: u64) -> Result<(), RepositoryError> {
        let key = key.to_owned();
        if self.read_only {
            let cause = "read-only".into();
            return Err(RepositoryError::Denied { key, cause });
        }
        if self.room().is_some_and(|room| more > room) {
            let cause = "no space left".into();
            return Err(RepositoryError::Full { key, cause });
        }
        Ok(())
    }

    fn room(&self) -> Option<u64> {
        let used: u64 = self.objects.values().map(|stored| size(&stored.pieces)).sum();
        let staged: u64 = self.staged.values().sum();
        self.capacity.map(|capacity| capacity.saturating_sub(used + staged))
    }

    fn now(&self) -> Timestamp {
        self.clock.now() + self.ahead
    }

    fn insert(&mut self, key: &str, content: Vec<Bytes>) -> Result<Version, RepositoryError> {
        if self.objects.contains_key(key) && !self.careless {
            return Err(RepositoryError::Exists { key: key.to_owned() });
        }
        Ok(self.store(key, content))
    }

    fn store(&mut self, key: &str, pieces: Vec<Bytes>) -> Version {
        self.writings += 1;
        let stored = Stored {
            pieces,
            version: self.writings,
            written: self.now(),
        };
        self.objects.insert(key.to_owned(), stored);
        self.unsynced.insert(key.to_owned());
        Version(self.writings.to_string())
    }

    fn sync(&mut self, key: &str) {
        self.unsynced.remove(key);
    }
}

fn size(pieces: &[Bytes]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

impl MemoryRepository {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        lock(&self.disk)
    }

    /// A copy of all that is in it, which goes by this clock.
    #[must_use]
    pub fn copy(&self, clock: &FakeClock) -> Self {
        let disk = Disk {
            clock: clock.clone(),
            ..self.disk().clone()
        };
        Self {
            disk: Arc::new(Mutex::new(disk)),
        }
    }

    /// No more than this fits, in bytes.
    pub fn set_capacity(&self, capacity: u64) {
        self.disk().capacity = Some(capacity);
    }

    /// Nothing can be written or deleted any more.
    pub fn make_read_only(&self) {
        self.disk().read_only = true;
    }

    /// Nothing can be deleted any more; everything else can be done.
    pub fn lock(&self) {
        self.disk().locked = true;
    }

    /// It keeps what is deleted, and says why.
    pub fn keep(&self, why: &str) {
        self.disk().keeps = Some(why.to_owned());
    }

    /// Its clock is ahead of everybody's by so much.
    pub fn set_clock_ahead(&self, ahead: SignedDuration) {
        self.disk().ahead = ahead;
    }

    /// From now on it ignores every condition, as some servers do.
    pub fn ignore_conditions(&self) {
        self.disk().careless = true;
    }

    /// The host dies: of an object that was not synced, its name is left and no byte.
    pub fn crash(&self) {
        let mut disk = self.disk();
        for key in std::mem::take(&mut disk.unsynced) {
            disk.store(&key, Vec::new());
        }
        disk.unsynced.clear();
    }

    /// The objects of which unfinished uploads lie about.
    pub fn unfinished(&self) -> Vec<String> {
        self.disk().staged.keys().map(|(_, key)| key.clone()).collect()
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<String> {
        self.disk().objects.keys().cloned().collect()
    }

    /// An object's content.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.disk().objects.get(key).map(|stored| stored.pieces.concat().into())
    }

    /// Replaces an object, past all rules.
    pub fn put(&self, key: &str, content: impl Into<Bytes>) {
        let mut disk = self.disk();
        disk.store(key, vec![content.into()]);
        disk.sync(key);
    }

    /// Removes an object, past all rules.
    pub fn lose(&self, key: &str) {
        self.disk().objects.remove(key);
    }
}

#[async_trait]
impl Repository for MemoryRepository {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn create(&self, key: &Key, content: Bytes) -> Result<Version, RepositoryError> {
        let mut disk = self.disk();
        disk.admit(key.as_str(), content.len() as u64)?;
        let version = disk.insert(key.as_str(), vec![content])?;
        disk.sync(key.as_str());
        Ok(version)
    }

    async fn replace(&self, key: &Key, content: Bytes, was: &Version) -> Result<Version, RepositoryError> {
        let mut disk = self.disk();
        disk.admit(key.as_str(), content.len() as u64)?;
        let found = disk.objects.get(key.as_str()).map(|stored| stored.version.to_string());
        if found.as_ref() != Some(&was.0) && !disk.careless {
            return Err(RepositoryError::Changed { key: key.to_string() });
        }
        let version = disk.store(key.as_str(), vec![content]);
        disk.sync(key.as_str());
        Ok(version)
    }

    async fn upload(&self, key: &Key) -> Result<Box<dyn Upload>, RepositoryError> {
        let mut disk = self.disk();
        disk.admit(key.as_str(), 0)?;
        let number = disk.staged.keys().next_back().map_or(1, |(last, _)| last + 1);
        disk.staged.insert((number, key.to_string()), 0);
        Ok(Box::new(MemoryUpload {
            repository: self.clone(),
            number,
            key: key.to_string(),
            staged: Some(Vec::new()),
        }))
    }

    async fn open(&self, key: &Key) -> Result<Object, RepositoryError> {
        let found = self.disk().objects.get(key.as_str()).cloned();
        let found = found.ok_or_else(|| RepositoryError::Missing { key: key.to_string() })?;
        Ok(Object {
            size: size(&found.pieces),
            version: Version(found.version.to_string()),
            written: found.written,
            content: stream::iter(found.pieces.into_iter().map(Ok)).boxed(),
        })
    }

    async fn open_range(&self, key: &Key, was: &Version, range: Range<u64>) -> Result<Content, RepositoryError> {
        let found = self.disk().objects.get(key.as_str()).cloned();
        let found = found.filter(|found| found.version.to_string() == was.0);
        let found = found.ok_or_else(|| RepositoryError::Changed { key: key.to_string() })?;
        let whole = Bytes::from(found.pieces.concat());
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(whole.len());
        let piece = whole.slice(place(range.start)..place(range.end));
        if piece.len() as u64 == range.end - range.start {
            return Ok(stream::iter([Ok(piece)]).boxed());
        }
        let short = RepositoryError::Failed {
            key: key.to_string(),
            cause: "it ended before its end".into(),
        };
        Ok(stream::iter([Ok(piece), Err(short)]).boxed())
    }

    async fn directories(&self) -> Result<Vec<String>, RepositoryError> {
        let first = |key: &String| key.split_once('/').map(|(first, _)| first.to_owned());
        let mut names: Vec<String> = self.disk().objects.keys().filter_map(first).collect();
        names.dedup();
        Ok(names)
    }

    async fn list(&self, directory: Option<&str>) -> Result<Vec<Entry>, RepositoryError> {
        let below = directory.map_or_else(String::new, |directory| format!("{directory}/"));
        let disk = self.disk();
        let entries = disk.objects.iter().filter(|(key, _)| key.starts_with(&below));
        let entries = entries.map(|(key, stored)| Entry {
            key: Key::found(key),
            size: size(&stored.pieces),
            written: stored.written,
        });
        Ok(entries.collect())
    }

    async fn clock(&self) -> Result<Timestamp, RepositoryError> {
        Ok(self.disk().now())
    }

    async fn room(&self) -> Result<Option<u64>, RepositoryError> {
        Ok(self.disk().room())
    }

    async fn keeps(&self) -> Result<Option<String>, RepositoryError> {
        Ok(self.disk().keeps.clone())
    }

    async fn sweep(&self, directory: &str) -> Result<(), RepositoryError> {
        let below = format!("{directory}/");
        self.disk().staged.retain(|(_, key), _| !key.starts_with(&below));
        Ok(())
    }

    async fn delete(&self, key: &Key) -> Result<(), RepositoryError> {
        let mut disk = self.disk();
        if disk.locked {
            return Err(RepositoryError::Denied {
                key: key.to_string(),
                cause: "AccessDenied (403)".into(),
            });
        }
        if disk.objects.contains_key(key.as_str()) {
            disk.admit(key.as_str(), 0)?;
            disk.objects.remove(key.as_str());
        }
        Ok(())
    }
}

struct MemoryUpload {
    repository: MemoryRepository,
    number: u64,
    key: String,
    staged: Option<Vec<Bytes>>,
}

impl MemoryUpload {
    fn take(&mut self) -> Option<Vec<Bytes>> {
        let staged = self.staged.take()?;
        self.repository.disk().staged.remove(&(self.number, self.key.clone()));
        Some(staged)
    }
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError> {
        let mut disk = self.repository.disk();
        disk.admit(&self.key, piece.len() as u64)?;
        if let Some(staged) = &mut self.staged {
            let key = (self.number, self.key.clone());
            *disk.staged.entry(key).or_default() += piece.len() as u64;
            staged.push(piece);
        }
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), RepositoryError> {
        let staged = self.take().ok_or_else(|| RepositoryError::Failed {
            key: self.key.clone(),
            cause: "its upload has ended before".into(),
        })?;
        let mut disk = self.repository.disk();
        disk.admit(&self.key, size(&staged))?;
        disk.insert(&self.key, staged)?;
        disk.sync(&self.key);
        Ok(())
    }

    async fn abort(&mut self) -> Result<(), RepositoryError> {
        drop(self.take());
        Ok(())
    }
}
