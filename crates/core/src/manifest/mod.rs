//! The manifest, format 1: what a backup says about itself. It is written last; a directory without
//! one is no backup. `docs/format.md` explains it, `docs/manifest.v1.schema.json` is made from here.
//!
//! The format only ever grows by a new version: what stands here is read for ever.

mod inventory;
mod left_out;
mod watermark;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use inventory::{Count, Inventory};
pub use left_out::{DataKind, LeftOut};
pub use watermark::{Watermark, Watermarks};

use crate::names::{Address, ArtifactName, BackupId, Project, RunId, StoreKind, StoreName};
use crate::workload::State;

/// The format that this version writes and reads.
pub const FORMAT: u32 = 1;

/// The fact of a store's record that tells how long its clients waited while it was copied, and with what statement.
pub const CLIENTS_WAITED: &str = "clients waited";

/// What one backup holds and how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this format: 1.
    pub format: u32,
    /// The version of Stillpoint that wrote it.
    pub stillpoint: String,
    /// The backup's id, the same as its directory's name.
    pub id: BackupId,
    /// The platform it was made of.
    pub platform: Project,
    /// The run that made it.
    pub run: RunId,
    /// How the standstill was kept.
    pub mode: Mode,
    /// When the run began.
    pub began: Timestamp,
    /// When this manifest was written.
    pub sealed: Timestamp,
    /// When the platform stood still; none in a partial manifest of a run that failed before.
    pub standstill: Option<Standstill>,
    /// Every workload of the platform and what the run did with it.
    pub workloads: Vec<WorkloadRecord>,
    /// The stores, with their artifacts.
    pub stores: Vec<StoreRecord>,
    /// It was made by others; its artifacts were read, hashed and described afterwards. Nothing was counted
    /// when it was made, and nobody knows of a standstill.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// It was made before a restore of that backup replaced what is in it, as the way back. It holds only the
    /// stores that cannot set their old data aside, and counts as no backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_of: Option<BackupId>,
    /// In a partial manifest: why the run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// How long a run keeps the clients away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Clients start again when every store is pinned, and run while the stores are drained.
    #[default]
    Pin,
    /// Clients stay down until the last byte was read.
    Hold,
}

impl fmt::Display for Mode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Pin => "pin",
            Self::Hold => "hold",
        })
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pin" => Ok(Self::Pin),
            "hold" => Ok(Self::Hold),
            other => Err(format!("`{other}` is neither `pin` nor `hold`")),
        }
    }
}

/// The window in which no client ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standstill {
    /// The first workload was asked to stop.
    pub stopping: Timestamp,
    /// The last one had stopped.
    pub began: Timestamp,
    /// The first client was about to be started.
    pub ended: Timestamp,
    /// The last client had been started; none where nobody noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Timestamp>,
}

impl Standstill {
    /// How long clients were down: from the first stop to the last start.
    pub fn down(&self) -> Duration {
        let back = self.back.unwrap_or(self.ended);
        back.duration_since(self.stopping).unsigned_abs()
    }
}

/// What the plan said about one workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkloadRecord {
    /// Which.
    pub address: Address,
    /// Its image as the operator named it.
    pub image: String,
    /// Its image's id.
    pub image_id: String,
    /// What it did before the run.
    pub state: State,
    /// `store`, `client` or `kept`.
    pub role: String,
    /// `stop` or `leave`.
    pub action: String,
    /// Why.
    pub reason: String,
    /// What it keeps that the backup does not hold; none for a store, and where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Vec<LeftOut>>,
}

/// One store's share of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreRecord {
    /// The store's name.
    pub name: StoreName,
    /// Its kind.
    pub kind: StoreKind,
    /// The server's version, in its own words.
    pub version: String,
    /// When its point in time was fixed.
    pub pinned: Timestamp,
    /// Its artifacts, in the order in which they were written.
    pub artifacts: Vec<Artifact>,
    /// What was in it.
    pub inventory: Inventory,
    /// How long its pin and its drain took; none where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Took>,
    /// The marks of client writes around its pin; none where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermarks: Option<Watermarks>,
    /// What this kind of store needs to know for a restore; its page in the docs lists the names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

/// How long the work on one store took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Took {
    /// To fix its point in time.
    pub pin: u64,
    /// To stream it into the repository.
    pub drain: u64,
}

/// One object of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Its place below the backup's directory.
    pub name: ArtifactName,
    /// What is in it: `globals`, `database`.
    pub content: String,
    /// The true name of what is in it, where it has one: the name of the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in lower-case hexadecimal.
    pub sha256: String,
    /// It lists objects that the store has written by itself, and so many of them are this store's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<Lists>,
}

/// Objects of a store that an artifact lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lists {
    /// How many.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Artifact {
    /// Its bytes, and those of what it lists.
    pub fn bytes(&self) -> u64 {
        self.size + self.lists.map_or(0, |lists| lists.bytes)
    }
}

/// The first object of a backup: who is writing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The version of this format: 1.
    pub format: u32,
    /// The platform.
    pub platform: Project,
    /// The run.
    pub run: RunId,
    /// The writer's host.
    pub host: String,
    /// The writer's process on that host.
    pub process: u32,
    /// When the run began.
    pub began: Timestamp,
}

/// A manifest that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not a manifest at all, or not a whole one.
    #[error("the manifest is damaged: {0}")]
    Damaged(String),
    /// It was written by a newer Stillpoint.
    #[error("the manifest has format {0}, this version reads up to {FORMAT}")]
    Newer(u32),
    /// It speaks of another backup than the one whose directory it stands in.
    #[error("the manifest is that of backup {0}")]
    Foreign(BackupId),
}

impl Manifest {
    /// Reads the manifest found in the directory of `id`.
    pub fn parse(id: BackupId, text: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let damaged = |error: serde_json::Error| Unreadable::Damaged(error.to_string());
        let Version { format } = serde_json::from_slice(text).map_err(damaged)?;
        if format != FORMAT {
            return Err(Unreadable::Newer(format));
        }
        let manifest: Self = serde_json::from_slice(text).map_err(damaged)?;
        if manifest.id == id {
            Ok(manifest)
        } else {
            Err(Unreadable::Foreign(manifest.id))
        }
    }

    /// Every artifact with the store it belongs to.
    pub fn artifacts(&self) -> impl Iterator<Item = (&StoreRecord, &Artifact)> {
        self.stores
            .iter()
            .flat_map(|store| store.artifacts.iter().map(move |artifact| (store, artifact)))
    }

    /// Bytes of all artifacts, and of what they list.
    pub fn size(&self) -> u64 {
        self.artifacts().map(|(_, artifact)| artifact.bytes()).sum()
    }

    /// The format's JSON Schema, as it stands in the documentation.
    pub fn schema() -> String {
        let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Self)).unwrap_or_default();
        text.push('\n');
        text
    }
}
