//! The file in which a server hands out a stream, read to its end without a server: what a restore
//! needs to be true is known before the live stream is deleted. A server that meets the damage itself
//! leaves half a stream behind.
//!
//! Two formats under one name, both in S2 framing: entries behind `NATSARC1` (servers from 2.15) and a
//! tar (older ones). Nothing here writes, and nothing here holds more than a block in memory.

mod entries;
mod old;
mod s2;
#[cfg(test)]
pub(super) mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt};

/// The first bytes of the newer format (nats-server 2.15, `server/archive/archive.go`).
const MAGIC: &[u8; 8] = b"NATSARC1";

/// The first server that writes, and reads, the newer format.
pub(super) const ENTRIES_SINCE: [u64; 3] = [2, 15, 0];

/// Which of the two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One entry for each message.
    Entries,
    /// A tar of the server's own files, as servers before 2.15 write it.
    Tar,
}

/// What was found in an archive that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// Its format.
    pub(super) format: Format,
    /// The names of its consumers, lasting or not.
    pub(super) consumers: BTreeSet<String>,
    /// What was copied from other streams: the last sequence of each origin, by [`origin`].
    pub(super) copied: BTreeMap<String, u64>,
    /// Its messages; a tar holds them in the server's own blocks, which nobody else can count.
    pub(super) messages: Option<Messages>,
}

/// The messages of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Messages {
    /// How many.
    pub(super) count: u64,
    /// The sequence of the first; 0 without any.
    pub(super) first: u64,
    /// The sequence of the last; 0 without any.
    pub(super) last: u64,
    /// Bytes of the largest, headers included.
    pub(super) largest: u64,
    /// The last sequence that the stream has given away, to a message that may be deleted since.
    pub(super) given: u64,
}

/// The name of an origin: of its stream, and of what is taken of it.
pub(super) fn origin(stream: &str, filter: &str) -> String {
    format!("{stream} {filter}")
}

/// Reads an archive to its end. Damage is an error of the kinds `InvalidData` and `UnexpectedEof`.
pub(super) async fn read<R>(packed: R) -> io::Result<Counted>
where
    R: AsyncRead + Send + Unpin + 'static,
{
    let mut plain = s2::decoded(packed);
    let counted = if begins_with_magic(&mut plain).await? {
        entries::read(&mut plain).await?
    } else {
        return old::read(plain).await;
    };
    at_end(&mut plain).await?;
    Ok(counted)
}

/// Whether the newer format follows, whose magic is then consumed.
async fn begins_with_magic<R: AsyncBufRead + Unpin>(plain: &mut R) -> io::Result<bool> {
    let head = plain.fill_buf().await?;
    if head.is_empty() {
        return Err(damaged("it is empty"));
    }
    // A block of S2 holds far more than eight bytes, unless that is all there is.
    let is_magic = head.starts_with(MAGIC);
    if is_magic {
        plain.consume(MAGIC.len());
    }
    Ok(is_magic)
}

async fn at_end<R: AsyncRead + Unpin>(plain: &mut R) -> io::Result<()> {
    let mut more = [0; 1];
    match plain.read(&mut more).await? {
        0 => Ok(()),
        _ => Err(damaged("something follows its end")),
    }
}

/// Damage, in words.
fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.into())
}

#[cfg(test)]
mod tests;
