//! Moving objects between a server's bucket and the repository, and back. A server writes a key once; but one that was set back to
//! before an index was built builds it again under the same key, and the bytes of most kinds of index differ from build to build.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use stillpoint_core::backups::Artifacts;
use stillpoint_core::events::Meter;
use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::names::{ArtifactName, unescape};
use stillpoint_core::ports::gateway::Verified;
use stillpoint_core::ports::repository::{Content, Entry};
use stillpoint_core::ports::{Key, RepositoryError};
use stillpoint_core::sink::Objects;
use stillpoint_core::stores::{Cx, StoreError};

use super::MilvusStore;
use super::backend::Bucket;
use super::facts::Facts;
use crate::toolbox::guarded;

/// So many objects move at once: most are small, and each costs a round trip.
const AT_ONCE: usize = 8;

/// What is told of objects on their way: one meter for all of them.
struct Progress(Mutex<Meter>);

impl Progress {
    fn of(cx: &Cx, store: &MilvusStore, bytes: u64) -> Self {
        let name = ArtifactName::of(&[store.name.as_str()]);
        Self(Mutex::new(cx.report.meter(store.name.clone(), name, Some(bytes))))
    }

    fn add(&self, bytes: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
    }
}

/// A place in the repository as the bucket's key.
fn key_of(facts: &Facts, name: &str) -> Option<String> {
    let below = name.strip_prefix(&facts.objects())?;
    let parts: Option<Vec<String>> = below.split('/').map(unescape).collect();
    Some(parts?.join("/"))
}

/// A key of the bucket as a place in the repository.
fn name_of(facts: &Facts, key: &str) -> ArtifactName {
    let folder = facts.objects();
    let parts = folder.trim_end_matches('/').split('/').chain(key.split('/'));
    ArtifactName::of(&parts.collect::<Vec<_>>())
}

/// How many objects a record lists.
pub(super) fn listed(record: &StoreRecord) -> u64 {
    let lists = record.artifacts.iter().filter_map(|artifact| artifact.lists);
    lists.map(|lists| lists.objects).sum()
}

/// What a restore puts into the bucket, by key. What is not among it is removed there, so none of those that are listed may be missing.
pub(super) fn wanted<'a>(
    facts: &Facts,
    listed: u64,
    objects: &'a [Verified],
) -> Result<BTreeMap<String, &'a Verified>, StoreError> {
    let mut wanted = BTreeMap::new();
    for object in objects {
        let name = &object.recorded.name;
        let key = key_of(facts, name).ok_or_else(|| StoreError::Damaged(format!("{name}: no object of a bucket")))?;
        wanted.insert(key, object);
    }
    if wanted.len() as u64 == listed {
        return Ok(wanted);
    }
    let (folder, read) = (&facts.folder, wanted.len());
    Err(StoreError::Damaged(format!(
        "{folder}: {read} objects were read of {listed} that are listed"
    )))
}

impl MilvusStore {
    /// Copies exactly these objects into the repository.
    pub(super) async fn copy_out(
        &self,
        cx: &Cx,
        bucket: &Bucket,
        facts: &Facts,
        entries: &[Entry],
        into: &Objects,
    ) -> Result<(), StoreError> {
        let progress = Progress::of(cx, self, entries.iter().map(|entry| entry.size).sum());
        let mut running = FuturesUnordered::new();
        for entry in entries {
            leave(&mut running, AT_ONCE - 1).await?;
            running.push(self.copy_one_out(cx, bucket, facts, entry, into, &progress));
        }
        leave(&mut running, 0).await
    }

