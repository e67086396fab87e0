//! Where a store's bytes go: each artifact is hashed and counted in flight and exists only once its
//! producer has ended well. Nothing is spooled.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::directory::{Directory, delete_all};
use crate::events::{Meter, Reporter};
use crate::hashing::Hashing;
use crate::manifest::{Artifact, Lists, StoreRecord};
use crate::names::{ArtifactName, BackupId, StoreName, WorkloadId};
use crate::objects;
use crate::ports::gateway::{Access, Receiving, Recorded};
use crate::ports::{EngineError, Gateway, Key, RepositoryError, Upload};

/// One backup's intake.
#[derive(Clone)]
pub struct Sink {
    directory: Directory,
    report: Reporter,
    /// What stores have written by themselves.
    recorded: Arc<Mutex<BTreeMap<StoreName, Vec<Recorded>>>>,
}

impl Sink {
    /// An intake for a backup whose first object must have been written.
    pub(crate) fn new(directory: Directory, report: Reporter) -> Self {
        Self {
            directory,
            report,
            recorded: Arc::default(),
        }
    }

    /// The backup that it belongs to.
    pub fn backup(&self) -> BackupId {
        self.directory.backup
    }

    /// Writes an artifact of `store`: `content` and `of` are what the manifest says of it. It exists once `write` has
    /// ended well, and what that returns comes with it. If anything fails, nothing of it is left; the same holds if the
    /// future is dropped.
    pub async fn put<T, E: From<RepositoryError>>(
        &self,
        store: &StoreName,
        name: ArtifactName,
        (content, of): (&str, Option<&str>),
        write: impl AsyncFnOnce(&mut ArtifactWriter) -> Result<T, E>,
    ) -> Result<(Artifact, T), E> {
        let mut writer = ArtifactWriter {
            object: self.begin(Key::artifact(self.directory.backup, &name)).await,
            meter: self.report.meter(store.clone(), name.clone(), None),
        };
        let written = write(&mut writer).await;
        let (sha256, found) = self.end(writer.object, written).await?;
        let artifact = Artifact {
            name,
            content: content.to_owned(),
            of: of.map(ToOwned::to_owned),
            size: writer.meter.bytes(),
            sha256,
            lists: None,
        };
        writer.meter.done();
        Ok((artifact, found))
    }

    /// For what a store writes object by object, of which the manifest names none by itself.
    pub fn objects(&self, store: &StoreName) -> Objects {
        Objects {
            sink: self.clone(),
            store: store.clone(),
            written: Mutex::default(),
        }
    }

    async fn begin(&self, key: Key) -> ObjectWriter {
        ObjectWriter {
            upload: self.directory.repository.upload(&key).await,
            key,
            hash: Hashing::new(self.directory.workers.clone()),
            bytes: 0,
        }
    }

    /// The object exists if what was to write it has ended well, and only then. Returns its hash.
    async fn end<T, E: From<RepositoryError>>(
        &self,
        mut object: ObjectWriter,
        written: Result<T, E>,
    ) -> Result<(String, T), E> {
        let hashed = match written {
            Ok(found) => object.hashed().await.map(|sha256| (sha256, found)).map_err(E::from),
            Err(error) => Err(error),
        };
        match hashed {
            Ok(whole) => {
                object.upload?.complete().await?;
                Ok(whole)
            }
            Err(error) => {
                self.abort(object).await;
                Err(error)
            }
        }
    }

    /// Lets the workload's server write below `prefix` of the backup's directory by itself, through the `gateway`. What it
    /// has written counts once it was recorded: [`Delegated::record`].
    pub async fn delegate(
        &self,
        gateway: &dyn Gateway,
        store: &StoreName,
        workload: &WorkloadId,
        prefix: &str,
    ) -> Result<Delegated, EngineError> {
        let gateway = gateway.receive(workload, self.directory.place(prefix)).await?;
        Ok(Delegated {
            sink: self.clone(),
            store: store.clone(),
            gateway,
        })
    }

    /// Writes the list of what stores have written by themselves, and names it in the record of each that is among `records`.
    /// If it cannot be written, their records are taken out: without it they hold nothing.
    pub(crate) async fn list_objects(&self, records: &mut Vec<StoreRecord>) -> Result<(), RepositoryError> {
        let recorded = std::mem::take(&mut *self.recorded());
        let is_among = |store: &StoreName| records.iter().any(|record| record.name == *store);
        let listed: Vec<_> = recorded.iter().filter(|(store, _)| is_among(store)).collect();
        let Some((first, _)) = listed.first() else {
            return Ok(());
        };
        let list = match self.write_list(first, &listed).await {
            Ok(list) => list,
            Err(error) => {
                records.retain(|record| !recorded.contains_key(&record.name));
                return Err(error);
            }
        };
        for record in records {
            if let Some(objects) = recorded.get(&record.name) {
                record.artifacts.push(Artifact {
                    lists: Some(Lists {
                        objects: objects.len() as u64,
                        bytes: objects.iter().map(|object| object.size).sum(),
                    }),
                    ..list.clone()
                });
            }
        }
        Ok(())
    }

