//! A stream handed back to the server (nats-server, `server/jetstream_api.go`, `processStreamRestore`;
//! the API's `STREAM.RESTORE`): pieces of 512 KiB to a subject that the answer names, each of which the server
//! answers (an answer with a body is an error), and an empty one at the end. The server gives up after
//! 5 s without a piece, so they come from this host's disk, never from the repository.

use std::time::Duration;

use async_nats::Subscriber;
use bytes::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};
use stillpoint_core::stores::{Cx, StoreError};
use tokio_util::sync::CancellationToken;

use super::intake::{Kept, piece, spool};
use super::link::Link;
use super::streams::Stream;
use crate::toolbox::guarded;

/// Pieces that may be unanswered.
const UNANSWERED: usize = 8;

/// How long the server has for ending a restore that is given up: it and the deletion of what came of it
/// fit into the ten seconds that a cancelled call has.
const GIVE_UP: Duration = Duration::from_secs(4);

/// What a message needs beside its body.
const HEADROOM: usize = 4 << 10;

impl Link {
    /// Makes a stream from its archive; there must be none of its name. Returns the stream as the server
    /// then has it. After an error a part of the stream may be there.
    pub(super) async fn upload(&self, cx: &Cx, stream: &Stream, kept: Kept) -> Result<Stream, StoreError> {
        let name = stream.name();
        let doing = format!("restoring stream {name}");
        let request = json!({"config": stream.config, "state": stream.state});
        let answer = self
            .ask(cx, &doing, &format!("STREAM.RESTORE.{name}"), &request)
            .await?;
        let to = answer
            .get("deliver_subject")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let inbox = self.inbox();
        let answers = self.listen(cx, &inbox).await?;
        let mut upload = Upload {
            link: self,
            doing: &doing,
            to: &to,
            inbox,
            answers,
            unanswered: 0,
        };
        if let Err(error) = upload.send_all(cx, kept).await {
            self.give_up(cx, &doing, to.clone()).await;
            return Err(error);
        }
        let end = self.request_by_size(cx, &doing, to.clone()).await?;
        match Self::read(&doing, &end.payload)? {
            Ok(made) => Ok(Stream::of(&made)),
            Err(refusal) => Err(self.refused(&doing, &refusal)),
        }
    }

    /// Ends a restore that cannot be finished: the server then has no part in it any more, instead of
    /// waiting for the next piece while the stream is being deleted.
    async fn give_up(&self, cx: &Cx, doing: &str, to: String) {
        let cx = Cx {
            cancel: CancellationToken::new(),
            idle_limit: GIVE_UP,
            ..cx.clone()
        };
        if let Err(error) = self.request(&cx, doing, to, Bytes::new()).await {
            cx.report
                .warn(format!("a restore that failed was not ended at once: {error}"));
        }
    }
}

struct Upload<'a> {
    link: &'a Link,
    doing: &'a str,
    to: &'a str,
    inbox: String,
    answers: Subscriber,
    unanswered: usize,
}

impl Upload<'_> {
    async fn send_all(&mut self, cx: &Cx, mut kept: Kept) -> Result<(), StoreError> {
        let largest = self.link.largest_message().saturating_sub(HEADROOM).max(1);
        loop {
            let read = guarded(cx, "reading the spool", piece(&mut kept.file)).await?;
            let Some(mut bytes) = read.map_err(|error| spool(cx, &error))? else {
                break;
            };
            while !bytes.is_empty() {
                let part = bytes.split_to(bytes.len().min(largest));
                self.send(cx, part).await?;
            }
        }
        while self.unanswered > 0 {
            self.answered(cx).await?;
        }
        Ok(())
    }

    async fn send(&mut self, cx: &Cx, part: Bytes) -> Result<(), StoreError> {
        while self.unanswered >= UNANSWERED {
            self.answered(cx).await?;
        }
        self.link.send(cx, self.to.to_owned(), Some(&self.inbox), part).await?;
        self.unanswered += 1;
        Ok(())
    }

    /// Waits for one answer.
    async fn answered(&mut self, cx: &Cx) -> Result<(), StoreError> {
        let answer = self.link.sound(self.doing, self.answers.next());
        let answer = guarded(cx, self.doing, answer).await??;
        let answer = answer.ok_or_else(|| self.failed("the connection ended"))?;
        if answer.status.is_some() {
            return Err(self.failed("the server has given the restore up"));
        }
        if !answer.payload.is_empty() {
            let refusal = Link::read(self.doing, &answer.payload)?;
            return Err(match refusal {
                Err(refusal) => self.link.refused(self.doing, &refusal),
                Ok(_) => self.failed("an answer that was not expected"),
            });
        }
        self.unanswered -= 1;
        Ok(())
    }

    fn failed(&self, cause: &str) -> StoreError {
        StoreError::Server {
            doing: format!("{} ({})", self.doing, self.link.login.told()),
            cause: cause.into(),
        }
    }
}
