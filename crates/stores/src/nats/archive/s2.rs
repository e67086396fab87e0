//! S2 framing (github.com/klauspost/compress, `s2/README.md`; the frame is Snappy's
//! `framing_format.txt`): chunks of a type, a length and, for data, a checksum of what was packed.
//! Blocks are unpacked by the crate `minlz`; its own stream reader is not used, because it takes a
//! header that is cut off for the end, and because it reads without waiting.

use std::io;

use futures::stream::try_unfold;
use minlz::crc::crc;
use minlz::{decode, decode_len};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

use super::damaged;

const COMPRESSED: u8 = 0x00;
const PLAIN: u8 = 0x01;
const SKIPPABLE: std::ops::RangeInclusive<u8> = 0x80..=0xfe;
const IDENTIFIER: u8 = 0xff;

/// Of S2 and of Snappy, which is a part of it.
const IDENTIFIERS: [&[u8]; 2] = [b"S2sTwO", b"sNaPpY"];

/// The largest block of the format.
const LARGEST_BLOCK: usize = 4 << 20;

/// The most that a block may have grown by being packed.
const OVERHEAD: usize = 64 << 10;

const CHECKSUM: usize = 4;

/// What is packed in `packed`.
pub(super) fn decoded<R>(packed: R) -> impl AsyncBufRead + Send + Unpin
where
    R: AsyncRead + Send + Unpin + 'static,
{
    let blocks = Blocks { packed, began: false };
    let blocks = try_unfold(blocks, |mut blocks| async move {
        let block = blocks.next().await?;
        Ok::<_, io::Error>(block.map(|block| (io::Cursor::new(block), blocks)))
    });
    StreamReader::new(Box::pin(blocks))
}

struct Blocks<R> {
    packed: R,
    began: bool,
}

impl<R: AsyncRead + Unpin> Blocks<R> {
    /// The next block that is not empty; none at the end.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some((kind, length)) = self.head().await? {
            if !self.began && kind != IDENTIFIER {
                return Err(damaged("it does not begin as S2"));
            }
            match kind {
                IDENTIFIER => self.identifier(length).await?,
                COMPRESSED | PLAIN => {
                    let block = self.block(kind, length).await?;
                    if !block.is_empty() {
                        return Ok(Some(block));
                    }
                }
                kind if SKIPPABLE.contains(&kind) => self.skip(length).await?,
                kind => return Err(damaged(format!("S2: a chunk of the unknown kind {kind}"))),
            }
        }
        Ok(None)
    }

    /// Kind and length of the next chunk; none at the end. An end within the four bytes is none.
    async fn head(&mut self) -> io::Result<Option<(u8, usize)>> {
        let mut head = [0; 4];
        if self.packed.read(&mut head[..1]).await? == 0 {
            return Ok(None);
        }
        self.packed.read_exact(&mut head[1..]).await?;
        let [kind, low, middle, high] = head;
        Ok(Some((kind, u32::from_le_bytes([low, middle, high, 0]) as usize)))
    }

    async fn identifier(&mut self, length: usize) -> io::Result<()> {
        let found = self.bytes(length.min(16)).await?;
        if !IDENTIFIERS.contains(&found.as_slice()) {
            return Err(damaged("it does not begin as S2"));
        }
        self.began = true;
        Ok(())
    }

    async fn block(&mut self, kind: u8, length: usize) -> io::Result<Vec<u8>> {
        let length = length
            .checked_sub(CHECKSUM)
            .filter(|length| *length <= LARGEST_BLOCK + OVERHEAD);
        let length = length.ok_or_else(|| damaged("S2: a chunk of an impossible length"))?;
        let checksum = self.packed.read_u32_le().await?;
        let mut block = self.bytes(length).await?;
        if kind == COMPRESSED {
            block = unpacked(&block)?;
        }
        if block.len() > LARGEST_BLOCK {
            return Err(damaged("S2: a block that is too large"));
        }
        if crc(&block) != checksum {
            return Err(damaged("S2: a block with a wrong checksum"));
        }
        Ok(block)
    }

    async fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.packed.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    async fn skip(&mut self, length: usize) -> io::Result<()> {
        let length = length as u64;
        let skipped = tokio::io::copy(&mut (&mut self.packed).take(length), &mut tokio::io::sink()).await?;
        if skipped == length {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

fn unpacked(block: &[u8]) -> io::Result<Vec<u8>> {
    let broken = |error: minlz::Error| damaged(error.to_string());
    let (length, _) = decode_len(block).map_err(broken)?;
    // Asked first: a length that is a lie must not be allocated.
    if length > LARGEST_BLOCK {
        return Err(damaged("S2: a block that is too large"));
    }
    decode(block).map_err(broken)
}
