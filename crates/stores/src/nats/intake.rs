//! Taking an archive in, from the server or from the repository, and reading it along to its end, so that
//! whoever holds it knows that it is whole. Where somebody waits (clients that are down), an archive is only
//! laid into the spool, and read along when it is handed on.

use std::io;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use stillpoint_core::ports::SpoolError;
use stillpoint_core::ports::spool::SpoolFile;
use stillpoint_core::stores::{Cx, StoreError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio_util::task::AbortOnDropHandle;

use super::archive::{self, Counted};
use crate::toolbox::{cancellable, guarded};

/// Bytes that may lie between who brings an archive and who reads along.
const PIPE: usize = 256 << 10;

/// Bytes that are read at once.
const PIECE: usize = 512 << 10;

/// An archive that comes in pieces.
#[async_trait]
pub(super) trait Pieces: Send {
    /// The next piece, not empty; none at the end. The piece before has been dealt with.
    async fn next(&mut self, cx: &Cx) -> Result<Option<Bytes>, StoreError>;
}

/// An archive that lies in the spool, to be read from its beginning. Nobody has looked into it yet.
pub(super) struct Spooled {
    file: Box<dyn SpoolFile>,
    pub(super) size: u64,
}

/// An archive that is whole and lies in the spool, to be read from its beginning.
pub(super) struct Kept {
    pub(super) file: Box<dyn SpoolFile>,
    pub(super) counted: Counted,
}

/// Lays an archive into the spool, as fast as it comes.
pub(super) async fn write_to_spool(cx: &Cx, pieces: &mut dyn Pieces) -> Result<Spooled, StoreError> {
    let mut spooling = Spooling::begin(cx).await?;
    while let Some(piece) = pieces.next(cx).await? {
        spooling.write(cx, &piece).await?;
    }
    spooling.end(cx).await
}

/// Lays an archive into the spool and reads along.
pub(super) async fn keep(cx: &Cx, what: &str, pieces: &mut dyn Pieces) -> Result<Kept, StoreError> {
    let mut spooling = Spooling::begin(cx).await?;
    let mut reader = Reader::begin();
    while let Some(piece) = pieces.next(cx).await? {
        spooling.write(cx, &piece).await?;
        if !reader.read(cx, &piece).await? {
            break;
        }
    }
    let counted = reader.end(cx, what).await?;
    let file = spooling.end(cx).await?.file;
    Ok(Kept { file, counted })
}

/// Reads an archive to its end and keeps nothing of it.
pub(super) async fn look_through(cx: &Cx, what: &str, pieces: &mut dyn Pieces) -> Result<Counted, StoreError> {
    let mut reader = Reader::begin();
    while let Some(piece) = pieces.next(cx).await? {
        if !reader.read(cx, &piece).await? {
            break;
        }
    }
    reader.end(cx, what).await
}

/// Hands an archive on out of the spool and reads along. Cancelled, also if who takes it has gone.
pub(super) async fn hand_on(
    cx: &Cx,
    what: &str,
    spooled: Spooled,
    mut to: impl AsyncWrite + Send + Unpin,
) -> Result<Counted, StoreError> {
    let mut file = spooled.file.take(spooled.size);
    let mut reader = Reader::begin();
    loop {
        let read = guarded(cx, "reading the spool", piece(&mut file)).await?;
        let Some(piece) = read.map_err(|error| spool(cx, &error))? else {
            break;
        };
        if !reader.read(cx, &piece).await? {
            break;
        }
        if cancellable(cx, to.write_all(&piece)).await?.is_err() {
            return Err(StoreError::Cancelled);
        }
    }
    reader.end(cx, what).await
}

/// A file of the spool that is being written.
struct Spooling {
    file: Box<dyn SpoolFile>,
    size: u64,
}

impl Spooling {
    async fn begin(cx: &Cx) -> Result<Self, StoreError> {
        let file = cx.spool.create().await?;
        Ok(Self { file, size: 0 })
    }

    async fn write(&mut self, cx: &Cx, piece: &[u8]) -> Result<(), StoreError> {
        let written = guarded(cx, "writing to the spool", self.file.write_all(piece)).await?;
        self.size += piece.len() as u64;
        written.map_err(|error| spool(cx, &error))
    }

    /// A spool that is full says so here at the latest.
    async fn end(mut self, cx: &Cx) -> Result<Spooled, StoreError> {
        let ready = async {
            self.file.flush().await?;
            self.file.rewind().await
        };
        let ready = guarded(cx, "writing to the spool", ready).await?;
        ready.map_err(|error| spool(cx, &error))?;
        let Self { file, size } = self;
        Ok(Spooled { file, size })
    }
}

/// Reads along, on a processor of its own where there is one.
struct Reader {
    near: DuplexStream,
    counting: AbortOnDropHandle<io::Result<Counted>>,
}

impl Reader {
    fn begin() -> Self {
        let (near, far) = duplex(PIPE);
        let counting = AbortOnDropHandle::new(tokio::spawn(archive::read(far)));
        Self { near, counting }
    }

    /// Reads a piece; false: damage was found, and the rest is of no use.
    async fn read(&mut self, cx: &Cx, piece: &[u8]) -> Result<bool, StoreError> {
        let read = guarded(cx, "reading an archive", self.near.write_all(piece)).await?;
        Ok(read.is_ok())
    }

    async fn end(self, cx: &Cx, what: &str) -> Result<Counted, StoreError> {
        let Self { near, counting } = self;
        drop(near);
        let counted = guarded(cx, "reading an archive", counting).await?;
        let counted = counted.unwrap_or_else(|error| Err(io::Error::other(error)));
        counted.map_err(|error| StoreError::Damaged(format!("{what}: {}", words(&error))))
    }
}

/// What is wrong with an archive, in words.
pub(super) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof if error.get_ref().is_none() => "it ends early".to_owned(),
        _ => error.to_string(),
    }
}

/// A failure of the spool.
pub(super) fn spool(cx: &Cx, error: &io::Error) -> StoreError {
    StoreError::Spool(SpoolError {
        place: cx.spool.place(),
        cause: error.to_string(),
    })
}

/// The next piece of something that is read; none at the end.
pub(super) async fn piece(from: &mut (dyn AsyncRead + Send + Unpin)) -> io::Result<Option<Bytes>> {
    let mut piece = BytesMut::with_capacity(PIECE);
    let read = from.read_buf(&mut piece).await?;
    Ok((read > 0).then(|| piece.freeze()))
}

#[cfg(test)]
mod tests;
