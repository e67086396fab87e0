//! Writing an object of any size: pieces are gathered to parts, and at most [`IN_FLIGHT`] parts are
//! on their way while the next is gathered. An object that fits into its first part is written in
//! one request.
//!
//! All parts but the last have one size: R2 refuses others, and not before the upload completes.
//!
//! Memory is granted by [`super::budget`]. Where none is to be had at once, an upload waits for memory, or for one
//! of its parts that are on their way. The end of an upload needs no memory.

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutPayload};
use stillpoint_core::ports::{Key, RepositoryError, Upload};
use tokio::task::{JoinError, JoinSet};

use super::S3Repository;
use super::part::{self, Part, Right};
use super::request_error::RequestError;
use super::write::Mark;

/// Parts of one object that are on their way at the same time.
const IN_FLIGHT: usize = 4;

type Arrived = Result<object_store::Result<()>, JoinError>;

pub(super) struct S3Upload {
    repository: S3Repository,
    key: Key,
    mark: Mark,
    part: Option<Part>,
    /// Parts that were sent.
    sent: usize,
    /// Bytes that were taken over.
    size: u64,
    begun: Option<Box<dyn MultipartUpload>>,
    parts: JoinSet<object_store::Result<()>>,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Open,
    /// Something was lost: the object can no longer be completed.
    Broken,
    Ended,
}

impl S3Upload {
    pub(super) fn new(repository: S3Repository, key: Key) -> Self {
        Self {
            repository,
            key,
            mark: Mark::new(),
            part: None,
            sent: 0,
            size: 0,
            begun: None,
            parts: JoinSet::new(),
            state: State::Open,
        }
    }

    async fn begin_part(&mut self) -> Result<(), RepositoryError> {
        let Some(full) = part::full_size(self.sent, self.repository.part()) else {
            return Err(self.failed(RequestError::Other("it is larger than an object can be".into())));
        };
        let budget = self.repository.budget();
        let right = if part::is_oversize(full) {
            budget.alone().await.map(Right::Alone)
        } else {
            Some(Right::Counted(budget.open()))
        };
        self.part = right.map(|right| Part::new(right, full));
        Ok(())
    }

    async fn take(&mut self, mut piece: Bytes) -> Result<(), RepositoryError> {
        self.size += piece.len() as u64;
        while !piece.is_empty() {
            self.make_room().await?;
            if let Some(part) = &mut self.part {
                part.take(&mut piece);
                if part.is_full() {
                    self.send().await?;
                }
            }
        }
        Ok(())
    }

    /// Returns when the part has room for a byte.
    async fn make_room(&mut self) -> Result<(), RepositoryError> {
        loop {
            let Some(part) = &mut self.part else {
                self.begin_part().await?;
                continue;
            };
            if part.room() > 0 || part.try_grow() {
                return Ok(());
            }
            tokio::select! {
                () = part.grow() => {}
                Some(arrived) = self.parts.join_next() => self.check(arrived)?,
            }
        }
    }

    async fn send(&mut self) -> Result<(), RepositoryError> {
        self.wait_until(IN_FLIGHT - 1).await?;
        let mut begun = match self.begun.take() {
            Some(begun) => begun,
            None => self.begin().await?,
        };
        if let Some(part) = self.part.take() {
            let (payload, alone) = part.send();
            let arrival = begun.put_part(payload);
            self.sent += 1;
            self.parts.spawn(async move {
                let arrived = arrival.await;
                drop(alone);
                arrived
            });
        }
        self.begun = Some(begun);
        Ok(())
    }

    async fn begin(&mut self) -> Result<Box<dyn MultipartUpload>, RepositoryError> {
        let options = PutMultipartOptions {
            attributes: self.mark.attributes(),
            ..PutMultipartOptions::default()
        };
        let location = self.repository.located(&self.key)?;
        let begun = self.repository.objects().put_multipart_opts(&location, options).await;
        begun.map_err(|error| self.failed(RequestError::of(&error)))
    }

    /// Waits until no more than `left` parts are on their way.
    async fn wait_until(&mut self, left: usize) -> Result<(), RepositoryError> {
        while self.parts.len() > left {
            if let Some(arrived) = self.parts.join_next().await {
                self.check(arrived)?;
            }
        }
        Ok(())
    }

    fn check(&self, arrived: Arrived) -> Result<(), RepositoryError> {
        let arrived = arrived.map_err(Into::into).flatten();
        arrived.map_err(|error| self.failed(RequestError::of(&error)))
    }

