//! An account's artifact: a tar, packed by gzip, of the folder that `nats backup account` writes and
//! `nats backup restore account` takes (nats CLI 0.5.1): `<stream>/backup.json` and
//! `<stream>/stream.tar.s2`, which newer CLIs call `stream.arc.s2` and read by either name.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_compression::tokio::bufread::GzipDecoder;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, try_unfold};
use serde_json::{Value, json};
use stillpoint_core::backups::{ArtifactError, Artifacts};
use stillpoint_core::manifest::Artifact;
use stillpoint_core::names::StoreName;
use stillpoint_core::stores::{Cx, StoreError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tar::{Builder, EntryType, Header};
use tokio_util::io::StreamReader;

use super::archive::Counted;
use super::intake::{Pieces, look_through, piece, words};
use super::streams::Stream;
use super::tar::{Tar, TarEntry};
use crate::toolbox::{damaged, guarded};

/// The folder that holds all streams.
const FOLDER: &str = "nats-backup";

const META: &str = "backup.json";

/// What the archive of a stream is called: as we write it, and as newer CLIs do.
const ARCHIVES: [&str; 2] = ["stream.tar.s2", "stream.arc.s2"];

/// More than the description of any stream has.
const LARGEST_META: u64 = 16 << 20;

/// A bundle that is being written.
pub(super) struct Bundle<W: AsyncWrite + Unpin + Send + 'static> {
    tar: Builder<W>,
    now: u64,
}

impl<W: AsyncWrite + Unpin + Send + 'static> Bundle<W> {
    /// Begins one; `now` in seconds of the epoch.
    pub(super) async fn begin(to: W, now: u64) -> io::Result<Self> {
        let mut bundle = Self {
            tar: Builder::new(to),
            now,
        };
        let mut header = bundle.header(EntryType::Directory, 0o755, 0);
        bundle
            .tar
            .append_data(&mut header, format!("{FOLDER}/"), tokio::io::empty())
            .await?;
        Ok(bundle)
    }

    /// Adds a stream, with its archive of so many bytes.
    pub(super) async fn add(
        &mut self,
        stream: &Stream,
        archive: impl AsyncRead + Send + Unpin,
        size: u64,
    ) -> io::Result<()> {
        let folder = format!("{FOLDER}/{}", stream.name());
        let meta = json!({"config": stream.config, "state": stream.state});
        let meta = serde_json::to_vec_pretty(&meta)?;
        let mut header = self.header(EntryType::Regular, 0o644, meta.len() as u64);
        self.tar
            .append_data(&mut header, format!("{folder}/{META}"), meta.as_slice())
            .await?;
        let mut header = self.header(EntryType::Regular, 0o644, size);
        self.tar
            .append_data(&mut header, format!("{folder}/{}", ARCHIVES[0]), archive)
            .await
    }

    /// Writes the end.
    pub(super) async fn finish(self) -> io::Result<()> {
        let mut to = self.tar.into_inner().await?;
        tokio::io::AsyncWriteExt::shutdown(&mut to).await
    }

    fn header(&self, kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(self.now);
        header.set_size(size);
        header
    }
}

type Unpacked = GzipDecoder<StreamReader<BoxStream<'static, io::Result<Bytes>>, Bytes>>;

/// A bundle that is being read.
pub(super) struct Reading {
    tar: Tar<Unpacked>,
    name: String,
    /// Why the repository's stream ended, where it was not the bundle's fault.
    cause: Cause,
}

type Cause = Arc<Mutex<Option<ArtifactError>>>;

/// A file of a bundle.
pub(super) enum Member {
    /// The description of the folder's stream.
    Description { folder: String, stream: Stream },
    /// The archive of the folder's stream.
    Archive { folder: String, pieces: Box<MemberPieces> },
}

/// An archive in a bundle.
pub(super) struct MemberPieces {
    entry: TarEntry<Unpacked>,
    name: String,
    cause: Cause,
}

impl Reading {
    /// Opens an artifact.
    pub(super) async fn open(
        store: &StoreName,
        artifact: &Artifact,
        artifacts: &Artifacts,
    ) -> Result<Self, StoreError> {
        let reader = artifacts.open(store, artifact).await.map_err(damaged)?;
        let cause = Cause::default();
        let told = cause.clone();
        let pieces = try_unfold(reader, move |mut reader| {
            let told = told.clone();
            async move {
                let next = reader.next().await;
                let next = next.map_err(|error| {
                    *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    io::Error::other("the repository's stream ended")
                });
                Ok(next?.map(|piece| (piece, reader)))
            }
        });
        let mut unpacked = GzipDecoder::new(StreamReader::new(pieces.boxed()));
        unpacked.multiple_members(true);
        let name = artifact.name.to_string();
        let tar = Tar::new(unpacked).map_err(|error| explained(&cause, &name, &error))?;
        Ok(Self { tar, name, cause })
    }

