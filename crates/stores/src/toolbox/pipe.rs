//! Bytes between a process in a container and the repository. Whatever goes wrong, the process is
//! gone when these return an error.

use std::io::{Cursor, ErrorKind};
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures::future::{Either, join, select};
use stillpoint_core::backups::{ArtifactError, ArtifactReader};
use stillpoint_core::ports::shell::{Control, Exit, Process};
use stillpoint_core::ports::{EngineError, within};
use stillpoint_core::sink::ArtifactWriter;
use stillpoint_core::stores::{Cx, StoreError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{BY_SIZE, cancellable, guarded};

/// Bytes that are read from a process at once.
const PIECE: usize = 256 << 10;

/// Packed bytes that are unpacked at once: a thousand times as many are held then, at worst.
pub(crate) const UNPACKED_AT_ONCE: usize = 8 << 10;

/// More than any text that is collected whole may have: globals of a very large server.
const COLLECT_LIMIT: usize = 64 << 20;

/// Characters of a line of a tool's that are told.
const LONGEST_LINE: usize = 400;

/// What a process was to do, for messages.
#[derive(Clone, Copy)]
pub(crate) struct Doing<'a> {
    /// In words: `dumping database x`.
    pub(crate) what: &'a str,
    /// The program.
    pub(crate) tool: &'a str,
}

/// What looks at bytes while they pass.
type Watch<'a> = &'a mut (dyn FnMut(&Bytes) + Send);

/// What makes other bytes of those that pass.
pub(crate) type Pass<'a> = &'a mut (dyn FnMut(Bytes) -> Result<Bytes, StoreError> + Send);

/// Streams a process's output into an artifact, and returns when the process has exited with 0.
pub(crate) async fn stream_out(
    cx: &Cx,
    doing: Doing<'_>,
    process: Process,
    writer: &mut ArtifactWriter,
) -> Result<(), StoreError> {
    stream_out_watched(cx, doing, process, writer, &mut |_| {}).await
}

/// As [`stream_out`]; `watch` sees every byte.
pub(crate) async fn stream_out_watched(
    cx: &Cx,
    doing: Doing<'_>,
    mut process: Process,
    writer: &mut ArtifactWriter,
    watch: Watch<'_>,
) -> Result<(), StoreError> {
    let mut pass = |piece| {
        watch(&piece);
        Ok(piece)
    };
    let copied = copy_out(cx, doing, &mut process.output, writer, &mut pass).await;
    ended(cx, doing, process.control, copied).await
}

/// Streams what a process makes of a script into an artifact, and returns when it has exited with 0; `pass` makes of each
/// piece what is written.
pub(crate) async fn stream_out_of_script(
    cx: &Cx,
    doing: Doing<'_>,
    mut process: Process,
    script: &[u8],
    writer: &mut ArtifactWriter,
    pass: Pass<'_>,
) -> Result<(), StoreError> {
    let input = process.input.take();
    let (told, copied) = join(
        tell(cx, doing, input, script),
        copy_out(cx, doing, &mut process.output, writer, pass),
    )
    .await;
    ended(cx, doing, process.control, copied.and(told)).await
}

/// Gives a script to a process. One that closed its input says why by its exit code.
async fn tell(
    cx: &Cx,
    doing: Doing<'_>,
    input: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    script: &[u8],
) -> Result<(), StoreError> {
    let Some(mut pipe) = input else { return Ok(()) };
    let write = async {
        pipe.write_all(script).await?;
        pipe.shutdown().await
    };
    // As long as a statement before takes: what does not move is noticed at the output.
    let _ = within(&*cx.clock, BY_SIZE, doing.what, cancellable(cx, write)).await??;
    Ok(())
}

/// Gives a script to a process and waits for its end.
pub(crate) async fn run_script(
    cx: &Cx,
    doing: Doing<'_>,
    mut process: Process,
    script: &[u8],
) -> Result<(), StoreError> {
    let input = process.input.take();
    let (told, exit) = join(
        tell(cx, doing, input, script),
        unheard(cx, doing, &mut *process.control),
    )
    .await;
    concluded(cx, doing, process, told.and(exit)).await
}

async fn copy_out(
    cx: &Cx,
    doing: Doing<'_>,
    output: &mut (dyn AsyncRead + Send + Unpin),
    writer: &mut ArtifactWriter,
    pass: Pass<'_>,
) -> Result<(), StoreError> {
    while let Some(piece) = read(cx, doing, output).await? {
        let piece = pass(piece)?;
        if !piece.is_empty() {
            guarded(cx, "writing to the repository", writer.write(piece)).await??;
        }
    }
    Ok(())
}

