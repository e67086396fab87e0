//! What a store writes: an object exists when all of it came and was what its client said, and is recorded then and only
//! then. Whoever writes a name again replaces what he wrote before; what was there before him is never touched.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use s3s::{S3Error, S3Result, s3_error};
use stillpoint_core::names::BackupId;
use stillpoint_core::ports::gateway::Place;
use stillpoint_core::ports::{Key, Repository, RepositoryError, Workers};
use tokio::sync::Mutex as AsyncMutex;

use super::body::Incoming;
use super::errors::of_repository;
use super::multipart::Multipart;
use super::room::Memory;
use super::shelf::{Object, Shelf};
use super::tasks::{Ended, Tasks};
use super::writer::{Taken, Writer};

/// Names that may be changed at the same time, at most.
const LOCKS: usize = 64;

/// One gateway's intake.
pub(super) struct Intake {
    pub(super) backup: BackupId,
    pub(super) repository: Arc<dyn Repository>,
    pub(super) workers: Arc<dyn Workers>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) tasks: Tasks,
    /// Whoever makes, replaces or removes an object holds the lock that its name falls to.
    locks: Vec<AsyncMutex<()>>,
    pub(super) uploads: Mutex<HashMap<String, Arc<Multipart>>>,
    /// Parts that were begun and not removed again.
    parts: Mutex<BTreeSet<Key>>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake")
            .field("backup", &self.backup)
            .finish_non_exhaustive()
    }
}

impl Intake {
    pub(super) fn new(place: &Place, shelf: Arc<Shelf>) -> Self {
        Self {
            backup: place.backup,
            repository: place.repository.clone(),
            workers: place.workers.clone(),
            shelf,
            tasks: Tasks::new(),
            locks: (0..LOCKS).map(|_| AsyncMutex::default()).collect(),
            uploads: Mutex::default(),
            parts: Mutex::default(),
        }
    }

    pub(super) fn memory(&self) -> Memory {
        self.shelf.room().memory()
    }

    /// Takes in an object whole. With `absent`, only if there is none of its name.
    pub(super) async fn put(self: &Arc<Self>, name: &str, incoming: Incoming, absent: bool) -> S3Result<String> {
        let (intake, name) = (self.clone(), name.to_owned());
        let put = async move {
            let taken = intake.receive(Key::of(intake.backup, &name), incoming).await?;
            intake.commit(&name, taken, absent).await
        };
        self.tasks.run(put).await.map_err(|Ended| ended())?
    }

    /// Writes an object of ours again under another name.
    pub(super) async fn copy(self: &Arc<Self>, from: &str, to: &str) -> S3Result<Object> {
        let source = self.shelf.find(from).ok_or_else(|| s3_error!(NoSuchKey))?;
        let (intake, from, to) = (self.clone(), from.to_owned(), to.to_owned());
        let copy = async move {
            let mut writer = intake.writer(Key::of(intake.backup, &to), source.size).await?;
            let copied = match intake.shelf.read(&from, &source, None).await {
                Ok((content, _reader)) => writer.append(content).await,
                Err(error) => Err(error),
            };
            let taken = writer.end(copied.map_err(|error| of_repository(&error))).await?;
            intake.commit(&to, taken, false).await?;
            intake.shelf.find(&to).ok_or_else(|| s3_error!(NoSuchKey))
        };
        self.tasks.run(copy).await.map_err(|Ended| ended())?
    }

    /// Removes an object that was written here; a success also when there is none.
    pub(super) async fn remove(self: &Arc<Self>, name: &str) -> S3Result<()> {
        let (intake, name) = (self.clone(), name.to_owned());
        let remove = async move {
            let _alone = intake.alone(&name).await;
            if intake.shelf.find(&name).is_some() {
                intake.take_away(&name).await?;
            }
            Ok(())
        };
        self.tasks.run(remove).await.map_err(|Ended| ended())?
    }

    pub(super) async fn receive(&self, key: Key, incoming: Incoming) -> S3Result<Taken> {
        let mut writer = self.writer(key, incoming.size()).await?;
        let received = writer.receive(incoming).await;
        writer.end(received).await
    }

    /// A writer of so many bytes, as soon as there is memory for it.
    pub(super) async fn writer(&self, key: Key, size: u64) -> S3Result<Writer> {
        let share = self.shelf.room().write(size).await;
        Writer::begin(&*self.repository, &self.workers, key, share).await
    }

    /// Makes what was taken in exist under its name, and records it: its `ETag`.
    pub(super) async fn commit(&self, name: &str, taken: Taken, absent: bool) -> S3Result<String> {
        let _alone = self.alone(name).await;
        let there = self.shelf.find(name).is_some();
        if there && absent {
            return Err(taken.give_up(s3_error!(PreconditionFailed)).await);
        }
        if there && let Err(error) = self.take_away(name).await {
            return Err(taken.give_up(error).await);
        }
        let object = Object {
            size: taken.size,
            sha256: taken.sha256.clone(),
            written: SystemTime::now(),
            version: None,
        };
        taken.complete().await?;
        let etag = object.etag();
        self.shelf.objects().insert(name.to_owned(), object);
        Ok(etag)
    }

    /// Its lock is held.
    async fn take_away(&self, name: &str) -> S3Result<()> {
        let deleted = self.repository.delete(&Key::of(self.backup, name)).await;
        deleted.map_err(|error| of_repository(&error))?;
        self.shelf.objects().remove(name);
        Ok(())
    }

    async fn alone(&self, name: &str) -> tokio::sync::MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let lock = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or_default();
        self.locks[lock].lock().await
    }

    /// A new part. Whatever becomes of it, it is removed at the end.
    pub(super) fn part(&self, upload: &str, number: i32) -> Key {
        let nonce = rand::random::<u64>();
        let key = Key::of(self.backup, &format!(".parts/{upload}/{number}-{nonce:016x}"));
        self.parts().insert(key.clone());
        key
    }

    /// Removes a part; one that cannot be removed is tried again at the end.
    pub(super) async fn discard(&self, part: &Key) -> Result<(), RepositoryError> {
        self.repository.delete(part).await?;
        self.parts().remove(part);
        Ok(())
    }

    fn parts(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for what is under way, then removes the parts of uploads that nobody has completed.
    pub(super) async fn end(&self) -> Result<(), RepositoryError> {
        self.tasks.end().await;
        let left: Vec<Key> = self.parts().iter().cloned().collect();
        for part in left {
            self.discard(&part).await?;
        }
        Ok(())
    }
}

/// The gateway has ended in the middle.
pub(super) fn ended() -> S3Error {
    s3_error!(ServiceUnavailable, "the gateway has ended")
}