    /// `first` is for who watches.
    async fn write_list(
        &self,
        first: &StoreName,
        listed: &[(&StoreName, &Vec<Recorded>)],
    ) -> Result<Artifact, RepositoryError> {
        let name = ArtifactName::of(&[objects::FILE]);
        let packed = objects::pack(listed.iter().map(|(store, objects)| (*store, &objects[..])));
        let packed = packed.map_err(|cause| RepositoryError::Failed {
            key: name.to_string(),
            cause: cause.to_string(),
        })?;
        let write = async |writer: &mut ArtifactWriter| writer.write(packed).await;
        let written = self.put::<_, RepositoryError>(first, name, (objects::CONTENT, None), write);
        Ok(written.await?.0)
    }

    async fn remove(&self, objects: Vec<Recorded>) -> Result<(), RepositoryError> {
        let Directory { repository, backup, .. } = &self.directory;
        let mut keys = Vec::new();
        for object in objects {
            keys.push(Key::of(*backup, &object.name));
        }
        delete_all(&**repository, keys).await
    }

    fn tell_left(&self, store: &StoreName, removed: Result<(), RepositoryError>) {
        if let Err(error) = removed {
            let said = format!("{store}: what it had written by itself was left behind: {error}");
            self.report.warn(said);
        }
    }

    fn recorded(&self) -> MutexGuard<'_, BTreeMap<StoreName, Vec<Recorded>>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A failure to clean up is told, not returned: what is left is no artifact.
    async fn abort(&self, object: ObjectWriter) {
        if let Ok(mut upload) = object.upload
            && let Err(error) = upload.abort().await
        {
            self.report
                .warn(format!("an unfinished upload was left behind: {error}"));
        }
    }
}

/// A store that writes by itself. One that is dropped is cut off, and what it has written is no part of the backup.
pub struct Delegated {
    sink: Sink,
    store: StoreName,
    gateway: Box<dyn Receiving>,
}

impl Delegated {
    /// How the store reaches us.
    pub fn access(&self) -> &Access {
        self.gateway.access()
    }

    /// Bytes that it has written so far.
    pub fn received(&self) -> u64 {
        self.gateway.received()
    }

    /// The store has ended well: what it has written is the backup's. Returns what that is, by name.
    pub async fn record(self) -> Result<Vec<Recorded>, RepositoryError> {
        let objects = self.gateway.finish().await?;
        self.sink.recorded().insert(self.store, objects.clone());
        Ok(objects)
    }

    /// The store has failed: nothing of what it has written is left. A failure to clean up is told, not returned.
    pub async fn give_up(self) {
        let removed = async {
            let written = self.gateway.finish().await?;
            self.sink.remove(written).await
        };
        let removed = removed.await;
        self.sink.tell_left(&self.store, removed);
    }
}

/// What a store writes object by object. What is neither recorded nor given up is no part of the backup.
pub struct Objects {
    sink: Sink,
    store: StoreName,
    written: Mutex<Vec<Recorded>>,
}

impl Objects {
    /// Writes an object at this place below the backup's directory. It exists once `write` has ended well.
    pub async fn put<E: From<RepositoryError>>(
        &self,
        name: &ArtifactName,
        write: impl AsyncFnOnce(&mut ObjectWriter) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut object = self.sink.begin(Key::artifact(self.sink.backup(), name)).await;
        let written = write(&mut object).await;
        let size = object.bytes;
        let (sha256, ()) = self.sink.end(object, written).await?;
        self.written().push(Recorded {
            name: name.to_string(),
            size,
            sha256,
        });
        Ok(())
    }

    /// The store has ended well: what was written is the backup's. Returns what that is, by name.
    pub fn record(self) -> Vec<Recorded> {
        let mut objects = std::mem::take(&mut *self.written());
        objects.sort();
        self.sink.recorded().insert(self.store.clone(), objects.clone());
        objects
    }

    /// The store has failed: nothing of what was written is left. A failure to clean up is told, not returned.
    pub async fn give_up(self) {
        let written = std::mem::take(&mut *self.written());
        let removed = self.sink.remove(written).await;
        self.sink.tell_left(&self.store, removed);
    }

    fn written(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An artifact that is being written.
pub struct ArtifactWriter {
    object: ObjectWriter,
    meter: Meter,
}

impl ArtifactWriter {
    /// Appends.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError> {
        self.meter.add(piece.len());
        self.object.write(piece).await
    }
}

/// An object that is being written.
pub struct ObjectWriter {
    key: Key,
    /// One that could not begin fails with the first piece: whoever makes the pieces ends what makes them then.
    upload: Result<Box<dyn Upload>, RepositoryError>,
    hash: Hashing,
    bytes: u64,
}

impl ObjectWriter {
    /// Appends.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError> {
        let hashed = self.hash.add(&piece).await;
        hashed.map_err(|ended| ended.at(&self.key))?;
        self.bytes += piece.len() as u64;
        match &mut self.upload {
            Ok(upload) => upload.write(piece).await,
            Err(error) => Err(error.clone()),
        }
    }

    /// The hash of all that was written.
    async fn hashed(&mut self) -> Result<String, RepositoryError> {
        let hash = self.hash.finish().await;
        hash.map_err(|ended| ended.at(&self.key))
    }
}
