//! Reading an object as a stream that cannot end early. A download that breaks off is taken up
//! again where it stopped, as long as it is the same content: `object_store` would do so for the
//! first minute only.

use std::ops::Range;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, GetResult, ObjectStore};
use stillpoint_core::ports::repository::{Content, Object, Version};
use stillpoint_core::ports::{Key, RepositoryError};

use super::request_error::RequestError;
use super::{S3Repository, limits};
use crate::repository::errors;

type Pieces = BoxStream<'static, Result<Bytes, RequestError>>;

/// Begins to read a range of the same content.
type Resume = Box<dyn Fn(Range<u64>) -> BoxFuture<'static, Result<Pieces, RequestError>> + Send>;

struct Download {
    pieces: Pieces,
    left: Range<u64>,
    /// None where the server does not tell which content it is.
    resume: Option<Resume>,
    /// How often in a row it broke off without a byte.
    failures: u32,
}

pub(super) async fn open(repository: &S3Repository, key: &Key) -> Result<Object, RepositoryError> {
    let location = repository.located(key)?;
    let found = repository.objects().get_opts(&location, GetOptions::default()).await;
    let found = found.map_err(|error| repository.failed(key, RequestError::of(&error)))?;
    let (size, version) = (found.meta.size, found.meta.e_tag.clone());
    let written = errors::written(key.as_str(), &found.meta)?;
    let download = Download {
        pieces: pieces(found),
        left: 0..size,
        resume: version.clone().map(|version| resume(repository, key, version)),
        failures: 0,
    };
    Ok(Object {
        size,
        version: Version(version.unwrap_or_default()),
        written,
        content: content(repository, key, download),
    })
}

/// A server that tells no version is trusted to hold the same content.
pub(super) async fn open_range(
    repository: &S3Repository,
    key: &Key,
    was: &Version,
    range: Range<u64>,
) -> Result<Content, RepositoryError> {
    if range.is_empty() {
        return empty_range(repository, key, was).await;
    }
    let resume = resume(repository, key, was.0.clone());
    let pieces = match resume(range.clone()).await {
        Err(trouble) if trouble.is_condition() || trouble.is_missing() => {
            return Err(RepositoryError::Changed { key: key.to_string() });
        }
        pieces => pieces.map_err(|trouble| repository.failed(key, trouble))?,
    };
    let download = Download {
        pieces,
        left: range,
        resume: Some(resume),
        failures: 0,
    };
    Ok(content(repository, key, download))
}

/// No request asks for a range without a byte.
async fn empty_range(repository: &S3Repository, key: &Key, was: &Version) -> Result<Content, RepositoryError> {
    let found = repository.find(key).await;
    match found.map_err(|trouble| repository.failed(key, trouble))? {
        Some(found) if found.version == *was => Ok(stream::empty().boxed()),
        _ => Err(RepositoryError::Changed { key: key.to_string() }),
    }
}

fn content(repository: &S3Repository, key: &Key, download: Download) -> Content {
    let (repository, key) = (repository.clone(), key.clone());
    let content = stream::try_unfold(download, next);
    content.map_err(move |trouble| repository.failed(&key, trouble)).boxed()
}

fn pieces(found: GetResult) -> Pieces {
    found.into_stream().map_err(|error| RequestError::of(&error)).boxed()
}

fn resume(repository: &S3Repository, key: &Key, version: String) -> Resume {
    let (repository, key) = (repository.clone(), key.clone());
    Box::new(move |left| {
        let rest = GetOptions {
            range: Some(GetRange::Bounded(left)),
            if_match: Some(version.clone()).filter(|version| !version.is_empty()),
            ..GetOptions::default()
        };
        let (repository, location) = (repository.clone(), repository.location(&key));
        let begin = async move {
            let found = repository.objects().get_opts(&location?, rest).await;
            found.map(pieces).map_err(|error| RequestError::of(&error))
        };
        begin.boxed()
    })
}

async fn next(mut download: Download) -> Result<Option<(Bytes, Download)>, RequestError> {
    while !download.left.is_empty() {
        match download.pieces.next().await {
            Some(Ok(piece)) if piece.is_empty() => {}
            Some(Ok(piece)) => {
                download.passed(piece.len() as u64)?;
                return Ok(Some((piece, download)));
            }
            Some(Err(trouble)) => download.take_up(trouble).await?,
            None => {
                let left = download.left.end - download.left.start;
                let cause = format!("it ended {left} bytes before its end");
                download.take_up(RequestError::Other(cause)).await?;
            }
        }
    }
    Ok(None)
}

impl Download {
    fn passed(&mut self, bytes: u64) -> Result<(), RequestError> {
        self.left.start += bytes;
        self.failures = 0;
        if self.left.start > self.left.end {
            return Err(RequestError::Other("it is longer than it was announced".into()));
        }
        Ok(())
    }

    async fn take_up(&mut self, trouble: RequestError) -> Result<(), RequestError> {
        self.failures += 1;
        let Some(resume) = self.resume.as_ref().filter(|_| self.failures <= limits::RESUMES) else {
            return Err(trouble);
        };
        let rest = resume(self.left.clone());
        tokio::time::sleep(limits::PAUSE * self.failures).await;
        match rest.await {
            Err(trouble) if trouble.is_condition() || trouble.is_missing() => Err(RequestError::Other(
                "it was removed or replaced while it was read".into(),
            )),
            rest => {
                self.pieces = rest?;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"0123456789";

    fn broken() -> Result<Bytes, RequestError> {
        Err(RequestError::Silent("Connection reset by peer (os error 104)".into()))
    }

    /// A download whose connections each break off after `bytes` bytes; with `loud`, by an error.
    async fn read(bytes: usize, loud: bool) -> Result<Vec<u8>, RequestError> {
        let resume: Resume = Box::new(move |left| {
            let (start, end) = (usize::try_from(left.start).unwrap(), WHOLE.len());
            let piece = Ok(Bytes::from_static(&WHOLE[start..end.min(start + bytes)]));
            let pieces: Vec<_> = [piece].into_iter().chain(loud.then(broken)).collect();
            async { Ok(stream::iter(pieces).boxed()) }.boxed()
        });
        let download = Download {
            pieces: resume(0..10).await?,
            left: 0..10,
            resume: Some(resume),
            failures: 0,
        };
        let pieces: Vec<Bytes> = stream::try_unfold(download, next).try_collect().await?;
        Ok(pieces.concat())
    }

    #[tokio::test(start_paused = true)]
    async fn a_download_that_breaks_off_goes_on_where_it_stopped() {
        for loud in [true, false] {
            assert_eq!(read(1, loud).await.unwrap(), WHOLE);
            assert_eq!(read(3, loud).await.unwrap(), WHOLE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_get_on_fails_and_does_not_end() {
        assert_eq!(read(0, true).await, Err(broken().unwrap_err()));
        let ended = read(0, false).await.unwrap_err();
        assert_eq!(ended.to_string(), "it ended 10 bytes before its end");
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_was_announced_is_an_error() {
        let download = Download {
            pieces: stream::iter([Ok(Bytes::from_static(WHOLE))]).boxed(),
            left: 0..9,
            resume: None,
            failures: 0,
        };
        let read: Result<Vec<Bytes>, _> = stream::try_unfold(download, next).try_collect().await;
        assert!(read.is_err());
    }
}