    async fn publish(&mut self) -> Result<(), RepositoryError> {
        self.check_open()?;
        if self.begun.is_none() {
            self.publish_at_once().await?;
        } else {
            self.publish_parts().await?;
        }
        self.begun = None;
        self.read_back().await
    }

    async fn publish_at_once(&mut self) -> Result<(), RepositoryError> {
        let payload = self.part.take().map_or_else(PutPayload::new, |part| part.send().0);
        let written = self.repository.put_new(&self.key, payload).await;
        match written {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(self.exists()),
            Err(trouble) => Err(self.failed(trouble)),
        }
    }

    async fn publish_parts(&mut self) -> Result<(), RepositoryError> {
        if self.part.is_some() {
            self.send().await?;
        }
        self.wait_until(0).await?;
        self.check_absent().await?;
        let Some(begun) = &mut self.begun else {
            return Ok(());
        };
        match begun.complete().await {
            Ok(_) => Ok(()),
            Err(error) => self.find_out(RequestError::of(&error)).await,
        }
    }

    /// Two uploads of one key at the same moment are kept apart by the run's own directory, not here.
    async fn check_absent(&mut self) -> Result<(), RepositoryError> {
        match self.repository.find(&self.key).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(self.exists()),
            Err(trouble) => Err(self.failed(trouble)),
        }
    }

    /// An upload may have been completed although the answer says otherwise, or never came.
    async fn find_out(&mut self, trouble: RequestError) -> Result<(), RepositoryError> {
        match self.repository.find(&self.key).await {
            Ok(Some(found)) if found.is_of(&self.mark) => Ok(()),
            _ => Err(self.failed(trouble)),
        }
    }

    /// That the object is there, with every byte. One of another size is left for whoever looks
    /// into it: its run fails, and what the run has written is never listed.
    async fn read_back(&mut self) -> Result<(), RepositoryError> {
        let wrong = match self.repository.find(&self.key).await {
            Ok(Some(found)) if found.size == self.size => return Ok(()),
            Ok(Some(found)) => format!("{} bytes were written, {} are there", self.size, found.size),
            Ok(None) => "it was written, and is not there".into(),
            Err(trouble) => {
                // Nobody is to find an object whose writer was told that there is none.
                drop(self.remove().await);
                return Err(self.failed(trouble));
            }
        };
        Err(self.failed(RequestError::Other(wrong)))
    }

    async fn remove(&mut self) -> object_store::Result<()> {
        let location = self.repository.location(&self.key);
        match location {
            Ok(location) => self.repository.objects().delete(&location).await,
            Err(_) => Ok(()),
        }
    }

    fn check_open(&self) -> Result<(), RepositoryError> {
        if self.state == State::Open {
            return Ok(());
        }
        Err(self.failed(RequestError::Other("its upload has failed or ended before".into())))
    }

    fn exists(&self) -> RepositoryError {
        let key = self.key.to_string();
        RepositoryError::Exists { key }
    }

    /// "There is no such upload" must not read as if an object were missing.
    fn failed(&self, trouble: RequestError) -> RepositoryError {
        let trouble = match trouble {
            trouble if trouble.is_missing() => RequestError::Other(trouble.to_string()),
            trouble => trouble,
        };
        self.repository.failed(&self.key, trouble)
    }

    async fn clean_up(&mut self) -> Result<(), RepositoryError> {
        self.part = None;
        self.parts.shutdown().await;
        if let Some(begun) = &mut self.begun {
            match begun.abort().await.map_err(|error| RequestError::of(&error)) {
                Err(trouble) if !trouble.is_missing() => return Err(self.failed(trouble)),
                _ => self.begun = None,
            }
        }
        self.state = State::Ended;
        Ok(())
    }
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError> {
        self.check_open()?;
        let taken = self.take(piece).await;
        if taken.is_err() {
            self.state = State::Broken;
        }
        taken
    }

    async fn complete(&mut self) -> Result<(), RepositoryError> {
        let published = self.publish().await;
        if published.is_ok() {
            self.state = State::Ended;
        } else if self.state != State::Ended {
            self.state = State::Broken;
            // The first error is the one that tells why.
            drop(self.clean_up().await);
        }
        published
    }

    /// After an error it may be tried again; what it did not reach is left for [`super`]'s sweep.
    async fn abort(&mut self) -> Result<(), RepositoryError> {
        if self.state == State::Ended {
            return Ok(());
        }
        self.state = State::Broken;
        self.clean_up().await
    }
}
