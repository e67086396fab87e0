//! One object on its way into the repository: hashed and counted as it passes. It exists once it is completed; a writer
//! that fails removes what it has begun.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use s3s::{S3Error, S3Result};
use stillpoint_core::hashing::Hashing;
use stillpoint_core::ports::repository::Content;
use stillpoint_core::ports::{Key, Repository, RepositoryError, Upload, Workers};
use tracing::warn;

use super::body::Incoming;
use super::errors::of_repository;
use super::room::Share;

/// An object that is being written.
pub(super) struct Writer {
    key: Key,
    upload: Box<dyn Upload>,
    hash: Hashing,
    size: u64,
    share: Share,
}

/// One that was taken in whole, and does not exist yet.
pub(super) struct Taken {
    writer: Writer,
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Writer {
    pub(super) async fn begin(
        repository: &dyn Repository,
        workers: &Arc<dyn Workers>,
        key: Key,
        share: Share,
    ) -> S3Result<Self> {
        let upload = repository.upload(&key).await;
        Ok(Self {
            upload: upload.map_err(|error| of_repository(&error))?,
            hash: Hashing::new(workers.clone()),
            size: 0,
            key,
            share,
        })
    }

    /// Takes in what a client sends; its end is an error if not all of it came.
    pub(super) async fn receive(&mut self, mut incoming: Incoming) -> S3Result<()> {
        while let Some(piece) = incoming.next().await? {
            self.write(piece).await.map_err(|error| of_repository(&error))?;
        }
        incoming.compare()
    }

    /// Takes in what another object holds.
    pub(super) async fn append(&mut self, mut content: Content) -> Result<(), RepositoryError> {
        while let Some(piece) = content.try_next().await? {
            self.write(piece).await?;
        }
        Ok(())
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError> {
        self.hash.add(&piece).await.map_err(|ended| ended.at(&self.key))?;
        self.size += piece.len() as u64;
        self.share.passed(piece.len());
        self.upload.write(piece).await
    }

    /// What was taken in, or nothing of it.
    pub(super) async fn end(mut self, written: S3Result<()>) -> S3Result<Taken> {
        let hashed = match written {
            Ok(()) => {
                let hash = self.hash.finish().await;
                hash.map_err(|ended| of_repository(&ended.at(&self.key)))
            }
            Err(error) => Err(error),
        };
        match hashed {
            Ok(sha256) => Ok(Taken {
                size: self.size,
                sha256,
                writer: self,
            }),
            Err(error) => Err(self.give_up(error).await),
        }
    }

    async fn give_up(mut self, why: S3Error) -> S3Error {
        if let Err(error) = self.upload.abort().await {
            warn!(target: "stillpoint::gateway", key = %self.key, %error, "an unfinished upload was left behind");
        }
        why
    }
}

impl Taken {
    /// Makes it exist.
    pub(super) async fn complete(mut self) -> S3Result<()> {
        let completed = self.writer.upload.complete().await;
        completed.map_err(|error| of_repository(&error))
    }

    /// Removes it.
    pub(super) async fn give_up(self, why: S3Error) -> S3Error {
        self.writer.give_up(why).await
    }
}
