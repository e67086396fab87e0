//! Objects in parts. Parts arrive side by side, in any order and more than once, and only the end says which of them
//! count: each is an object of its own below `.parts/` of the backup, and the end writes the whole out of them, in
//! order, hashed (docs/adr/0017). What a part holds is compared with its own hash then.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use s3s::{S3Result, s3_error};
use stillpoint_core::ports::{Key, RepositoryError};
use tokio::sync::{Mutex, oneshot};
use tracing::warn;

use super::body::Incoming;
use super::checked;
use super::errors::of_repository;
use super::intake::{Intake, ended};
use super::shelf::etag;
use super::tasks::Ended;
use super::writer::Writer;

/// Parts that an object may have (Amazon's manual, "Multipart upload limits").
const MOST: i32 = 10_000;

/// An upload in parts.
#[derive(Debug)]
pub(super) struct Multipart {
    id: String,
    name: String,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open(BTreeMap<i32, Part>),
    /// A client whose answer was lost asks again.
    Completed {
        etag: String,
    },
    Aborted,
}

#[derive(Clone, Debug)]
struct Part {
    key: Key,
    size: u64,
    sha256: String,
}

/// The parts that a client names at the end, with the `ETag` that each was given.
pub(super) type Named = Vec<(i32, String)>;

impl Intake {
    /// Begins an upload: its id.
    pub(super) fn begin_multipart(&self, name: &str) -> String {
        let id = format!("{:032x}", rand::random::<u128>());
        let upload = Arc::new(Multipart {
            id: id.clone(),
            name: name.to_owned(),
            state: Mutex::new(State::Open(BTreeMap::new())),
        });
        self.uploads().insert(id.clone(), upload);
        id
    }

    /// Takes in a part: its `ETag`. One of the same number is replaced.
    pub(super) async fn put_part(
        self: &Arc<Self>,
        (name, id): (&str, &str),
        number: i32,
        incoming: Incoming,
    ) -> S3Result<String> {
        let upload = self.find_upload(name, id)?;
        if !(1..=MOST).contains(&number) {
            return Err(s3_error!(InvalidArgument, "part numbers go from 1 to 10000"));
        }
        let intake = self.clone();
        let put = async move {
            let key = intake.part(&upload.id, number);
            let part = intake.store_part(key.clone(), incoming).await;
            let added = match part {
                Ok(part) => upload.add(number, part).await,
                Err(error) => Err(error),
            };
            let (etag, superfluous) = match added {
                Ok(Added { etag, replaced }) => (Ok(etag), replaced),
                Err(error) => (Err(error), Some(key)),
            };
            intake.discard_all(superfluous).await;
            etag
        };
        self.tasks.run(put).await.map_err(|Ended| ended())?
    }

    async fn store_part(&self, key: Key, incoming: Incoming) -> S3Result<Part> {
        let taken = self.receive(key.clone(), incoming).await?;
        let (size, sha256) = (taken.size, taken.sha256.clone());
        taken.complete().await?;
        Ok(Part { key, size, sha256 })
    }

    /// Begins to make the object out of its parts, whoever waits for it.
    pub(super) fn complete_multipart(
        self: &Arc<Self>,
        name: &str,
        id: &str,
        named: Named,
        absent: bool,
    ) -> S3Result<oneshot::Receiver<S3Result<String>>> {
        let (intake, upload) = (self.clone(), self.find_upload(name, id)?);
        Ok(self.tasks.begin(async move {
            let mut state = upload.state.lock().await;
            let parts = match &*state {
                State::Open(parts) => chosen(parts, &named)?,
                State::Completed { etag } => return Ok(etag.clone()),
                State::Aborted => return Err(s3_error!(NoSuchUpload)),
            };
            let etag = intake.assemble(&upload.name, &parts, absent).await?;
            let completed = State::Completed { etag: etag.clone() };
            if let State::Open(parts) = std::mem::replace(&mut *state, completed) {
                intake.discard_all(parts.into_values().map(|part| part.key)).await;
            }
            Ok(etag)
        }))
    }

    async fn assemble(&self, name: &str, parts: &[Part], absent: bool) -> S3Result<String> {
        let size = parts.iter().map(|part| part.size).sum();
        let mut writer = self.writer(Key::of(self.backup, name), size).await?;
        let written = self.append_all(&mut writer, parts).await;
        let taken = writer.end(written.map_err(|error| of_repository(&error))).await?;
        self.commit(name, taken, absent).await
    }

    async fn append_all(&self, writer: &mut Writer, parts: &[Part]) -> Result<(), RepositoryError> {
        for part in parts {
            let found = self.repository.open(&part.key).await?;
            let content = checked::whole(part.key.clone(), found.content, part.size, &part.sha256, &self.workers);
            writer.append(content).await?;
        }
        Ok(())
    }

    /// Gives an upload up, with all its parts.
    pub(super) async fn abort_multipart(self: &Arc<Self>, name: &str, id: &str) -> S3Result<()> {
        let (intake, upload) = (self.clone(), self.find_upload(name, id)?);
        let abort = async move {
            let mut state = upload.state.lock().await;
            let State::Open(parts) = &mut *state else {
                return Err(s3_error!(NoSuchUpload));
            };
            let parts = std::mem::take(parts);
            *state = State::Aborted;
            intake.uploads().remove(&upload.id);
            intake.discard_all(parts.into_values().map(|part| part.key)).await;
            Ok(())
        };
        self.tasks.run(abort).await.map_err(|Ended| ended())?
    }

    fn find_upload(&self, name: &str, id: &str) -> S3Result<Arc<Multipart>> {
        let upload = self.uploads().get(id).cloned();
        let upload = upload.filter(|upload| upload.name == name);
        upload.ok_or_else(|| s3_error!(NoSuchUpload))
    }

    fn uploads(&self) -> MutexGuard<'_, std::collections::HashMap<String, Arc<Multipart>>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn discard_all(&self, parts: impl IntoIterator<Item = Key, IntoIter: Send> + Send) {
        for part in parts {
            if let Err(error) = self.discard(&part).await {
                warn!(target: "stillpoint::gateway", key = %part, %error, "a part is removed at the end");
            }
        }
    }
}

/// A part that counts from now on.
struct Added {
    etag: String,
    replaced: Option<Key>,
}

impl Multipart {
    async fn add(&self, number: i32, part: Part) -> S3Result<Added> {
        let State::Open(parts) = &mut *self.state.lock().await else {
            return Err(s3_error!(NoSuchUpload));
        };
        let etag = etag(&part.sha256);
        let replaced = parts.insert(number, part).map(|part| part.key);
        Ok(Added { etag, replaced })
    }
}

/// The parts that were named, in order.
fn chosen(parts: &BTreeMap<i32, Part>, named: &Named) -> S3Result<Vec<Part>> {
    if named.is_empty() {
        return Err(s3_error!(MalformedXML, "no part was named"));
    }
    if !named.is_sorted_by(|(one, _), (next, _)| one < next) {
        return Err(s3_error!(InvalidPartOrder));
    }
    let part = |(number, tag): &(i32, String)| {
        let part = parts.get(number).filter(|part| etag(&part.sha256) == *tag);
        part.cloned().ok_or_else(|| s3_error!(InvalidPart))
    };
    named.iter().map(part).collect()
}