async fn read(
    cx: &Cx,
    doing: Doing<'_>,
    output: &mut (dyn AsyncRead + Send + Unpin),
) -> Result<Option<Bytes>, StoreError> {
    let mut piece = BytesMut::with_capacity(PIECE);
    let read = guarded(cx, doing.what, output.read_buf(&mut piece)).await?;
    let length = read.map_err(|error| cut(doing, &error))?;
    Ok((length > 0).then(|| piece.freeze()))
}

/// Waits for the first bytes of a process's output, and puts them back before the rest. A process that
/// ends without any is a failure.
pub(crate) async fn opened(cx: &Cx, doing: Doing<'_>, mut process: Process) -> Result<Process, StoreError> {
    match read(cx, doing, &mut process.output).await {
        Ok(Some(head)) => {
            process.output = Box::new(Cursor::new(head).chain(process.output));
            Ok(process)
        }
        Ok(None) => {
            ended(cx, doing, process.control, Ok(())).await?;
            Err(cut(doing, &ErrorKind::UnexpectedEof.into()))
        }
        Err(error) => {
            end(cx, doing, process).await;
            Err(error)
        }
    }
}

/// Ends a process that is not wanted any more.
pub(crate) async fn end(cx: &Cx, doing: Doing<'_>, mut process: Process) {
    killed(cx, doing, &mut *process.control).await;
}

/// Waits for the end of a process that says nothing, however long it works.
pub(crate) async fn finished(cx: &Cx, doing: Doing<'_>, mut process: Process) -> Result<(), StoreError> {
    match unheard(cx, doing, &mut *process.control).await {
        Ok(exit) => judged(doing, exit),
        Err(error) => {
            end(cx, doing, process).await;
            Err(error)
        }
    }
}

/// Collects a process's output as text.
pub(crate) async fn collect(cx: &Cx, doing: Doing<'_>, mut process: Process) -> Result<String, StoreError> {
    let mut whole = BytesMut::new();
    let read = gather(cx, doing, &mut process.output, &mut whole).await;
    ended(cx, doing, process.control, read).await?;
    String::from_utf8(whole.into()).map_err(|error| StoreError::Unfit(format!("{}: {error}", doing.what)))
}

/// Collects what a process says of an artifact. It may end before it has read all of it, and nothing more of the artifact is
/// read then: this proves nothing of the rest.
pub(crate) async fn collect_of(
    cx: &Cx,
    doing: Doing<'_>,
    mut process: Process,
    artifact: ArtifactReader,
) -> Result<Bytes, StoreError> {
    let mut whole = BytesMut::new();
    let (input, mut unchanged) = (process.input.take(), Ok);
    let read = {
        let feed = pin!(copy_in(cx, doing, artifact, input, (usize::MAX, &mut unchanged)));
        let gather = pin!(gather(cx, doing, &mut process.output, &mut whole));
        match select(gather, feed).await {
            Either::Left((gathered, _)) => gathered,
            Either::Right((Ok(()), gather)) => gather.await,
            Either::Right((Err(error), _)) => Err(error),
        }
    };
    ended(cx, doing, process.control, read).await?;
    Ok(whole.freeze())
}

async fn gather(
    cx: &Cx,
    doing: Doing<'_>,
    output: &mut (dyn AsyncRead + Send + Unpin),
    whole: &mut BytesMut,
) -> Result<(), StoreError> {
    while let Some(piece) = read(cx, doing, output).await? {
        whole.extend_from_slice(&piece);
        if whole.len() > COLLECT_LIMIT {
            return Err(StoreError::Unfit(format!(
                "{}: more than {COLLECT_LIMIT} bytes",
                doing.what
            )));
        }
    }
    Ok(())
}

/// Feeds an artifact to a process and waits for both ends. An artifact that turns out to be damaged
/// never ends as a regular end of input.
pub(crate) async fn feed(
    cx: &Cx,
    doing: Doing<'_>,
    process: Process,
    artifact: ArtifactReader,
) -> Result<(), StoreError> {
    feed_watched(cx, doing, process, artifact, &mut |_| {}).await
}

/// As [`feed`]; `watch` sees every byte of the artifact.
pub(crate) async fn feed_watched(
    cx: &Cx,
    doing: Doing<'_>,
    process: Process,
    artifact: ArtifactReader,
    watch: Watch<'_>,
) -> Result<(), StoreError> {
    let mut pass = |piece| {
        watch(&piece);
        Ok(piece)
    };
    feed_pieces(cx, doing, process, artifact, (usize::MAX, &mut pass)).await
}

/// As [`feed`]; `pass` makes of each piece of the artifact what the process is given, which may be a thousand times as much.
pub(crate) async fn feed_through(
    cx: &Cx,
    doing: Doing<'_>,
    process: Process,
    artifact: ArtifactReader,
    pass: Pass<'_>,
) -> Result<(), StoreError> {
    feed_pieces(cx, doing, process, artifact, (UNPACKED_AT_ONCE, pass)).await
}