    /// The next file that means something to us.
    pub(super) async fn next(&mut self, cx: &Cx) -> Result<Option<Member>, StoreError> {
        let failed = |error: io::Error| explained(&self.cause, &self.name, &error);
        loop {
            let entry = guarded(cx, "reading an artifact", self.tar.next()).await?;
            let Some(entry) = entry.map_err(failed)? else {
                return Ok(None);
            };
            let path = String::from_utf8_lossy(&entry.path_bytes().map_err(failed)?).into_owned();
            let Some((folder, file)) = place(&path) else { continue };
            if !(file == META || ARCHIVES.contains(&file)) {
                continue;
            }
            if !entry.header().entry_type().is_file() {
                return Err(StoreError::Damaged(format!("`{path}` is not a regular file")));
            }
            let folder = folder.to_owned();
            let mut pieces = Box::new(MemberPieces {
                entry,
                name: self.name.clone(),
                cause: self.cause.clone(),
            });
            if file == META {
                let stream = described(cx, &folder, &mut pieces).await?;
                return Ok(Some(Member::Description { folder, stream }));
            }
            return Ok(Some(Member::Archive { folder, pieces }));
        }
    }

    /// Reads what follows the last file: only the artifact's end proves its hash.
    pub(super) async fn end(self, cx: &Cx) -> Result<(), StoreError> {
        let Self { tar, name, cause } = self;
        let ended = guarded(cx, "reading an artifact", Box::pin(tar.end())).await?;
        ended.map_err(|error| explained(&cause, &name, &error))
    }
}

#[async_trait]
impl Pieces for MemberPieces {
    async fn next(&mut self, cx: &Cx) -> Result<Option<Bytes>, StoreError> {
        let read = guarded(cx, "reading an artifact", piece(&mut self.entry)).await?;
        read.map_err(|error| explained(&self.cause, &self.name, &error))
    }
}

/// The folder and the file that a path ends with.
fn place(path: &str) -> Option<(&str, &str)> {
    let (folders, file) = path.rsplit_once('/')?;
    let folder = folders
        .rsplit('/')
        .next()
        .filter(|folder| !matches!(*folder, "" | "."))?;
    Some((folder, file))
}

async fn described(cx: &Cx, folder: &str, pieces: &mut MemberPieces) -> Result<Stream, StoreError> {
    let wrong = |what: String| StoreError::Damaged(format!("{folder}/{META}: {what}"));
    let mut text = Vec::new();
    while let Some(piece) = pieces.next(cx).await? {
        text.extend_from_slice(&piece);
        if text.len() as u64 > LARGEST_META {
            return Err(wrong(format!("more than {LARGEST_META} bytes")));
        }
    }
    let described: Value = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    let stream = Stream::of(&described);
    // The name becomes a part of a subject.
    let odd = |char: char| char.is_whitespace() || char.is_control() || matches!(char, '.' | '*' | '>' | '/' | '\\');
    if stream.name().is_empty() || stream.name().contains(odd) {
        return Err(wrong("its config has no name that a stream can have".to_owned()));
    }
    Ok(stream)
}

fn explained(cause: &Cause, name: &str, error: &io::Error) -> StoreError {
    match cause.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(cause) => damaged(cause),
        None => StoreError::Damaged(format!("{name}: {}", words(error))),
    }
}

/// A stream of a bundle that was read to its end.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) stream: Stream,
    pub(super) counted: Counted,
}

/// Reads a bundle to its end, with every archive in it: what it holds, in its own order.
pub(super) async fn survey(
    cx: &Cx,
    store: &StoreName,
    artifact: &Artifact,
    artifacts: &Artifacts,
) -> Result<Vec<Found>, StoreError> {
    let mut reading = Reading::open(store, artifact, artifacts).await?;
    let mut streams = BTreeMap::new();
    let mut counted: Vec<(String, Counted)> = Vec::new();
    while let Some(member) = reading.next(cx).await? {
        match member {
            Member::Description { folder, stream } => {
                let twice = streams.insert(folder.clone(), stream).is_some();
                once(!twice, &folder, META)?;
            }
            Member::Archive { folder, mut pieces } => {
                once(counted.iter().all(|(known, _)| *known != folder), &folder, "an archive")?;
                let found = look_through(cx, &format!("the archive of {folder}"), &mut *pieces).await?;
                counted.push((folder, found));
            }
        }
    }
    reading.end(cx).await?;
    paired(streams, counted)
}

fn once(once: bool, folder: &str, what: &str) -> Result<(), StoreError> {
    if once {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("{folder} holds {what} twice")))
}

fn paired(mut streams: BTreeMap<String, Stream>, counted: Vec<(String, Counted)>) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    for (folder, counted) in counted {
        let stream = streams.remove(&folder);
        let stream = stream.ok_or_else(|| StoreError::Damaged(format!("{folder} holds no {META}")))?;
        if !names.insert(stream.name().to_owned()) {
            return Err(StoreError::Damaged(format!("it holds stream {} twice", stream.name())));
        }
        found.push(Found { stream, counted });
    }
    match streams.into_keys().next() {
        None => Ok(found),
        Some(folder) => Err(StoreError::Damaged(format!("{folder} holds no archive"))),
    }
}
