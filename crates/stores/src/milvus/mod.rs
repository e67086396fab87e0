//! Milvus with its metadata in an etcd and its segments in a bucket: both are copied as they are, at one moment. Pinned without a
//! stop: what the server was sent is stored, the metadata is read at one revision, and the objects that it names are immutable.
//!
//! Operators read `docs/stores/milvus.md`. Never here: touching a key outside the server's root or an object outside its folder, or
//! the metadata of a server that runs.

mod access;
mod backend;
mod check;
mod config;
mod etcd;
mod facts;
mod inventory;
mod metadata;
mod objects;
mod pin;
mod preflight;
mod proto;
mod restore;
mod session;
mod try_login;
mod versions;
mod watermark;

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::engine::limits::{LOOK_EVERY, STORE_READY};
use stillpoint_core::logins::{Login, Passwords};
use stillpoint_core::manifest::{Inventory, StoreRecord, Watermark};
use stillpoint_core::names::{ArtifactName, StoreKind, StoreName, WorkloadId};
use stillpoint_core::ports::Overdue;
use stillpoint_core::sink::Sink;
use stillpoint_core::stores::{
    AsEver, AtRest, Copied, Cx, Greeting, Kind, Neighbours, Pinned, Preflight, Quiet, Recognition, Source, Staged,
    Store, StoreError, WayBack, Written,
};
use stillpoint_core::workload::{Environment, Workload};

use crate::recognise::Fingerprint;
use crate::settings::{Declared, PASSWORD, PORT, USER};
use crate::toolbox::guarded;
use crate::{Setting, recognise};
use access::Access;
use config::Config;
use restore::Restore;

const KIND: &str = "milvus";

/// A greeting in HTTP/2 is answered with a frame of settings.
const SIGNS: Fingerprint = Fingerprint {
    servers: &[KIND],
    classes: &[],
    not_with: &[],
    greeting: Greeting {
        port: 19530,
        say: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        answers: &[&[0, 0]],
        program: KIND,
    },
    variables: &[],
    images: &["milvus"],
    no_images: &[
        "attu",
        "backup",
        "birdwatcher",
        "cdc",
        "cli",
        "exporter",
        "insight",
        "migration",
        "operator",
    ],
    files: &["rdb_data_meta_kv/CURRENT", "rdb_data/CURRENT"],
};

/// What this kind can be told.
pub const DECLARED: Declared = Declared {
    kind: KIND,
    keys: &[PORT, USER, PASSWORD],
    reads_files: true,
};

/// Variables that name where a server keeps its data.
const PLACES: [&str; 2] = ["ETCD_ENDPOINTS", "MINIO_ADDRESS"];

/// The kind.
pub struct Milvus {
    setting: Setting,
}

impl Milvus {
    /// The kind, with our own environment as the place of overriding settings.
    pub fn new(setting: Setting) -> Self {
        Self { setting }
    }
}

impl Kind for Milvus {
    fn kind(&self) -> StoreKind {
        StoreKind::new(KIND)
    }

    fn recognises(&self, workload: &Workload) -> Recognition {
        recognise(KIND, &SIGNS, workload)
    }

    fn data_files(&self) -> &'static [&'static str] {
        SIGNS.files
    }

    fn store(
        &self,
        name: StoreName,
        workload: &Workload,
        neighbours: Neighbours<'_>,
    ) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(MilvusStore {
            access: Access::of(&name, workload, &self.setting)?,
            name,
            workload: workload.id.clone(),
            environment: workload.environment.clone(),
            needed: needed(workload, neighbours),
            neighbours: neighbours.iter().cloned().collect(),
        }))
    }
}

/// The neighbours in which it keeps data, as far as its container says: they are named by a variable, or it depends on them.
fn needed(workload: &Workload, neighbours: Neighbours<'_>) -> Vec<WorkloadId> {
    let config = Config::told(&workload.environment);
    let hosts = PLACES.iter().filter(|name| workload.environment.get(name).is_some());
    let hosts = hosts.flat_map(|_| {
        config
            .etcd()
            .into_iter()
            .map(|(host, _)| host)
            .chain([config.bucket().host])
    });
    let named = hosts.filter_map(|host| neighbours.called(&host).map(|found| found.id.clone()));
    let mut needed: Vec<WorkloadId> = named.filter(|id| *id != workload.id).collect();
    let dependencies = workload.dependencies();
    let depended = neighbours.iter().filter(|other| {
        dependencies.contains_key(other.address.service.as_str()) && other.address.project == workload.address.project
    });
    needed.extend(depended.map(|other| other.id.clone()));
    needed.sort();
    needed.dedup();
    needed
}

/// One server.
#[derive(Clone)]
struct MilvusStore {
    name: StoreName,
    workload: WorkloadId,
    /// Its container's: variables are settings.
    environment: Environment,
    access: Access,
    needed: Vec<WorkloadId>,
    neighbours: Arc<[Workload]>,
}

impl MilvusStore {
    fn unfit(&self, why: &str) -> StoreError {
        StoreError::Unfit(format!("{}: {why}", self.name))
    }

