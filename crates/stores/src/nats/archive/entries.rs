//! The format of servers from 2.15 (nats-server, `server/stream_backup.go` and
//! `server/archive/archive.go`): `state.json`, then every consumer, then every message, then an empty
//! entry that ends it. An entry is its lengths as varints, its name, and its content.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use super::{Counted, Format, Messages, damaged, origin};

const STATE: &str = "state.json";
const CONSUMERS: &str = "consumers/";

/// The longest name that the server takes.
const LONGEST_NAME: u64 = 1 << 20;

/// More than the description of any consumer has: one with a million unacknowledged messages.
const LARGEST_DESCRIPTION: u64 = 64 << 20;

/// More than the headers of any message that was copied have.
const LARGEST_HEADER: u64 = 1 << 20;

/// More than any stream copies from.
const MOST_ORIGINS: usize = 10_000;

const SOURCE: &[u8] = b"\r\nNats-Stream-Source: ";

struct Head {
    name: String,
    timestamp: u64,
    sequence: u64,
    /// Bytes of its content.
    size: u64,
    /// How many of them, at the beginning, are headers.
    header: u64,
}

/// Reads all entries, the magic being read already.
pub(super) async fn read<R: AsyncBufRead + Unpin>(plain: &mut R) -> io::Result<Counted> {
    let state = read_state(plain).await?;
    let number = |name: &str| state.get(name).and_then(Value::as_u64).unwrap_or(0);
    let expected = number("consumer_count");
    let mut consumers = BTreeSet::new();
    for nth in 0..expected {
        let read = read_consumer(plain).await;
        consumers.insert(read.map_err(|error| at(error, &format!("consumer {} of {expected}", nth + 1)))?);
    }
    let mut messages = Messages {
        given: number("last_seq"),
        ..Messages::default()
    };
    let first = number("first_seq");
    let mut copied = BTreeMap::new();
    while let Some((sequence, size)) = read_message(plain, &mut copied)
        .await
        .map_err(|error| at(error, &format!("after sequence {}", messages.last)))?
    {
        if sequence <= messages.last || sequence < first {
            return Err(damaged(format!("sequence {sequence} comes after {}", messages.last)));
        }
        if messages.count == 0 {
            messages.first = sequence;
        }
        messages.last = sequence;
        messages.count += 1;
        messages.largest = messages.largest.max(size);
    }
    if messages.last > messages.given {
        return Err(damaged(format!(
            "sequence {} is beyond the stream's last",
            messages.last
        )));
    }
    Ok(Counted {
        format: Format::Entries,
        consumers,
        copied,
        messages: Some(messages),
    })
}

async fn read_state<R: AsyncBufRead + Unpin>(plain: &mut R) -> io::Result<Value> {
    let head = head(plain).await.map_err(|error| at(error, STATE))?;
    if head.name != STATE {
        return Err(damaged(format!(
            "it begins with `{}`, not with {STATE}",
            shown(&head.name)
        )));
    }
    description(plain, &head).await
}

/// The name of the next consumer.
async fn read_consumer<R: AsyncBufRead + Unpin>(plain: &mut R) -> io::Result<String> {
    let head = head(plain).await?;
    let name = head.name.strip_prefix(CONSUMERS);
    let name = name.ok_or_else(|| damaged(format!("`{}` is not a consumer", shown(&head.name))))?;
    let consumer = description(plain, &head).await?;
    let missing = ["config", "state"]
        .into_iter()
        .find(|part| !consumer.get(part).is_some_and(Value::is_object));
    match missing {
        None => Ok(name.to_owned()),
        Some(part) => Err(damaged(format!("`{}` has no {part}", shown(&head.name)))),
    }
}

/// Sequence and size of the next message; none at the entry that ends the archive.
async fn read_message<R: AsyncBufRead + Unpin>(
    plain: &mut R,
    copied: &mut BTreeMap<String, u64>,
) -> io::Result<Option<(u64, u64)>> {
    let head = head(plain).await?;
    if head.sequence == 0 {
        return if head.timestamp == 0 && head.size == 0 && head.name.is_empty() {
            Ok(None)
        } else {
            Err(damaged(format!("`{}` has no sequence", shown(&head.name))))
        };
    }
    let header = head.header.min(LARGEST_HEADER);
    let mut text = vec![0; usize::try_from(header).unwrap_or(0)];
    plain.read_exact(&mut text).await?;
    skip(plain, head.size - header).await?;
    if let Some((origin, sequence)) = source(&text).filter(|_| copied.len() < MOST_ORIGINS) {
        copied.insert(origin, sequence);
    }
    Ok(Some((head.sequence, head.size)))
}

/// Where a message was copied from (nats-server, `server/stream.go`, `streamAndSeq`: stream, sequence, filter,
/// transform, subject, and since 2.15 the origin's identity).
fn source(header: &[u8]) -> Option<(String, u64)> {
    let at = header.windows(SOURCE.len()).position(|window| window == SOURCE)?;
    let line = header[at + SOURCE.len()..].split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut fields = line.split(' ');
    let (stream, sequence, filter) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?);
    // Behind a colon follows by which way an origin elsewhere is reached.
    let stream = stream.split(':').next()?;
    Some((origin(stream, filter), sequence))
}

async fn head<R: AsyncBufRead + Unpin>(plain: &mut R) -> io::Result<Head> {
    let name = varint(plain).await?;
    let timestamp = varint(plain).await?;
    let sequence = varint(plain).await?;
    let (header, payload) = (varint(plain).await?, varint(plain).await?);
    let size = header.checked_add(payload).filter(|size| i64::try_from(*size).is_ok());
    let size = size.filter(|_| name <= LONGEST_NAME);
    let size = size.ok_or_else(|| damaged("an entry of an impossible length"))?;
    let mut text = vec![0; usize::try_from(name).unwrap_or(0)];
    plain.read_exact(&mut text).await?;
    Ok(Head {
        name: String::from_utf8_lossy(&text).into_owned(),
        timestamp,
        sequence,
        size,
        header,
    })
}

/// An unsigned varint, seven bits a byte, the lowest first.
async fn varint<R: AsyncBufRead + Unpin>(plain: &mut R) -> io::Result<u64> {
    let mut value = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = plain.read_u8().await?;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            break;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(damaged("a number that is too large"))
}

async fn description<R: AsyncBufRead + Unpin>(plain: &mut R, head: &Head) -> io::Result<Value> {
    let name = shown(&head.name);
    if head.size > LARGEST_DESCRIPTION {
        return Err(damaged(format!("`{name}` has {} bytes", head.size)));
    }
    let mut text = vec![0; usize::try_from(head.size).unwrap_or(0)];
    plain.read_exact(&mut text).await?;
    serde_json::from_slice(&text).map_err(|error| damaged(format!("`{name}`: {error}")))
}

async fn skip<R: AsyncBufRead + Unpin>(plain: &mut R, mut size: u64) -> io::Result<()> {
    while size > 0 {
        let here = plain.fill_buf().await?.len();
        if here == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let skipped = here.min(usize::try_from(size).unwrap_or(usize::MAX));
        plain.consume(skipped);
        size -= skipped as u64;
    }
    Ok(())
}

/// Where something was found; an end that is none is told as what it is.
fn at(error: io::Error, place: &str) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), format!("it ends early ({place})")),
        io::ErrorKind::InvalidData => damaged(format!("{error} ({place})")),
        _ => error,
    }
}

/// The beginning of a name, for messages: a damaged one may be anything.
fn shown(name: &str) -> String {
    name.chars().take(60).flat_map(char::escape_default).collect()
}
