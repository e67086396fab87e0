//! Tars as they must be: one that ends without its end mark was cut off, and the crate's reader takes
//! that for the end. Also the header of a file, for writing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio_tar::{Archive, Entries, Entry};

/// Two blocks of zeros end a tar (POSIX.1-2017, `pax`, "ustar Interchange Format").
const END_MARK: usize = 1024;

/// An entry of a [`Tar`].
pub(super) type TarEntry<R> = Entry<Archive<Watched<R>>>;

/// A tar that is read from its beginning to its end.
pub(super) struct Tar<R: AsyncRead + Unpin> {
    archive: Archive<Watched<R>>,
    entries: Entries<Watched<R>>,
    zeros: Arc<AtomicUsize>,
}

impl<R: AsyncRead + Unpin> Tar<R> {
    /// Reads what `plain` holds.
    pub(super) fn new(plain: R) -> io::Result<Self> {
        let zeros = Arc::new(AtomicUsize::new(0));
        let watched = Watched {
            plain,
            zeros: zeros.clone(),
        };
        let mut archive = Archive::new(watched);
        let entries = archive.entries()?;
        Ok(Self {
            archive,
            entries,
            zeros,
        })
    }

    /// The next entry; what is left of the one before is skipped.
    pub(super) async fn next(&mut self) -> io::Result<Option<TarEntry<R>>> {
        self.entries.next().await.transpose()
    }

    /// Reads what follows the last entry: nothing but zeros, and enough of them.
    pub(super) async fn end(self) -> io::Result<()> {
        let Self {
            archive,
            entries,
            zeros,
        } = self;
        drop(entries);
        let mut rest = archive
            .into_inner()
            .map_err(|_| io::Error::other("an entry of the tar is still being read"))?;
        let mut piece = [0; 4096];
        loop {
            match rest.read(&mut piece).await? {
                0 => break,
                read if piece[..read].iter().all(|byte| *byte == 0) => {}
                _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "something follows its end")),
            }
        }
        if zeros.load(Ordering::Relaxed) < END_MARK {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it ends early (no end mark of a tar)",
            ));
        }
        Ok(())
    }
}

/// Knows how many zeros it has ended with so far.
pub(super) struct Watched<R> {
    plain: R,
    zeros: Arc<AtomicUsize>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.plain).poll_read(cx, buf))?;
        let new = &buf.filled()[before..];
        let zeros = new.iter().rev().take_while(|byte| **byte == 0).count();
        let before = if zeros == new.len() {
            self.zeros.load(Ordering::Relaxed)
        } else {
            0
        };
        self.zeros.store(before.saturating_add(zeros), Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}