    async fn copy_one_out(
        &self,
        cx: &Cx,
        bucket: &Bucket,
        facts: &Facts,
        entry: &Entry,
        into: &Objects,
        progress: &Progress,
    ) -> Result<(), StoreError> {
        let opened = guarded(cx, "an object of its bucket", bucket.objects.open(&entry.key)).await?;
        let mut object = opened.map_err(|error| self.gone(bucket, entry, &error))?;
        if object.size != entry.size {
            let (key, was, is) = (&entry.key, entry.size, object.size);
            return Err(self.unfit(&format!("its object {key} had {was} bytes, and has {is} now")));
        }
        let name = name_of(facts, entry.key.as_str());
        into.put(&name, async |writer| {
            loop {
                let piece = guarded(cx, "an object of its bucket", object.content.try_next()).await?;
                let Some(piece) = piece.map_err(|error| self.bucket_failed(&bucket.name, &error))? else {
                    return Ok(());
                };
                progress.add(piece.len());
                guarded(cx, "writing to the repository", writer.write(piece)).await??;
            }
        })
        .await
    }

    /// What the server has removed while it was copied is told as what it is.
    fn gone(&self, bucket: &Bucket, entry: &Entry, error: &RepositoryError) -> StoreError {
        match error {
            RepositoryError::Missing { .. } => self.unfit(&format!(
                "its object {} was removed before it was copied: its garbage collection was faster (dataCoord.gc.dropTolerance is how \
                 long it waits)",
                entry.key
            )),
            error => self.bucket_failed(&bucket.name, error),
        }
    }

    /// Puts objects into the bucket; what is there already and the same stays, what is there and another makes room.
    pub(super) async fn copy_in(
        &self,
        cx: &Cx,
        bucket: &Bucket,
        artifacts: &Artifacts,
        wanted: &BTreeMap<String, &Verified>,
    ) -> Result<(), StoreError> {
        let present = self.list(cx, bucket).await?;
        let present: BTreeMap<&str, u64> = present.iter().map(|entry| (entry.key.as_str(), entry.size)).collect();
        let progress = Progress::of(cx, self, wanted.values().map(|object| object.recorded.size).sum());
        let mut running = FuturesUnordered::new();
        for (key, object) in wanted {
            leave(&mut running, AT_ONCE - 1).await?;
            let there = present.get(key.as_str()).copied();
            let key = Key::found(key.as_str());
            running.push(self.copy_one_in(cx, bucket, artifacts, (key, there), object, &progress));
        }
        leave(&mut running, 0).await
    }

    async fn copy_one_in(
        &self,
        cx: &Cx,
        bucket: &Bucket,
        artifacts: &Artifacts,
        (key, there): (Key, Option<u64>),
        object: &Verified,
        progress: &Progress,
    ) -> Result<(), StoreError> {
        let failed = |error: RepositoryError| self.bucket_failed(&bucket.name, &error);
        let size = object.recorded.size;
        if there == Some(size) && self.is_same(cx, bucket, &key, object).await? {
            progress.add(usize::try_from(size).unwrap_or(usize::MAX));
            return Ok(());
        }
        if there.is_some() {
            self.remove(cx, bucket, key.clone()).await?;
        }
        let mut content = guarded(cx, "the repository", artifacts.read(object)).await??;
        let mut upload = guarded(cx, "its bucket", bucket.objects.upload(&key))
            .await?
            .map_err(failed)?;
        let written = async {
            while let Some(piece) = guarded(cx, "the repository", content.try_next()).await?? {
                progress.add(piece.len());
                guarded(cx, "its bucket", upload.write(piece)).await?.map_err(failed)?;
            }
            Ok(())
        };
        if let Err(error) = written.await {
            // What is left of it is no object, and the next attempt writes it anew.
            let _ = upload.abort().await;
            return Err(error);
        }
        guarded(cx, "its bucket", upload.complete()).await?.map_err(failed)
    }

    /// Whether the bucket holds under this key what was recorded.
    async fn is_same(&self, cx: &Cx, bucket: &Bucket, key: &Key, object: &Verified) -> Result<bool, StoreError> {
        let opened = guarded(cx, "an object of its bucket", bucket.objects.open(key)).await?;
        let opened = opened.map_err(|error| self.bucket_failed(&bucket.name, &error))?;
        let hash = self.hash(cx, bucket, opened.content).await?;
        Ok(hash == object.recorded.sha256)
    }

