//! Reading an object as a stream that cannot end early. A download that breaks off is taken up
//! again where it stopped, as long as it is the same content: `object_store` would do so for the
//! first minute only.

use std::ops::Range;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::{GetOptions, GetRange, GetResult, ObjectStore};
use stillpoint_core::ports::repository::{Object, Version};
use stillpoint_core::ports::{Key, RepositoryError};

use super::trouble::Trouble;
use super::{S3Repository, limits};
use crate::repository::errors;

/// The content that is read.
struct Source {
    repository: S3Repository,
    key: Key,
    version: Option<String>,
}

struct Download {
    source: Source,
    left: Range<u64>,
    pieces: BoxStream<'static, object_store::Result<Bytes>>,
    /// How often in a row it broke off without a byte.
    failures: u32,
}

pub(super) async fn open(repository: &S3Repository, key: &Key) -> Result<Object, RepositoryError> {
    let location = repository.located(key)?;
    let found = repository.objects().get_opts(&location, GetOptions::default()).await;
    let found = found.map_err(|error| repository.failed(key, Trouble::of(&error)))?;
    let (size, version) = (found.meta.size, found.meta.e_tag.clone());
    let written = errors::written(key.as_str(), &found.meta)?;
    let download = Download {
        source: Source {
            repository: repository.clone(),
            key: key.clone(),
            version: version.clone(),
        },
        left: 0..size,
        pieces: found.into_stream(),
        failures: 0,
    };
    Ok(Object {
        size,
        version: Version(version.unwrap_or_default()),
        written,
        content: stream::try_unfold(download, next).boxed(),
    })
}

async fn next(mut download: Download) -> Result<Option<(Bytes, Download)>, RepositoryError> {
    while !download.left.is_empty() {
        match download.pieces.next().await {
            Some(Ok(piece)) if piece.is_empty() => {}
            Some(Ok(piece)) => {
                download.passed(piece.len() as u64)?;
                return Ok(Some((piece, download)));
            }
            Some(Err(error)) => download.resume(Trouble::of(&error)).await?,
            None => {
                let left = download.left.end - download.left.start;
                let cause = format!("it ended {left} bytes before its end");
                download.resume(Trouble::Other(cause)).await?;
            }
        }
    }
    Ok(None)
}

impl Download {
    fn passed(&mut self, bytes: u64) -> Result<(), RepositoryError> {
        self.left.start += bytes;
        self.failures = 0;
        if self.left.start > self.left.end {
            return Err(self
                .source
                .failed(Trouble::Other("it is longer than it was announced".into())));
        }
        Ok(())
    }

    async fn resume(&mut self, trouble: Trouble) -> Result<(), RepositoryError> {
        self.failures += 1;
        if self.failures > limits::RESUMES || self.source.version.is_none() {
            return Err(self.source.failed(trouble));
        }
        tokio::time::sleep(limits::PAUSE * self.failures).await;
        let found = self.source.rest(&self.left).await;
        let found = found.map_err(|trouble| self.source.failed(trouble))?;
        self.pieces = found.into_stream();
        Ok(())
    }
}

impl Source {
    async fn rest(&self, left: &Range<u64>) -> Result<GetResult, Trouble> {
        let rest = GetOptions {
            range: Some(GetRange::Bounded(left.clone())),
            if_match: self.version.clone(),
            ..GetOptions::default()
        };
        let location = self.repository.location(&self.key)?;
        let found = self.repository.objects().get_opts(&location, rest).await;
        found.map_err(|error| match Trouble::of(&error) {
            trouble if trouble.is_condition() || trouble.is_missing() => {
                Trouble::Other("it was removed or replaced while it was read".into())
            }
            trouble => trouble,
        })
    }

    fn failed(&self, trouble: Trouble) -> RepositoryError {
        self.repository.failed(&self.key, trouble)
    }
}
