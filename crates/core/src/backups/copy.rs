//! Copying a backup out of its repository into another place, which is a repository then. Each object is hashed on its way and
//! exists there only if it is what the manifest says; what is there already and is the same stays, anything else in the way
//! refuses the copy before it begins. The manifest comes last: until then the copy is no backup.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::{ArtifactError, Backups, DOCUMENT_LIMIT, Damage, MANIFEST, RUN};
use crate::events::{EventKind, Reporter};
use crate::hashing::Hashing;
use crate::manifest::{Manifest, StoreRecord};
use crate::names::{ArtifactName, BackupId, StoreName};
use crate::ports::gateway::Recorded;
use crate::ports::{Key, Repository, RepositoryError};

/// How many objects are copied at the same time.
const AT_ONCE: usize = 4;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// The backup.
    pub backup: BackupId,
    /// The stores whose data was copied.
    pub stores: Vec<StoreName>,
    /// The place that it was copied into.
    pub place: String,
    /// Objects that were copied.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that were there already, the same.
    pub already_there: u64,
    /// All of the backup is there: the place is a repository that it can be restored from.
    pub is_whole: bool,
}

/// Why a backup could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It is not what its manifest says.
    #[error("{0}")]
    Damaged(Damage),
    /// Its repository failed.
    #[error(transparent)]
    Source(RepositoryError),
    /// The place that it is copied into failed.
    #[error(transparent)]
    Target(RepositoryError),
    /// Something else is there already.
    #[error("{} is in the way", .0.join(", "))]
    InTheWay(Vec<String>),
    /// It does not fit.
    #[error("{needed} bytes do not fit into {room}")]
    NoRoom {
        /// Bytes that fit.
        room: u64,
        /// Bytes that are needed.
        needed: u64,
    },
}

/// An object that is to be copied.
struct Piece {
    store: StoreName,
    object: Recorded,
}

impl Piece {
    fn damaged(&self, what: ArtifactError) -> CopyError {
        damaged(&self.store, &ArtifactName::found(&self.object.name), what)
    }
}

fn damaged(store: &StoreName, name: &ArtifactName, what: ArtifactError) -> CopyError {
    match what {
        ArtifactError::Repository(error) => CopyError::Source(error),
        what => CopyError::Damaged(Damage::of(store, name, what)),
    }
}

impl Backups {
    /// Copies a backup, or these of its stores alone, into another place. May be repeated, and may die anywhere: the next goes on.
    pub async fn copy_out(
        &self,
        manifest: &Manifest,
        stores: &[StoreName],
        into: &dyn Repository,
        report: &Reporter,
    ) -> Result<Copied, CopyError> {
        let id = manifest.id;
        let is_chosen = |record: &&StoreRecord| stores.is_empty() || stores.contains(&record.name);
        let chosen: Vec<&StoreRecord> = manifest.stores.iter().filter(is_chosen).collect();
        let is_whole = chosen.len() == manifest.stores.len();
        let pieces = self.pieces(id, &chosen, report).await?;
        let documents = self.documents(id).await.map_err(CopyError::Source)?;
        into.sweep(&id.to_string()).await.map_err(CopyError::Target)?;
        let there = self.already_there(id, &pieces, &documents, into).await?;
        let (already, missing): (Vec<Piece>, Vec<Piece>) = pieces
            .into_values()
            .partition(|piece| there.contains(&piece.object.name));
        let objects = missing.len() as u64;
        let bytes: u64 = missing.iter().map(|piece| piece.object.size).sum();
        if let Some(room) = into
            .room()
            .await
            .map_err(CopyError::Target)?
            .filter(|room| *room < bytes)
        {
            return Err(CopyError::NoRoom { room, needed: bytes });
        }
        let (manifest_text, first): (Vec<_>, Vec<_>) = documents.into_iter().partition(|(name, _)| *name == MANIFEST);
        if is_whole {
            create_all(id, first, &there, into).await?;
        }
        let copies = missing.into_iter().map(|piece| self.copy(id, piece, into, report));
        let mut copies = stream::iter(copies).buffer_unordered(AT_ONCE);
        while copies.try_next().await?.is_some() {}
        if is_whole {
            create_all(id, manifest_text, &there, into).await?;
        }
        Ok(Copied {
            backup: id,
            stores: chosen.iter().map(|record| record.name.clone()).collect(),
            place: into.place(),
            objects,
            bytes,
            already_there: already.len() as u64,
            is_whole,
        })
    }

    /// All objects of these stores, by their names: a list of objects belongs to more than one store.
    async fn pieces(
        &self,
        id: BackupId,
        chosen: &[&StoreRecord],
        report: &Reporter,
    ) -> Result<BTreeMap<String, Piece>, CopyError> {
        let artifacts = self.artifacts(id, report);
        let mut pieces = BTreeMap::new();
        for record in chosen {
            for artifact in &record.artifacts {
                let listed = artifacts.objects(&record.name, artifact).await;
                let listed = listed.map_err(|what| damaged(&record.name, &artifact.name, what))?;
                let itself = Recorded {
                    name: artifact.name.to_string(),
                    size: artifact.size,
                    sha256: artifact.sha256.clone(),
                };
                for object in std::iter::once(itself).chain(listed) {
                    let store = record.name.clone();
                    pieces.insert(object.name.clone(), Piece { store, object });
                }
            }
        }
        Ok(pieces)
    }

