//! A process's output out of the engine's one stream of frames. Both the reader and the process's
//! control drive it; nothing is buffered beyond the frame at hand, so a reader that stops reading
//! stops the process. An end is told only once the engine has told the process's.
//!
//! A stream that ends before its process does was cut, by a proxy on the way: what the process writes afterwards is lost. One
//! cut cannot be seen: between two frames, after the process has ended with 0 or half a second before. Over the engine's own
//! socket there is none.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bollard::container::LogOutput;
use bollard::errors::Error;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::poll_fn;
use futures::stream::{self, BoxStream};
use stillpoint_core::ports::EngineError;
use tokio::io::{AsyncRead, ReadBuf};

use super::kill::Target;

/// The engine's stream, as its client takes it apart.
pub(super) type Frames = Pin<Box<dyn futures::Stream<Item = Result<LogOutput, Error>> + Send>>;

/// So much of the error output is kept: its beginning, where a reason stands, and its end.
const TAIL: usize = 8 * 1024;
const HEAD: usize = 2 * 1024;

/// 128 + SIGKILL: whoever was killed so did not finish its output.
const KILLED: i64 = 137;

/// A process's error output, without its middle if it is long.
#[derive(Clone, Default)]
pub(super) struct Tail(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    end: VecDeque<u8>,
    /// Something between them was forgotten.
    gap: bool,
}

impl Tail {
    /// Appends, and forgets what is too old.
    pub(super) fn push(&self, piece: &[u8]) {
        let mut kept = locked(&self.0);
        let to_head = piece.len().min(HEAD - kept.head.len());
        let (first, rest) = piece.split_at(to_head);
        kept.head.extend_from_slice(first);
        kept.end.extend(rest);
        let surplus = kept.end.len().saturating_sub(TAIL - HEAD);
        kept.end.drain(..surplus);
        kept.gap |= surplus > 0;
    }

    /// What is kept, as text.
    pub(super) fn text(&self) -> String {
        let mut kept = locked(&self.0);
        let gap: &[u8] = if kept.gap { b" [\xe2\x80\xa6] " } else { b"" };
        let whole = [&kept.head.clone(), gap, kept.end.make_contiguous()].concat();
        String::from_utf8_lossy(&whole).into_owned()
    }
}

/// The output. Clones share it: whichever is polled takes what comes next.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<Inner>>);

struct Inner {
    pieces: BoxStream<'static, Result<Bytes, String>>,
    piece: Bytes,
    end: Option<Result<(), String>>,
    /// Somebody wants it.
    read: bool,
    /// Why the reader gets nothing any more.
    barred: Option<&'static str>,
    reader: Option<Waker>,
}

impl Output {
    /// The output that begins with `first` and goes on with the frames.
    pub(super) fn new(first: Bytes, frames: Frames, tail: Tail, target: Target) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            pieces: pieces(frames, tail, target).boxed(),
            piece: first,
            end: None,
            read: false,
            barred: None,
            reader: None,
        })))
    }

    /// Whether somebody has begun to read it.
    pub(super) fn was_read(&self) -> bool {
        locked(&self.0).read
    }

    /// Takes the output from its reader, who fails with `why` from now on.
    pub(super) fn bar(&self, why: &'static str) {
        let mut inner = locked(&self.0);
        inner.barred.get_or_insert(why);
        inner.wake_reader();
    }

    /// Throws away what is left and returns how the stream ended. A reader who comes later is told
    /// that something is missing, if it is.
    pub(super) async fn drain(&self) -> Result<(), String> {
        loop {
            let more = poll_fn(|context| locked(&self.0).poll_dropped(context)).await;
            if more != Ok(true) {
                locked(&self.0).wake_reader();
                return more.map(drop);
            }
            self.bar("the output was thrown away because its end was asked for before it was read");
        }
    }
}

impl Inner {
    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Whether there is something to read; false at the end, and an error ever after one.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, String>> {
        while self.piece.is_empty() {
            if let Some(end) = &self.end {
                return Poll::Ready(end.clone().map(|()| false));
            }
            match ready!(self.pieces.poll_next_unpin(context)) {
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(cause)) => self.end = Some(Err(cause)),
                None => self.end = Some(Ok(())),
            }
        }
        Poll::Ready(Ok(true))
    }

    fn poll_dropped(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, String>> {
        let more = ready!(self.poll_piece(context));
        self.piece.clear();
        Poll::Ready(more)
    }
}

impl AsyncRead for Output {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let cut = |cause: String| io::Error::new(io::ErrorKind::UnexpectedEof, cause);
        let mut inner = locked(&self.0);
        if let Some(why) = inner.barred {
            return Poll::Ready(Err(cut(why.to_owned())));
        }
        inner.read = true;
        inner.reader = Some(context.waker().clone());
        if ready!(inner.poll_piece(context)).map_err(cut)? {
            let length = inner.piece.len().min(buffer.remaining());
            buffer.put_slice(&inner.piece.split_to(length));
        }
        Poll::Ready(Ok(()))
    }
}

fn pieces(frames: Frames, tail: Tail, target: Target) -> impl futures::Stream<Item = Result<Bytes, String>> + Send {
    stream::try_unfold((frames, tail, target), |(mut frames, tail, target)| async move {
        while let Some(frame) = frames.next().await {
            match frame {
                Ok(LogOutput::StdOut { message }) => return Ok(Some((message, (frames, tail, target)))),
                Ok(LogOutput::StdErr { message }) => tail.push(&message),
                other => return Err(damage(other)),
            }
        }
        // The end of the connection is not the end of the process.
        match ended(&target).await {
            Ok(KILLED) => Err("the process was killed".to_owned()),
            Ok(_) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    })
    .fuse()
}

async fn ended(target: &Target) -> Result<i64, EngineError> {
    let running = &target.running;
    match running.ended_as_usual().await {
        Some(code) => code,
        None if target.lives().await? => Err(running.act("run").cut("its stream ended, but the process runs on")),
        None => running.ended().await,
    }
}

/// What a frame that should not be there means. The client hands out what is left of a cut frame
/// as `Console`, which a stream without a terminal never has.
pub(super) fn damage(frame: Result<LogOutput, Error>) -> String {
    match frame {
        Err(error) => format!("the connection broke: {error}"),
        Ok(frame) => format!("a frame was cut after {} bytes", frame.as_ref().len()),
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_and_end_are_kept() {
        let tail = Tail::default();
        tail.push(b"reason ");
        tail.push(&vec![b'x'; TAIL - 7]);
        assert_eq!(tail.text(), format!("reason {}", "x".repeat(TAIL - 7)));
        tail.push(b"new");
        let text = tail.text();
        assert!(
            text.starts_with("reason xxx") && text.contains("x […] x") && text.ends_with("xnew"),
            "{text}"
        );
        tail.push(&vec![b'y'; TAIL * 2]);
        assert!(tail.text().ends_with(&format!("[…] {}", "y".repeat(TAIL - HEAD))));
    }
}
