//! Writing an object: pieces are gathered to parts, and at most [`IN_FLIGHT`] parts are on their
//! way to the disk while the next is gathered. One upload thus holds at most 3 MiB, however fast
//! its producer is: many go on side by side, and there is no budget over them.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, ObjectStoreExt};
use stillpoint_core::ports::{Key, RepositoryError, Upload};
use tokio::task::JoinSet;

use super::{LocalRepository, disk, errors, location};

/// Bytes of one part: enough for a disk to write at its full speed.
const PART: usize = 1 << 20;

/// Parts that are written at the same time.
const IN_FLIGHT: usize = 2;

pub(super) struct LocalUpload {
    repository: LocalRepository,
    key: Key,
    staged: Box<dyn MultipartUpload>,
    gathered: BytesMut,
    parts: JoinSet<object_store::Result<()>>,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Open,
    /// A part was lost: the object can no longer be completed.
    Broken,
    Ended,
}

impl LocalUpload {
    pub(super) async fn begin(repository: LocalRepository, key: Key) -> Result<Self, RepositoryError> {
        let staged = repository.objects.put_multipart(&location(&key)?).await;
        let staged = staged.map_err(|error| errors::from_store(key.as_str(), error))?;
        Ok(Self {
            repository,
            key,
            staged,
            gathered: BytesMut::with_capacity(PART),
            parts: JoinSet::new(),
            state: State::Open,
        })
    }

    async fn send(&mut self) -> Result<(), RepositoryError> {
        self.wait_until(IN_FLIGHT - 1).await?;
        let part = std::mem::replace(&mut self.gathered, BytesMut::with_capacity(PART));
        self.parts.spawn(self.staged.put_part(part.freeze().into()));
        Ok(())
    }

    /// Waits until no more than `left` parts are on their way.
    async fn wait_until(&mut self, left: usize) -> Result<(), RepositoryError> {
        while self.parts.len() > left {
            let written = self.parts.join_next().await;
            if let Some(Err(error)) = written.map(|part| part.map_err(Into::into).flatten()) {
                self.state = State::Broken;
                return Err(errors::from_store(self.key.as_str(), error));
            }
        }
        Ok(())
    }

    async fn publish(&mut self) -> Result<(), RepositoryError> {
        self.check_open()?;
        if !self.gathered.is_empty() {
            self.send().await?;
        }
        self.wait_until(0).await?;
        self.check_absent().await?;
        let shown = self.show().await;
        if shown.is_err() {
            // It is there all the same if only the sync of its directory failed.
            drop(disk::remove(self.repository.file(&self.key)).await);
        }
        shown
    }

    async fn show(&mut self) -> Result<(), RepositoryError> {
        let completed = self.staged.complete().await;
        completed.map_err(|error| errors::from_store(self.key.as_str(), error))?;
        let synced = disk::sync_above(self.repository.root.clone(), self.repository.file(&self.key)).await;
        synced.map_err(|cause| errors::from_io(self.key.as_str(), &cause))
    }

    fn check_open(&self) -> Result<(), RepositoryError> {
        if self.state == State::Open {
            return Ok(());
        }
        Err(RepositoryError::Failed {
            key: self.key.to_string(),
            cause: "its upload has failed or ended before".into(),
        })
    }

    /// `complete` renames, and a rename replaces. Two uploads of one key at the same moment are
    /// kept apart by the run's own directory, not here.
    async fn check_absent(&mut self) -> Result<(), RepositoryError> {
        match self.repository.objects.head(&location(&self.key)?).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            Ok(_) => Err(RepositoryError::Exists {
                key: self.key.to_string(),
            }),
            Err(error) => Err(errors::from_store(self.key.as_str(), error)),
        }
    }

    /// Removes what is staged. `object_store` forgets its staged file when completing it fails, so
    /// it is looked for by name.
    async fn clean_up(&mut self) -> Result<(), RepositoryError> {
        self.state = State::Ended;
        self.parts.shutdown().await;
        if self.staged.abort().await.is_ok() {
            return Ok(());
        }
        let removed = disk::remove_staged(self.repository.file(&self.key)).await;
        removed.map_err(|cause| errors::from_io(self.key.as_str(), &cause))
    }
}

#[async_trait]
impl Upload for LocalUpload {
    async fn write(&mut self, mut piece: Bytes) -> Result<(), RepositoryError> {
        self.check_open()?;
        while !piece.is_empty() {
            let room = PART - self.gathered.len();
            self.gathered.extend_from_slice(&piece.split_to(room.min(piece.len())));
            if self.gathered.len() == PART {
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), RepositoryError> {
        let published = self.publish().await;
        match published {
            Ok(()) => self.state = State::Ended,
            // The first error is the one that tells why.
            Err(_) if self.state != State::Ended => drop(self.clean_up().await),
            Err(_) => {}
        }
        published
    }

    async fn abort(&mut self) -> Result<(), RepositoryError> {
        if self.state == State::Ended {
            return Ok(());
        }
        self.clean_up().await
    }
}
