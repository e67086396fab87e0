//! Bodies on their way through: counted, and cut, ended, slowed or changed where a rule says so. Never
//! holds more than one piece. Trailers of HTTP are dropped: S3 has none.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};

use super::record::{Ending, Seen, State};
use super::wire::Scissors;

/// A body of either direction.
pub(super) type Body = UnsyncBoxBody<Bytes, anyhow::Error>;

/// What happens to a body; the default is nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    /// The connection that it goes out on is cut after so many bytes.
    pub cut_after: Option<u64>,
    /// Ends after so many bytes as if it were whole.
    pub end_after: Option<u64>,
    /// One bit of this byte is another one.
    pub flip_at: Option<u64>,
    /// Not faster than this.
    pub bytes_per_second: Option<u64>,
}

/// How a body's progress is written down.
pub(super) type Note = fn(&mut Seen, u64);

/// A body that is there already.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Passes a body on, piece by piece. Its length is what the headers say, so they need not change.
pub(super) fn shaped(body: Incoming, shape: Shape, wire: Scissors, to: Progress) -> Body {
    // One without a body must not be given one, or it would be announced.
    if body.is_end_stream() {
        return Empty::new().map_err(|never| match never {}).boxed_unsync();
    }
    let passing = Passing {
        body,
        shape,
        wire,
        rest: Bytes::new(),
        at: 0,
        to,
    };
    let pieces = stream::try_unfold(passing, async |mut passing| {
        let piece = passing.next().await?;
        Ok(piece.map(|piece| (Frame::data(piece), passing)))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// Where a body's progress is written down.
pub(super) struct Progress {
    pub state: Arc<State>,
    pub number: usize,
    pub note: Note,
    /// With the answer's body: the request has ended when that has, whole or not.
    #[expect(dead_code, reason = "held, and dropped with the body")]
    pub ending: Option<Ending>,
}

struct Passing {
    body: Incoming,
    shape: Shape,
    wire: Scissors,
    rest: Bytes,
    at: u64,
    to: Progress,
}

impl Passing {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.shape.end_after.is_some_and(|end| self.at >= end) {
            return Ok(None);
        }
        if self.shape.cut_after.is_some_and(|cut| self.at >= cut) {
            self.wire.cut();
            return pending().await;
        }
        while self.rest.is_empty() {
            match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => self.rest = frame?.into_data().unwrap_or_default(),
            }
        }
        let piece = self.take();
        self.slow_down(piece.len()).await;
        self.to
            .state
            .update(self.to.number, |seen| (self.to.note)(seen, self.at));
        Ok(Some(piece))
    }

    /// As much of the rest as may go at once.
    fn take(&mut self) -> Bytes {
        let ends = [self.shape.end_after, self.shape.cut_after];
        let to_the_end = ends.into_iter().flatten().map(|end| end - self.at).min();
        let at_once = self.shape.bytes_per_second.map(|rate| (rate / 10).max(1));
        let most = to_the_end.into_iter().chain(at_once).min().unwrap_or(u64::MAX);
        let length = usize::try_from(most).unwrap_or(usize::MAX).min(self.rest.len());
        let piece = self.rest.split_to(length);
        let before = self.at;
        self.at += length as u64;
        match self.shape.flip_at {
            Some(at) if (before..self.at).contains(&at) => flipped(piece, at - before),
            _ => piece,
        }
    }

    async fn slow_down(&self, length: usize) {
        if let Some(rate) = self.shape.bytes_per_second {
            let microseconds = length as u64 * 1_000_000 / rate.max(1);
            tokio::time::sleep(Duration::from_micros(microseconds)).await;
        }
    }
}

fn flipped(piece: Bytes, at: u64) -> Bytes {
    let mut piece = BytesMut::from(piece);
    if let Some(byte) = usize::try_from(at).ok().and_then(|at| piece.get_mut(at)) {
        *byte ^= 1;
    }
    piece.freeze()
}

/// Reads a body to its end and keeps it: for XML only.
pub(super) async fn collected(body: Incoming) -> Result<Bytes> {
    let collected = body.collect().await.context("the answer broke off")?;
    Ok(collected.to_bytes())
}

/// Reads a body to its end and counts it.
pub(super) async fn swallow(mut body: Incoming, progress: Progress) -> Result<()> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.data_ref().map_or(0, |data| data.len() as u64);
        progress
            .state
            .update(progress.number, |seen| (progress.note)(seen, length));
    }
    Ok(())
}
