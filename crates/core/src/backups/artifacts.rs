//! Reading artifacts back: each is hashed on its way, and one that is not what the manifest says
//! ends with an error. A reader that stopped early has proved nothing.

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::Damage;
use crate::directory::Directory;
use crate::events::{EventKind, Meter, Reporter};
use crate::hashing::Hashing;
use crate::manifest::{Artifact, StoreRecord};
use crate::names::{ArtifactName, StoreName, WorkloadId};
use crate::objects;
use crate::ports::gateway::{Recorded, Serving, Verified};
use crate::ports::repository::Content;
use crate::ports::{EngineError, Gateway, Key, RepositoryError};

/// How many objects are read at the same time: small ones cost a round trip each.
const OBJECTS_AT_ONCE: usize = 8;

/// The artifacts of one backup.
#[derive(Clone)]
pub struct Artifacts {
    directory: Directory,
    report: Reporter,
}

/// Why an artifact could not be read whole.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ArtifactError {
    /// It is not there.
    #[error("missing")]
    Missing,
    /// It has another size.
    #[error("{found} bytes, {expected} in the manifest")]
    Size {
        /// Bytes in the manifest.
        expected: u64,
        /// Bytes in the repository.
        found: u64,
    },
    /// It has another content.
    #[error("its SHA-256 is {found}, {expected} in the manifest")]
    Hash {
        /// In the manifest.
        expected: String,
        /// In the repository.
        found: String,
    },
    /// It is no list of objects.
    #[error("it is no list of objects: {0}")]
    List(String),
    /// The repository failed.
    #[error(transparent)]
    Repository(RepositoryError),
}

impl From<RepositoryError> for ArtifactError {
    fn from(error: RepositoryError) -> Self {
        match error {
            RepositoryError::Missing { .. } => Self::Missing,
            other => Self::Repository(other),
        }
    }
}

impl Artifacts {
    pub(super) fn new(directory: Directory, report: Reporter) -> Self {
        Self { directory, report }
    }

    /// Opens an artifact of `store`.
    pub async fn open(&self, store: &StoreName, artifact: &Artifact) -> Result<ArtifactReader, ArtifactError> {
        let key = Key::artifact(self.directory.backup, &artifact.name);
        let object = self.directory.repository.open(&key).await?;
        if object.size != artifact.size {
            return Err(ArtifactError::Size {
                expected: artifact.size,
                found: object.size,
            });
        }
        Ok(ArtifactReader {
            key,
            content: object.content,
            hash: Some(Hashing::new(self.directory.workers.clone())),
            meter: self
                .report
                .meter(store.clone(), artifact.name.clone(), Some(artifact.size)),
            expected: artifact.clone(),
        })
    }

    /// Reads an artifact to its end.
    pub async fn check(&self, store: &StoreName, artifact: &Artifact) -> Result<(), ArtifactError> {
        let mut reader = self.open(store, artifact).await?;
        while reader.next().await?.is_some() {}
        Ok(())
    }

    /// The objects of `store` that an artifact lists; none where it lists none.
    pub async fn objects(&self, store: &StoreName, artifact: &Artifact) -> Result<Vec<Recorded>, ArtifactError> {
        let Some(lists) = artifact.lists else {
            return Ok(Vec::new());
        };
        let mut reader = self.open(store, artifact).await?;
        let mut list = Vec::new();
        while let Some(piece) = reader.next().await? {
            list.extend_from_slice(&piece);
        }
        let found = objects::unpack(&list, store).map_err(|error| ArtifactError::List(error.to_string()))?;
        if found.len() as u64 != lists.objects {
            let said = format!("{} objects of {store}, {} in the manifest", found.len(), lists.objects);
            return Err(ArtifactError::List(said));
        }
        Ok(found)
    }

    /// Reads an object that a store has written by itself to its end: it is what was recorded.
    pub async fn verify(&self, object: Recorded) -> Result<Verified, ArtifactError> {
        let key = Key::of(self.directory.backup, &object.name);
        let mut found = self.directory.repository.open(&key).await?;
        let mut hash = Hashing::new(self.directory.workers.clone());
        let mut size = 0;
        if found.size == object.size {
            while let Some(piece) = found.content.try_next().await? {
                size += piece.len() as u64;
                hash.add(&piece).await.map_err(|ended| ended.at(&key))?;
            }
        } else {
            size = found.size;
        }
        if size != object.size {
            return Err(ArtifactError::Size {
                expected: object.size,
                found: size,
            });
        }
        let sha256 = hash.finish().await.map_err(|ended| ended.at(&key))?;
        if sha256 != object.sha256 {
            return Err(ArtifactError::Hash {
                expected: object.sha256,
                found: sha256,
            });
        }
        Ok(Verified {
            recorded: object,
            written: found.written,
            version: found.version,
        })
    }

