//! Reading an object as a stream that cannot end early.
//!
//! Not by `object_store`'s own stream: it reads 8 KiB at a time, and a file that shrinks under it
//! gives empty pieces for ever.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use object_store::{GetResult, GetResultPayload};
use stillpoint_core::ports::repository::{Content, Object, Version};
use stillpoint_core::ports::{Key, RepositoryError};

use super::errors;

const PIECE: u64 = 1 << 20;

pub(super) fn object(key: &Key, found: GetResult) -> Result<Object, RepositoryError> {
    let size = found.meta.size;
    let version = Version(found.meta.e_tag.clone().unwrap_or_default());
    let written = errors::written(key.as_str(), &found.meta)?;
    let content = range(key, found, 0..size)?;
    Ok(Object {
        size,
        version,
        written,
        content,
    })
}

/// A range of the whole object that was found.
pub(super) fn range(key: &Key, found: GetResult, range: Range<u64>) -> Result<Content, RepositoryError> {
    match found.payload {
        GetResultPayload::File(mut file, _) => {
            let found = file.seek(SeekFrom::Start(range.start));
            found.map_err(|error| errors::from_io(key.as_str(), &error))?;
            Ok(pieces(key.clone(), file, range.end - range.start))
        }
        GetResultPayload::Stream(_) => Err(RepositoryError::Failed {
            key: key.to_string(),
            cause: "it is no file".into(),
        }),
    }
}

fn pieces(key: Key, file: File, size: u64) -> Content {
    let next = move |(file, left): (File, u64)| {
        let key = key.clone();
        async move {
            if left == 0 {
                return Ok(None);
            }
            let read = tokio::task::spawn_blocking(move || piece(file, left)).await;
            match read.map_err(io::Error::other).flatten() {
                Ok((piece, file)) => {
                    let left = left - piece.len() as u64;
                    Ok(Some((piece, (file, left))))
                }
                Err(error) => Err(errors::from_io(key.as_str(), &error)),
            }
        }
    };
    stream::try_unfold((file, size), next).boxed()
}

fn piece(mut file: File, left: u64) -> io::Result<(Bytes, File)> {
    let mut buffer = Vec::with_capacity(usize::try_from(left.min(PIECE)).unwrap_or_default());
    (&mut file).take(left.min(PIECE)).read_to_end(&mut buffer)?;
    if buffer.is_empty() {
        let cause = format!("it ended {left} bytes before its end");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cause));
    }
    Ok((buffer.into(), file))
}