async fn feed_pieces(
    cx: &Cx,
    doing: Doing<'_>,
    mut process: Process,
    artifact: ArtifactReader,
    pass: (usize, Pass<'_>),
) -> Result<(), StoreError> {
    let input = process.input.take();
    let (fed, exit) = join(
        copy_in(cx, doing, artifact, input, pass),
        unheard(cx, doing, &mut *process.control),
    )
    .await;
    concluded(cx, doing, process, fed.and(exit)).await
}

async fn copy_in(
    cx: &Cx,
    doing: Doing<'_>,
    mut artifact: ArtifactReader,
    mut input: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    (at_most, pass): (usize, Pass<'_>),
) -> Result<(), StoreError> {
    while let Some(mut whole) = guarded(cx, doing.what, artifact.next()).await?.map_err(damaged)? {
        while !whole.is_empty() {
            let piece = pass(whole.split_to(whole.len().min(at_most)))?;
            // A process that closed its input says why by its exit code; the artifact is still read to
            // its end, because only the end proves its hash.
            if let Some(pipe) = &mut input
                && guarded(cx, doing.what, pipe.write_all(&piece)).await?.is_err()
            {
                input = None;
            }
        }
    }
    if let Some(mut pipe) = input {
        let _ = guarded(cx, doing.what, pipe.shutdown()).await?;
    }
    Ok(())
}

/// What its end says, or the end of a process whose input could not be given to it.
async fn concluded(
    cx: &Cx,
    doing: Doing<'_>,
    process: Process,
    exit: Result<Exit, StoreError>,
) -> Result<(), StoreError> {
    match exit {
        Ok(exit) => judged(doing, exit),
        Err(error) => {
            end(cx, doing, process).await;
            Err(error)
        }
    }
}

/// The end of a process whose output nobody wants. Silence is no sign of trouble here: a large index is built without a
/// word, and where the way to the process is cut meanwhile its own end counts.
async fn unheard(cx: &Cx, doing: Doing<'_>, control: &mut dyn Control) -> Result<Exit, StoreError> {
    Ok(within(&*cx.clock, BY_SIZE, doing.what, cancellable(cx, control.finish())).await???)
}

fn judged(doing: Doing<'_>, exit: Exit) -> Result<(), StoreError> {
    match exit {
        Exit { code: 0, .. } => Ok(()),
        Exit { code, errors } => Err(StoreError::Tool {
            doing: doing.what.to_owned(),
            tool: doing.tool.to_owned(),
            code,
            errors: concise(&errors),
        }),
    }
}

/// A tool's words without what nobody reads: `pg_dump` repeats a statement with the names of all tables.
fn concise(errors: &str) -> String {
    let lines = errors
        .trim()
        .lines()
        .map(|line| match line.char_indices().nth(LONGEST_LINE) {
            Some((at, _)) => format!("{}… ({} bytes more)", &line[..at], line.len() - at),
            None => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n")
}

/// The end of a process: its exit code if its streams ended well, else it is killed.
async fn ended(
    cx: &Cx,
    doing: Doing<'_>,
    mut control: Box<dyn Control>,
    streams: Result<(), StoreError>,
) -> Result<(), StoreError> {
    if let Err(error) = streams {
        killed(cx, doing, &mut *control).await;
        return Err(error);
    }
    judged(doing, control.finish().await?)
}

async fn killed(cx: &Cx, doing: Doing<'_>, control: &mut dyn Control) {
    if let Err(left) = control.kill().await {
        cx.report.warn(format!("{} may still run: {left}", doing.tool));
    }
}

fn cut(doing: Doing<'_>, error: &std::io::Error) -> StoreError {
    StoreError::Engine(EngineError::Cut {
        what: format!("{} ({})", doing.tool, doing.what),
        cause: error.to_string(),
    })
}

/// An artifact that is not what the manifest says, or a repository that failed.
pub(crate) fn damaged(error: ArtifactError) -> StoreError {
    match error {
        ArtifactError::Repository(error) => StoreError::Repository(error),
        damage => StoreError::Damaged(damage.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::concise;

    #[test]
    fn the_reason_comes_first_and_lists_are_cut() {
        let tables = "public.a_table, ".repeat(600);
        let said = format!(
            "pg_dump: error: canceling statement due to lock timeout\npg_dump: detail: Query was: LOCK TABLE {tables}\n"
        );
        let told = concise(&said);
        assert!(told.starts_with("pg_dump: error: canceling statement"), "{told}");
        assert!(told.len() < 600 && told.ends_with("bytes more)"), "{told}");
    }
}
