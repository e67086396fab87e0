//! One long object: written as an artifact, hashed in flight, against a bare multipart upload with parts of the
//! same size and as many of them on their way; and read.

use anyhow::Result;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::{ObjectStoreExt, WriteMultipart};
use stillpoint_core::ports::{Key, Repository};

use super::sides::{self, must_be};
use super::source::Source;
use super::step::Asked;

/// As the repository has them: the size of a part in bytes, and how many are on their way.
const PART: usize = 8 << 20;
const IN_FLIGHT: usize = 4;

const NAME: &str = "stream.dump";
const BARE: &str = "bare.dump";

pub(super) async fn write(asked: &Asked) -> Result<()> {
    let sink = sides::sink(asked).await?;
    let written = sides::put(&sink, sides::artifact(NAME), Source::of(asked.count)).await?;
    must_be("bytes written", written.size, asked.count)
}

/// `put` takes over each piece without a copy; nothing is hashed but for the signature; nothing is read back.
pub(super) async fn write_bare(asked: &Asked) -> Result<()> {
    let upload = sides::bare(asked)?
        .put_multipart(&sides::location(asked, BARE)?)
        .await?;
    let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
    for piece in Source::of(asked.count) {
        writer.wait_for_capacity(IN_FLIGHT).await?;
        writer.put(piece);
    }
    writer.finish().await?;
    Ok(())
}

pub(super) async fn read(asked: &Asked) -> Result<()> {
    let repository = sides::repository(asked).await?;
    let object = repository.open(&key()).await?;
    must_be("bytes read", drained(object.content).await?, asked.count)
}

pub(super) async fn read_bare(asked: &Asked) -> Result<()> {
    let bare = sides::bare(asked)?;
    let found = bare.get(&sides::location(asked, key().as_str())?).await?;
    must_be("bytes read", drained(found.into_stream()).await?, asked.count)
}

fn key() -> Key {
    Key::artifact(sides::backup(), &sides::artifact(NAME))
}

async fn drained<E>(mut content: BoxStream<'static, Result<bytes::Bytes, E>>) -> Result<u64, E> {
    let mut bytes = 0;
    while let Some(piece) = content.next().await {
        bytes += piece?.len() as u64;
    }
    Ok(bytes)
}