    /// `run.json`, which what others made does not have, and the manifest.
    async fn documents(&self, id: BackupId) -> Result<Vec<(&'static str, Bytes)>, RepositoryError> {
        let mut documents = Vec::new();
        for name in [RUN, MANIFEST] {
            match self.read(&Key::of(id, name), DOCUMENT_LIMIT).await {
                Ok(content) => documents.push((name, content)),
                Err(RepositoryError::Missing { .. }) if name == RUN => {}
                Err(error) => return Err(error),
            }
        }
        Ok(documents)
    }

    /// The names of what is there already and is the same. Anything else there refuses the copy.
    async fn already_there(
        &self,
        id: BackupId,
        pieces: &BTreeMap<String, Piece>,
        documents: &[(&'static str, Bytes)],
        into: &dyn Repository,
    ) -> Result<Vec<String>, CopyError> {
        let found = into.list(Some(&id.to_string())).await.map_err(CopyError::Target)?;
        let (mut same, mut in_the_way) = (Vec::new(), Vec::new());
        for entry in found {
            let name = entry.key.split().map(|(_, name)| name.to_owned()).unwrap_or_default();
            let document = documents.iter().find(|(document, _)| *document == name);
            let is_same = match (pieces.get(&name), document) {
                (Some(piece), _) => self.is_there(&entry.key, &piece.object, into).await?,
                (None, Some((_, content))) => is_document(&entry.key, content, into).await?,
                (None, None) => false,
            };
            if is_same {
                same.push(name);
            } else {
                in_the_way.push(entry.key.to_string());
            }
        }
        if in_the_way.is_empty() {
            Ok(same)
        } else {
            in_the_way.sort();
            Err(CopyError::InTheWay(in_the_way))
        }
    }

    async fn is_there(&self, key: &Key, wanted: &Recorded, into: &dyn Repository) -> Result<bool, CopyError> {
        let mut found = into.open(key).await.map_err(CopyError::Target)?;
        if found.size != wanted.size {
            return Ok(false);
        }
        let mut hash = Hashing::new(self.workers.clone());
        while let Some(piece) = found.content.try_next().await.map_err(CopyError::Target)? {
            let added = hash.add(&piece).await;
            added.map_err(|ended| CopyError::Target(ended.at(key)))?;
        }
        let sha256 = hash.finish().await.map_err(|ended| CopyError::Target(ended.at(key)))?;
        Ok(sha256 == wanted.sha256)
    }

    /// Copies one object. It exists there only if its hash was right.
    async fn copy(
        &self,
        id: BackupId,
        piece: Piece,
        into: &dyn Repository,
        report: &Reporter,
    ) -> Result<(), CopyError> {
        let Recorded { name, size, sha256 } = &piece.object;
        let key = Key::of(id, name);
        let source = |error: RepositoryError| piece.damaged(error.into());
        let mut content = self.repository.open(&key).await.map_err(source)?.content;
        let mut upload = into.upload(&key).await.map_err(CopyError::Target)?;
        let mut hash = Hashing::new(self.workers.clone());
        let mut meter = report.meter(piece.store.clone(), ArtifactName::found(name), Some(*size));
        while let Some(bytes) = content.try_next().await.map_err(source)? {
            hash.add(&bytes).await.map_err(|ended| source(ended.at(&key)))?;
            meter.add(bytes.len());
            // More than it may have: what comes after is not written to a disk any more.
            if meter.bytes() > *size {
                break;
            }
            upload.write(bytes).await.map_err(CopyError::Target)?;
        }
        let found = hash.finish().await.map_err(|ended| source(ended.at(&key)))?;
        let wrong = if meter.bytes() == *size {
            (found != *sha256).then(|| ArtifactError::Hash {
                expected: sha256.clone(),
                found,
            })
        } else {
            Some(ArtifactError::Size {
                expected: *size,
                found: meter.bytes(),
            })
        };
        if let Some(wrong) = wrong {
            upload.abort().await.map_err(CopyError::Target)?;
            return Err(piece.damaged(wrong));
        }
        upload.complete().await.map_err(CopyError::Target)?;
        report.tell(EventKind::ArtifactDone {
            store: piece.store.clone(),
            artifact: ArtifactName::found(name),
            bytes: *size,
        });
        Ok(())
    }
}

async fn is_document(key: &Key, content: &Bytes, into: &dyn Repository) -> Result<bool, CopyError> {
    let found = into.open(key).await.map_err(CopyError::Target)?;
    if found.size != content.len() as u64 {
        return Ok(false);
    }
    let found: Vec<Bytes> = found.content.try_collect().await.map_err(CopyError::Target)?;
    Ok(found.concat() == *content)
}

async fn create_all(
    id: BackupId,
    documents: Vec<(&'static str, Bytes)>,
    there: &[String],
    into: &dyn Repository,
) -> Result<(), CopyError> {
    let missing = documents
        .into_iter()
        .filter(|(name, _)| !there.iter().any(|one| one == name));
    for (name, content) in missing {
        let created = into.create(&Key::of(id, name), content).await;
        created.map_err(CopyError::Target)?;
    }
    Ok(())
}
