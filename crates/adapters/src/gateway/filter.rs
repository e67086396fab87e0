//! What is refused before `s3s` sees it: what it would accept but no store sends (older signatures, signed URLs, forms, whose
//! content it would gather in memory before it knows who asks), and chunks of a signed stream that are too large: it
//! gathers each whole to check its signature.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, EXPECT};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use s3s::{S3Result, StdError, s3_error};
use tokio::time::timeout;

/// The largest chunk: clients send 64 or 128 KiB.
const LARGEST_CHUNK: u64 = 1 << 20;

/// What is read of a refused request before its answer: more ends the connection, and may take the answer with it.
const DRAINED: usize = 32 << 20;

/// For so long at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether `s3s` may see a request with these headers.
pub(super) fn admit(headers: &HeaderMap) -> S3Result<()> {
    if !starts_with(headers, AUTHORIZATION.as_str(), "aws4-hmac-sha256 ") {
        return Err(s3_error!(
            AccessDenied,
            "a request needs a signature of version 4 in its header"
        ));
    }
    if starts_with(headers, CONTENT_TYPE.as_str(), "multipart/") {
        return Err(s3_error!(NotImplemented, "forms are not taken"));
    }
    Ok(())
}

fn starts_with(headers: &HeaderMap, name: &str, start: &str) -> bool {
    let value = headers.get(name).and_then(|value| value.as_bytes().get(..start.len()));
    value.is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
}

/// A body that is looked at as it passes, and of which the rest can be read away.
#[derive(Clone, Debug)]
pub(super) struct Guarded(Arc<Mutex<Passing>>);

#[derive(Debug)]
struct Passing {
    body: Incoming,
    /// Where it comes in chunks (Amazon's manual, "Signature Calculations: Transferring Payload in Multiple Chunks").
    chunks: Option<Chunks>,
    /// Its client waits to be told that it may send.
    waits: bool,
}

impl Guarded {
    pub(super) fn new(headers: &HeaderMap, body: Incoming) -> Self {
        let is_chunked = starts_with(headers, "x-amz-content-sha256", "streaming-");
        Self(Arc::new(Mutex::new(Passing {
            body,
            chunks: is_chunked.then(Chunks::default),
            waits: headers.contains_key(EXPECT),
        })))
    }

    /// Reads away what nobody has read, of a request that was refused.
    pub(super) async fn drain(&self) {
        if self.passing().waits {
            return;
        }
        let mut left = DRAINED;
        let all = async {
            while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut self.passing().body).poll_frame(cx)).await {
                let size = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(size) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        // Then the connection ends with the answer.
        drop(timeout(PATIENCE, all).await);
    }

    fn passing(&self) -> MutexGuard<'_, Passing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passing {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        self.waits = false;
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(self.pass(&frame).map(|()| frame)),
            Some(Err(error)) => Some(Err(error.into())),
            None => None,
        })
    }

    fn pass(&mut self, frame: &Frame<Bytes>) -> Result<(), StdError> {
        match (&mut self.chunks, frame.data_ref()) {
            (Some(chunks), Some(data)) => chunks.pass(data).map_err(Into::into),
            _ => Ok(()),
        }
    }
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        self.passing().poll(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.passing().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.passing().body.size_hint()
    }
}

/// Follows the lengths of the chunks; what is not well formed `s3s` refuses.
#[derive(Debug)]
enum Chunks {
    /// In the hexadecimal digits that begin a chunk.
    Size(u64),
    /// Behind them.
    Rest(u64),
    /// In a chunk's bytes and the two that end it.
    Bytes(u64),
    /// Behind the last chunk.
    End,
}

impl Default for Chunks {
    fn default() -> Self {
        Self::Size(0)
    }
}

impl Chunks {
    fn pass(&mut self, mut data: &[u8]) -> Result<(), &'static str> {
        while let Some((first, rest)) = data.split_first() {
            match *self {
                Self::End => return Ok(()),
                Self::Bytes(left) => {
                    let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
                    data = &data[skipped..];
                    let left = left - skipped as u64;
                    *self = if left == 0 { Self::Size(0) } else { Self::Bytes(left) };
                    continue;
                }
                Self::Rest(size) if *first == b'\n' => {
                    *self = if size == 0 { Self::End } else { Self::Bytes(size + 2) };
                }
                Self::Rest(_) => {}
                Self::Size(size) => match char::from(*first).to_digit(16) {
                    Some(digit) if size <= LARGEST_CHUNK => *self = Self::Size(size * 16 + u64::from(digit)),
                    _ if size > LARGEST_CHUNK => return Err("a chunk is larger than 1 MiB"),
                    _ => *self = Self::Rest(size),
                },
            }
            data = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(pieces: &[&[u8]]) -> bool {
        let mut chunks = Chunks::default();
        pieces.iter().all(|piece| chunks.pass(piece).is_ok())
    }

    #[test]
    fn chunks_of_a_mebibyte_pass_and_larger_ones_do_not() {
        let chunk = vec![b'f'; 1 << 20];
        let whole = [
            b"100000;chunk-signature=ab\r\n",
            &chunk[..],
            b"\r\n0;chunk-signature=cd\r\n\r\n",
        ]
        .concat();
        assert!(passes(&[&whole]));
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert!(passes(&bytes));
        let twice = [&whole[..whole.len() - 26], &whole[..]].concat();
        assert!(passes(&[&twice]));
        for larger in [&b"100001\r\n"[..], b"fffffffffffffffffffffff\r\n", b"100001;x"] {
            assert!(!passes(&[larger]), "{larger:?}");
            assert!(!passes(&[b"2\r\nff\r\n", larger]), "{larger:?}");
        }
    }

    #[test]
    fn what_follows_the_last_chunk_is_no_chunk() {
        assert!(passes(&[b"0\r\n", b"ffffffffffffffff:x\r\n"]));
    }

    #[test]
    fn only_a_signature_of_version_4_in_the_header_passes() {
        let headers = |value: &str| HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        assert!(admit(&headers("AWS4-HMAC-SHA256 Credential=a")).is_ok());
        for other in ["AWS a:b", "", "Basic AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256"] {
            assert!(admit(&headers(other)).is_err(), "{other}");
        }
        assert!(admit(&HeaderMap::new()).is_err());
        let mut form = headers("AWS4-HMAC-SHA256 Credential=a");
        form.insert(CONTENT_TYPE, "multipart/form-data; boundary=a".parse().unwrap());
        assert!(admit(&form).is_err());
    }
}
