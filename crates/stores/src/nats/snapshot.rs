//! A stream handed out by the server (nats-server, `server/jetstream_api.go`, `streamSnapshot`; the
//! API's `STREAM.SNAPSHOT`): chunks on an inbox of ours, each full one to be answered by an empty
//! message within 5 s, an empty chunk at the end. A chunk is answered when it lies in the spool, so the
//! window bounds what waits in memory.

use async_nats::Subscriber;
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use serde_json::json;
use stillpoint_core::stores::{Cx, StoreError};

use super::intake::Pieces;
use super::link::{Link, Refusal};
use super::streams::Stream;
use crate::toolbox::guarded;

/// Bytes of a chunk, at most; the server takes 1 KiB to 1 MiB.
const CHUNK: usize = 512 << 10;

/// Bytes of chunks of all streams that may be on their way: they wait in our memory until the spool has
/// them. More than this is no faster.
pub(super) const IN_FLIGHT: usize = 8 << 20;

/// How a header ends that says all is well.
const DONE: u16 = 204;

/// A snapshot that is under way. Dropped, it ends: the server sees that nobody listens.
pub(super) struct Snapshot<'a> {
    link: &'a Link,
    doing: String,
    chunks: Subscriber,
    /// Where the chunk before is to be answered.
    answer: Option<String>,
    /// Full chunks that have come.
    full: u64,
    ended: bool,
}

impl Link {
    /// Begins the snapshot of a stream: its configuration and state, and its archive in pieces. The inner
    /// error is the server's refusal.
    pub(super) async fn snapshot(
        &self,
        cx: &Cx,
        stream: &str,
        in_flight: usize,
    ) -> Result<Result<(Stream, Snapshot<'_>), Refusal>, StoreError> {
        let doing = format!("the snapshot of stream {stream}");
        let inbox = self.inbox();
        // Before the request: the server waits two seconds for somebody who listens.
        let chunks = self.listen(cx, &inbox).await?;
        let request = json!({
            "deliver_subject": inbox,
            "no_consumers": false,
            "chunk_size": CHUNK.min(self.largest_message() / 2),
            "window_size": in_flight,
        });
        let answer = self
            .try_ask(cx, &doing, &format!("STREAM.SNAPSHOT.{stream}"), &request)
            .await?;
        Ok(answer.map(|answer| {
            let snapshot = Snapshot {
                link: self,
                doing,
                chunks,
                answer: None,
                full: 0,
                ended: false,
            };
            (Stream::of(&answer), snapshot)
        }))
    }
}

#[async_trait]
impl Pieces for Snapshot<'_> {
    async fn next(&mut self, cx: &Cx) -> Result<Option<Bytes>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        if let Some(answer) = self.answer.take() {
            self.link.send(cx, answer, None, Bytes::new()).await?;
        }
        let chunk = self.link.sound(&self.doing, self.chunks.next());
        let chunk = guarded(cx, &self.doing, chunk).await??;
        let chunk = chunk.ok_or_else(|| self.failed("the connection ended"))?;
        self.answer = chunk.reply.map(|subject| subject.to_string());
        if self.answer.is_some() {
            self.full += 1;
        }
        if self
            .answer
            .as_ref()
            .and_then(|to| said(to))
            .is_some_and(|said| said != (chunk.payload.len(), self.full))
        {
            return Err(self.failed("a chunk was lost"));
        }
        if chunk.payload.is_empty() {
            self.ended = true;
            let status = chunk.status.map(|status| status.as_u16());
            return match status {
                // A stream that fits into one chunk ends without any header.
                None | Some(DONE) => Ok(None),
                Some(status) => Err(self.failed(&format!("{status} {}", chunk.description.unwrap_or_default()))),
            };
        }
        Ok(Some(chunk.payload))
    }
}

/// What the place for an answer says of its chunk: `$JS.SNAPSHOT.ACK.<stream>.<id>.<bytes>.<number from 1>`.
fn said(answer: &str) -> Option<(usize, u64)> {
    let mut words = answer.rsplit('.');
    let (number, bytes) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((bytes, number))
}

impl Snapshot<'_> {
    fn failed(&self, cause: &str) -> StoreError {
        StoreError::Server {
            doing: format!("{} ({})", self.doing, self.link.login.told()),
            cause: cause.trim().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn a_chunk_is_told_by_its_size_and_number() {
        assert_eq!(said("$JS.SNAPSHOT.ACK.ORDERS.Xyz.524288.7"), Some((524_288, 7)));
        assert_eq!(said("$JS.SNAPSHOT.ACK.ORDERS.Xyz"), None);
    }
}
