//! The pin: what the server was sent is stored, its metadata is read at one revision, and the objects that there are then are listed.
//! They never change, and the server removes none that it needs no more for hours. The drain: those objects, while clients work.
//!
//! The list is made after the revision: whatever the metadata names is there by then.

use std::collections::BTreeMap;
use std::io::Write as _;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use stillpoint_core::manifest::Inventory;
use stillpoint_core::names::{ArtifactName, StoreName};
use stillpoint_core::ports::repository::Entry;
use stillpoint_core::sink::{Objects, Sink};
use stillpoint_core::stores::{Cx, Drained, Pinned, StoreError};

use super::MilvusStore;
use super::config::Config;
use super::etcd::Pairs;
use super::facts::Facts;
use super::inventory::told;
use super::metadata::Metadata;

/// What the artifact of the metadata is called in a manifest.
const METADATA: &str = "metadata";

/// A server at its point in time.
struct Pin {
    store: MilvusStore,
    pinned: Timestamp,
    version: String,
    inventory: Inventory,
    facts: Facts,
    config: Config,
    pairs: Pairs,
    entries: Vec<Entry>,
    /// What was copied so far.
    copied: Option<Objects>,
}

/// The folder of a backup of this moment, as milvus-backup calls its own.
fn folder(store: &StoreName, at: Timestamp) -> String {
    let moment = at.to_zoned(TimeZone::UTC).strftime("%Y_%m_%d_%H_%M_%S").to_string();
    format!("{store}_backup_{moment}")
}

impl MilvusStore {
    pub(super) async fn fix(&self, cx: &Cx, sink: &Sink) -> Result<Box<dyn Pinned>, StoreError> {
        let config = self.config(cx, &self.workload).await?;
        let session = self.open(cx, &config).await?;
        let version = session.version().await;
        let version = version.map_err(|trouble| self.failed("asking for its version", trouble))?;
        self.flush(&session).await?;
        let pinned = cx.clock.now();
        let snapshot = self.metadata(cx, &config).await?;
        let bucket = self.bucket(cx, &config).await?;
        let entries = self.list(cx, &bucket).await?;
        self.must_hold_all(&Metadata::of(&snapshot.pairs, &config), &entries)?;
        let collections = session.collections().await;
        let collections = collections.map_err(|trouble| self.failed("listing its collections", trouble))?;
        let inventory = told(&Metadata::of(&snapshot.pairs, &config), &config, &collections, &[]);
        let at = config.bucket();
        let facts = Facts {
            folder: folder(&self.name, sink.backup().timestamp()),
            etcd_root: config.etcd_root(),
            revision: snapshot.revision,
            bucket: at.bucket,
            root: at.root,
        };
        Ok(Box::new(Pin {
            store: self.clone(),
            pinned,
            version,
            inventory,
            facts,
            config,
            pairs: snapshot.pairs,
            entries,
            copied: Some(sink.objects(&self.name)),
        }))
    }

    /// A wrong bucket, or a wrong folder in it, would make a backup of nothing.
    pub(super) fn must_hold_all(&self, metadata: &Metadata<'_>, entries: &[Entry]) -> Result<(), StoreError> {
        match missing(metadata, entries) {
            None => Ok(()),
            Some(folder) => Err(self.unfit(&format!(
                "its metadata names objects in {folder}/, and its bucket has none there: look at minio.bucketName and minio.rootPath"
            ))),
        }
    }
}

/// A folder that should hold objects and holds none.
fn missing(metadata: &Metadata<'_>, entries: &[Entry]) -> Option<String> {
    let mut folders = metadata.folders();
    for entry in entries {
        if let Some((folder, _)) = entry.key.as_str().rsplit_once('/') {
            folders.remove(folder);
        }
    }
    folders.pop_first()
}

/// A line each: key and value in base64.
pub(super) fn packed(pairs: &Pairs) -> std::io::Result<Bytes> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    for (key, value) in pairs {
        let line = json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(value) });
        serde_json::to_writer(&mut packed, &line)?;
        packed.write_all(b"\n")?;
    }
    Ok(packed.finish()?.into())
}

#[async_trait]
impl Pinned for Pin {
    fn needs_standstill(&self) -> bool {
        false
    }

    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        let store = &self.store;
        let bucket = store.bucket(cx, &self.config).await?;
        let Some(copied) = &self.copied else {
            return Err(store.unfit("its copy was given up"));
        };
        store.copy_out(cx, &bucket, &self.facts, &self.entries, copied).await?;
        let packed = packed(&self.pairs).map_err(|error| store.unfit(&format!("its metadata: {error}")))?;
        let name = ArtifactName::of(&self.facts.metadata());
        let write = async |writer: &mut stillpoint_core::sink::ArtifactWriter| Ok(writer.write(packed).await?);
        let (artifact, ()) = sink
            .put::<_, StoreError>(&store.name, name, (METADATA, None), write)
            .await?;
        if let Some(copied) = self.copied.take() {
            copied.record();
        }
        Ok(Drained {
            version: self.version.clone(),
            pinned: self.pinned,
            artifacts: vec![artifact],
            inventory: self.inventory.clone(),
            facts: self.facts.told(),
        })
    }

    async fn release(&mut self) {
        if let Some(copied) = self.copied.take() {
            copied.give_up().await;
        }
    }
}

/// What [`packed`] has written; none if it is not that.
pub(super) fn unpacked(packed: &[u8]) -> Option<Pairs> {
    use std::io::Read as _;
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).ok()?;
    let mut pairs = BTreeMap::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let part = |name: &str| STANDARD.decode(line.get(name)?.as_str()?).ok();
        pairs.insert(part("key")?, part("value")?);
    }
    (!pairs.is_empty()).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_called_after_its_store_and_its_moment() {
        let at: Timestamp = "2026-02-17T00:00:00Z".parse().unwrap();
        assert_eq!(
            folder(&StoreName::new("milvus"), at),
            "milvus_backup_2026_02_17_00_00_00"
        );
    }

    #[test]
    fn metadata_comes_back_as_it_was() {
        let pairs = Pairs::from([
            (b"by-dev/a".to_vec(), vec![0, 255, b'\n']),
            (b"by-dev/b\0".to_vec(), Vec::new()),
        ]);
        let whole = packed(&pairs).unwrap();
        assert_eq!(unpacked(&whole), Some(pairs));
        assert_eq!(unpacked(&whole[..whole.len() - 9]), None);
        assert_eq!(unpacked(&packed(&Pairs::new()).unwrap()), None, "no server has none");
    }
}
