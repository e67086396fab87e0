//! Taking an archive in, from the server or from the repository: kept in the spool where it is needed
//! again, and read along to its end on the way, so that whoever holds it knows that it is whole.

use std::io;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::future::join;
use stillpoint_core::ports::spool::SpoolFile;
use stillpoint_core::ports::{Cx, SpoolError, StoreError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, duplex};

use super::archive::{self, Counted};
use crate::toolbox::guarded;

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

/// An archive that is whole and lies in the spool, to be read from its beginning.
pub(super) struct Kept {
    pub(super) file: Box<dyn SpoolFile>,
    pub(super) size: u64,
    pub(super) counted: Counted,
}

/// Takes an archive into the spool.
pub(super) async fn keep(cx: &Cx, what: &str, pieces: &mut dyn Pieces) -> Result<Kept, StoreError> {
    let mut file = cx.spool.create().await?;
    let (size, counted) = take_in(cx, what, pieces, Some(&mut file)).await?;
    let ready = async {
        file.flush().await?;
        file.rewind().await
    };
    guarded(cx, "reading the spool", ready)
        .await?
        .map_err(|error| spool(cx, &error))?;
    Ok(Kept { file, size, counted })
}

/// Reads an archive to its end and keeps nothing of it.
pub(super) async fn look_through(cx: &Cx, what: &str, pieces: &mut dyn Pieces) -> Result<Counted, StoreError> {
    Ok(take_in(cx, what, pieces, None).await?.1)
}

async fn take_in(
    cx: &Cx,
    what: &str,
    pieces: &mut dyn Pieces,
    mut file: Option<&mut Box<dyn SpoolFile>>,
) -> Result<(u64, Counted), StoreError> {
    let (mut near, far) = duplex(PIPE);
    let bring = async move {
        let mut size = 0;
        while let Some(piece) = pieces.next(cx).await? {
            if let Some(file) = &mut file {
                let written = guarded(cx, "writing to the spool", file.write_all(&piece)).await?;
                written.map_err(|error| spool(cx, &error))?;
            }
            size += piece.len() as u64;
            // Whoever reads along has found damage and gone: the rest is of no use.
            if guarded(cx, "reading an archive", near.write_all(&piece))
                .await?
                .is_err()
            {
                break;
            }
        }
        Ok::<u64, StoreError>(size)
    };
    let (brought, counted) = join(bring, archive::read(far)).await;
    // A source that failed says more than an archive that therefore ends early.
    let size = brought?;
    let counted = counted.map_err(|error| StoreError::Damaged(format!("{what}: {}", words(&error))))?;
    Ok((size, counted))
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