    /// Reads an object that was verified: no other contents of it.
    pub async fn read(&self, object: &Verified) -> Result<Content, RepositoryError> {
        if object.recorded.size == 0 {
            return Ok(stream::empty().boxed());
        }
        let key = Key::of(self.directory.backup, &object.recorded.name);
        let whole = 0..object.recorded.size;
        self.directory.repository.open_range(&key, &object.version, whole).await
    }

    /// Reads all that the store's record names, its objects too, and returns what can be served of them to a store, and what is
    /// wrong. Goes on after the first, so that the operator sees the whole extent.
    ///
    /// Fails only if the repository cannot be asked.
    pub async fn read_all(&self, record: &StoreRecord) -> Result<(Vec<Verified>, Vec<Damage>), RepositoryError> {
        let (mut verified, mut damage) = (Vec::new(), Vec::new());
        for artifact in &record.artifacts {
            let store = &record.name;
            let objects = match artifact.lists {
                None => self.check(store, artifact).await.map(|()| Vec::new()),
                Some(_) => self.objects(store, artifact).await,
            };
            match objects {
                Ok(objects) => {
                    self.report.tell(EventKind::ArtifactDone {
                        store: store.clone(),
                        artifact: artifact.name.clone(),
                        bytes: artifact.size,
                    });
                    let (sound, damaged) = self.read_objects(store, objects).await?;
                    verified.extend(sound);
                    damage.extend(damaged);
                }
                Err(ArtifactError::Repository(error)) => return Err(error),
                Err(what) => damage.push(Damage::of(store, &artifact.name, what)),
            }
        }
        Ok((verified, damage))
    }

    async fn read_objects(
        &self,
        store: &StoreName,
        objects: Vec<Recorded>,
    ) -> Result<(Vec<Verified>, Vec<Damage>), RepositoryError> {
        let (mut verified, mut damage) = (Vec::new(), Vec::new());
        let looks = objects.into_iter().map(|object| async move {
            let name = object.name.clone();
            (name, self.verify(object).await)
        });
        let mut looks = stream::iter(looks).buffered(OBJECTS_AT_ONCE);
        while let Some((name, look)) = looks.next().await {
            match look {
                Ok(object) => verified.push(object),
                Err(ArtifactError::Repository(error)) => return Err(error),
                Err(what) => damage.push(Damage::of(store, &ArtifactName::found(&name), what)),
            }
        }
        Ok((verified, damage))
    }

    /// Lets the workload's server read these objects by itself, below `prefix`, through the `gateway`.
    pub async fn serve(
        &self,
        gateway: &dyn Gateway,
        workload: &WorkloadId,
        prefix: &str,
        objects: Vec<Verified>,
    ) -> Result<Box<dyn Serving>, EngineError> {
        let place = self.directory.place(prefix);
        gateway.serve(workload, place, objects).await
    }
}

/// An artifact that is being read.
pub struct ArtifactReader {
    key: Key,
    content: BoxStream<'static, Result<Bytes, RepositoryError>>,
    hash: Option<Hashing>,
    meter: Meter,
    expected: Artifact,
}

impl ArtifactReader {
    /// The next piece; none at the end, and only if the whole was what the manifest says.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ArtifactError> {
        match self.content.next().await.transpose()? {
            Some(piece) => {
                if let Some(hash) = &mut self.hash {
                    hash.add(&piece).await.map_err(|ended| ended.at(&self.key))?;
                }
                self.meter.add(piece.len());
                Ok(Some(piece))
            }
            None => self.end().await.map(|()| None),
        }
    }

    async fn end(&mut self) -> Result<(), ArtifactError> {
        let Some(mut hash) = self.hash.take() else {
            return Ok(());
        };
        let expected = &self.expected;
        if self.meter.bytes() != expected.size {
            return Err(ArtifactError::Size {
                expected: expected.size,
                found: self.meter.bytes(),
            });
        }
        let found = hash.finish().await.map_err(|ended| ended.at(&self.key))?;
        if found == expected.sha256 {
            Ok(())
        } else {
            Err(ArtifactError::Hash {
                expected: expected.sha256.clone(),
                found,
            })
        }
    }
}