    async fn hash(&self, cx: &Cx, bucket: &Bucket, mut content: Content) -> Result<String, StoreError> {
        let mut hash = Sha256::new();
        loop {
            let piece = guarded(cx, "an object of its bucket", content.try_next()).await?;
            match piece.map_err(|error| self.bucket_failed(&bucket.name, &error))? {
                Some(piece) => hash.update(&piece),
                None => return Ok(hex(&hash.finalize())),
            }
        }
    }

    /// Removes what the bucket holds below the server's root and should not.
    pub(super) async fn keep_only_these(
        &self,
        cx: &Cx,
        bucket: &Bucket,
        wanted: &BTreeMap<String, &Verified>,
    ) -> Result<(), StoreError> {
        let present = self.list(cx, bucket).await?;
        let mut running = FuturesUnordered::new();
        for entry in present {
            if !wanted.contains_key(entry.key.as_str()) {
                leave(&mut running, AT_ONCE - 1).await?;
                running.push(self.remove(cx, bucket, entry.key));
            }
        }
        leave(&mut running, 0).await
    }

    async fn remove(&self, cx: &Cx, bucket: &Bucket, key: Key) -> Result<(), StoreError> {
        let removed = guarded(cx, "its bucket", bucket.objects.delete(&key)).await?;
        removed.map_err(|error| self.bucket_failed(&bucket.name, &error))
    }
}

/// Waits until no more than so many are at work; the first that fails ends the others.
async fn leave<F>(running: &mut FuturesUnordered<F>, at_most: usize) -> Result<(), StoreError>
where
    F: Future<Output = Result<(), StoreError>>,
{
    while running.len() > at_most {
        if let Some(done) = running.next().await {
            done?;
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use stillpoint_core::ports::gateway::Recorded;
    use stillpoint_core::ports::repository::Version;

    use super::*;

    #[test]
    fn a_bucket_is_never_made_to_hold_less_than_is_listed() {
        let facts = Facts {
            folder: "m".into(),
            ..Facts::default()
        };
        let object = |name: &str| Verified {
            recorded: Recorded {
                name: name.into(),
                size: 1,
                sha256: String::new(),
            },
            written: Timestamp::UNIX_EPOCH,
            version: Version(String::new()),
        };
        let both = [object("m/physical/objects/a/1"), object("m/physical/objects/a/2")];
        let keys: Vec<String> = wanted(&facts, 2, &both).unwrap().into_keys().collect();
        assert_eq!(keys, ["a/1", "a/2"]);
        let told = wanted(&facts, 2, &both[..1]).unwrap_err().to_string();
        assert_eq!(told, "m: 1 objects were read of 2 that are listed");
        assert!(wanted(&facts, 1, &[]).is_err() && wanted(&facts, 0, &[]).is_ok());
        assert!(wanted(&facts, 1, &[object("other/1")]).is_err());
    }

    #[test]
    fn keys_come_back_as_they_were() {
        let facts = Facts {
            folder: "milvus_backup_2026_02_17_00_00_00".into(),
            ..Facts::default()
        };
        for key in ["insert_log/1/2/3/0/4", "index_files/5/1/2/3/a b%ü", "x"] {
            let name = name_of(&facts, key);
            assert!(
                name.as_str()
                    .starts_with("milvus_backup_2026_02_17_00_00_00/physical/objects/")
            );
            assert_eq!(key_of(&facts, name.as_str()).as_deref(), Some(key));
        }
        assert_eq!(key_of(&facts, "other/physical/objects/x"), None);
    }

    #[test]
    fn hashes_are_written_as_recorded() {
        assert_eq!(hex(&[0, 15, 255]), "000fff");
    }
}