    /// Waits until it answers, and has begun to load what it had loaded.
    async fn wait_until_ready(&self, cx: &Cx) -> Result<(), StoreError> {
        let config = self.config(cx, &self.workload).await?;
        let session = self.open(cx, &config).await?;
        let began = cx.clock.elapsed();
        loop {
            let trouble = match session.collections().await {
                Ok(_) => return Ok(()),
                Err(trouble) if trouble.is_temporary() => trouble,
                Err(trouble) => return Err(self.failed("waiting until it answers", trouble)),
            };
            if cx.clock.elapsed().saturating_sub(began) > STORE_READY {
                return Err(match trouble {
                    session::Trouble::Silent(_) => Overdue {
                        what: format!("{} answering", self.name),
                        limit: STORE_READY,
                    }
                    .into(),
                    trouble => self.failed("waiting until it answers", trouble),
                });
            }
            guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
        }
    }

    /// Has it store what it was sent.
    async fn flush(&self, session: &session::Session<'_>) -> Result<(), StoreError> {
        let collections = session.collections().await;
        let collections = collections.map_err(|trouble| self.failed("listing its collections", trouble))?;
        let flushes = collections.iter().map(|collection| session.flush(collection));
        for (collection, flushed) in collections.iter().zip(join_all(flushes).await) {
            let doing = || format!("storing what it was sent for {}", collection.told());
            flushed.map_err(|trouble| self.failed(&doing(), trouble))?;
        }
        Ok(())
    }
}

#[async_trait]
impl Store for MilvusStore {
    fn kind(&self) -> StoreKind {
        StoreKind::new(KIND)
    }

    fn name(&self) -> &StoreName {
        &self.name
    }

    fn workload(&self) -> &WorkloadId {
        &self.workload
    }

    fn needs(&self) -> Vec<WorkloadId> {
        self.needed.clone()
    }

    /// What it has acknowledged lies in its queue on the disk; one that was not told otherwise waits half an hour before it ends.
    fn outlives_kill(&self) -> bool {
        true
    }

    async fn ready(&self, cx: &Cx) -> Result<(), StoreError> {
        self.wait_until_ready(cx).await
    }

    async fn preflight(&self, cx: &Cx) -> Result<Preflight, StoreError> {
        self.look_at_server(cx).await
    }

    /// Nothing is stopped: what waits is stored, so that it moves no mark later. Compactions move none.
    async fn quieten(&self, cx: &Cx) -> Result<Box<dyn Quiet>, StoreError> {
        let config = self.config(cx, &self.workload).await?;
        self.flush(&self.open(cx, &config).await?).await?;
        Ok(Box::new(AsEver))
    }

    async fn watermark(&self, cx: &Cx) -> Result<Watermark, StoreError> {
        let config = self.config(cx, &self.workload).await?;
        self.mark(cx, &config).await
    }

    /// What somebody has sent meanwhile is stored first, else it would not be seen.
    async fn writes_since(&self, cx: &Cx, before: &Watermark) -> Result<Written, StoreError> {
        let config = self.config(cx, &self.workload).await?;
        self.flush(&self.open(cx, &config).await?).await?;
        let after = self.mark(cx, &config).await?;
        let moved = watermark::moved(before, &after);
        Ok(Written { after, moved })
    }

    /// It tells nobody who is connected.
    async fn connected_clients(&self, _cx: &Cx) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn pin(&self, cx: &Cx, sink: &Sink) -> Result<Box<dyn Pinned>, StoreError> {
        self.fix(cx, sink).await
    }

    async fn at_rest(&self, cx: &Cx) -> Result<AtRest, StoreError> {
        let config = self.config(cx, &self.workload).await?;
        Ok(AtRest {
            folders: config.queue_folders().to_vec(),
            ..AtRest::default()
        })
    }

    async fn examine(&self, cx: &Cx, source: Source) -> Result<Box<dyn Staged>, StoreError> {
        self.fits(cx, &source).await?;
        Ok(Box::new(Restore::of(self, source)))
    }

    fn unexamined(&self, source: Source) -> Box<dyn Staged> {
        Box::new(Restore::of(self, source))
    }

    async fn check_artifacts(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Damage>, StoreError> {
        self.read_along(cx, record, artifacts).await
    }

    /// Nothing that others have put there is taken for a backup of this kind: its objects are many, and nowhere listed.
    fn recognise(&self, _name: &ArtifactName) -> Option<(String, Option<String>)> {
        None
    }

    /// Users are part of the metadata, with the hashes of their passwords.
    fn passwords(&self, _passwords: Passwords) -> Option<String> {
        Some("users get the passwords of the backup".to_owned())
    }

    async fn inventory(&self, cx: &Cx, record: &StoreRecord) -> Result<Inventory, StoreError> {
        self.count_again(cx, &record.inventory).await
    }

    async fn try_login(&self, cx: &Cx, login: &Login) -> Result<(), StoreError> {
        self.try_login(cx, login).await
    }

    fn way_back(&self) -> WayBack<'_> {
        WayBack::Copy(self)
    }
}

#[async_trait]
impl Copied for MilvusStore {
    /// A restore replaces all of it: nothing is left that a record does not hold.
    async fn keep_only(&self, _cx: &Cx, _record: &StoreRecord) -> Result<(), StoreError> {
        Ok(())
    }
}
