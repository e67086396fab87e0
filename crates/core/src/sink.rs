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
        let key = Key::artifact(self.directory.backup, &name);
        let mut writer = ArtifactWriter {
            upload: self.directory.repository.upload(&key).await,
            key,
            hash: Hashing::new(self.directory.workers.clone()),
            meter: self.report.meter(store.clone(), name.clone(), None),
        };
        let written = match write(&mut writer).await {
            Ok(found) => writer.finish().await.map(|sha256| (found, sha256)).map_err(E::from),
            Err(error) => Err(error),
        };
        match written {
            Ok((found, sha256)) => {
                writer.upload?.complete().await?;
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
            Err(error) => {
                self.abort(writer).await;
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

    fn recorded(&self) -> MutexGuard<'_, BTreeMap<StoreName, Vec<Recorded>>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A failure to clean up is told, not returned: what is left is no artifact.
    async fn abort(&self, writer: ArtifactWriter) {
        if let Ok(mut upload) = writer.upload
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
            let Directory { repository, backup, .. } = &self.sink.directory;
            let written = self.gateway.finish().await?.into_iter();
            let keys = written.map(|object| Key::of(*backup, &object.name));
            delete_all(&**repository, keys).await
        };
        if let Err(error) = removed.await {
            let store = &self.store;
            let said = format!("{store}: what it had written by itself was left behind: {error}");
            self.sink.report.warn(said);
        }
    }
}

/// An artifact that is being written.
pub struct ArtifactWriter {
    key: Key,
    /// One that could not begin fails with the first piece: whoever makes the pieces ends what makes them then.
    upload: Result<Box<dyn Upload>, RepositoryError>,
    hash: Hashing,
    meter: Meter,
}

impl ArtifactWriter {
    /// Appends.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError> {
        let hashed = self.hash.add(&piece).await;
        hashed.map_err(|ended| ended.at(&self.key))?;
        self.meter.add(piece.len());
        match &mut self.upload {
            Ok(upload) => upload.write(piece).await,
            Err(error) => Err(error.clone()),
        }
    }

    /// The hash of all that was written.
    async fn finish(&mut self) -> Result<String, RepositoryError> {
        let hash = self.hash.finish().await;
        hash.map_err(|ended| ended.at(&self.key))
    }
}
