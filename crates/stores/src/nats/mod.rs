//! NATS `JetStream`: every account's streams with their consumers, as the server itself hands them out,
//! in the folder that the stock nats CLI restores. All by the server's own protocol: the official image
//! holds the server and nothing else.
//!
//! Operators read `docs/stores/nats.md`. Never here: stopping the server, or deleting a live stream
//! before its replacement was read to the end.

mod access;
mod accounts;
mod archive;
mod at_rest;
mod bundle;
mod check;
mod drain;
mod intake;
mod inventory;
mod limits;
mod link;
mod load;
mod markers;
mod monitoring;
mod order;
mod pin;
mod preflight;
mod rivals;
mod snapshot;
mod sources;
mod streams;
mod tar;
mod tls;
mod try_login;
mod upload;
mod version;
mod watermark;

use std::sync::Arc;

use async_trait::async_trait;
use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::logins::Login;
use stillpoint_core::manifest::{Inventory, StoreRecord, Watermark};
use stillpoint_core::names::{ArtifactName, StoreKind, StoreName, WorkloadId};
use stillpoint_core::sink::Sink;
use stillpoint_core::stores::{
    AtRest, Cx, Greeting, Kind, Neighbours, Pinned, Preflight, Recognition, Source, Staged, Store, StoreError, WayBack,
    Written,
};
use stillpoint_core::workload::Workload;

use crate::recognise::Fingerprint;
use crate::settings::Declared;
use crate::{Setting, recognise};
use access::Access;
use load::Load;

const KIND: &str = "nats";

/// A server speaks first. `nats-streaming` is another server.
const SIGNS: Fingerprint = Fingerprint {
    servers: &["nats-server"],
    classes: &[],
    not_with: &[],
    greeting: Greeting {
        port: access::PORT,
        say: b"",
        answers: &[b"INFO {"],
        program: "nats-server",
    },
    variables: &[],
    images: &["nats"],
    no_images: &["account", "box", "exporter", "nack", "streaming", "surveyor", "ui"],
    files: &["jetstream"],
};

/// What this kind can be told. The image has no tool that reads a file.
pub const DECLARED: Declared = Declared {
    kind: KIND,
    keys: &access::KEYS,
    reads_files: false,
};

/// The kind.
pub struct Nats {
    setting: Setting,
}

impl Nats {
    /// The kind, with our own environment as the place of overriding settings.
    pub fn new(setting: Setting) -> Self {
        Self { setting }
    }
}

impl Kind for Nats {
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
        _neighbours: Neighbours<'_>,
    ) -> Result<Arc<dyn Store>, StoreError> {
        let access = Access::of(workload, &self.setting);
        let access = access.map_err(|what| StoreError::Unfit(format!("{name}: {what}")))?;
        Ok(Arc::new(NatsStore {
            name,
            workload: workload.id.clone(),
            access,
        }))
    }
}

/// One NATS server.
#[derive(Clone)]
struct NatsStore {
    name: StoreName,
    workload: WorkloadId,
    access: Access,
}

impl NatsStore {
    /// What the names of this store's variables begin with: `STILLPOINT_NATS`.
    fn prefix(&self) -> &str {
        &self.access.prefix
    }
}

#[async_trait]
impl Store for NatsStore {
    fn kind(&self) -> StoreKind {
        StoreKind::new(KIND)
    }

    fn name(&self) -> &StoreName {
        &self.name
    }

    fn workload(&self) -> &WorkloadId {
        &self.workload
    }

    async fn ready(&self, cx: &Cx) -> Result<(), StoreError> {
        self.wait_until_ready(cx).await
    }

    async fn preflight(&self, cx: &Cx) -> Result<Preflight, StoreError> {
        self.look(cx).await
    }

    async fn watermark(&self, cx: &Cx) -> Result<Watermark, StoreError> {
        self.mark(cx).await
    }

    async fn writes_since(&self, cx: &Cx, before: &Watermark) -> Result<Written, StoreError> {
        self.compare_mark(cx, before).await
    }

    async fn connected_clients(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        self.connected(cx).await
    }

    async fn pin(&self, cx: &Cx, _sink: &Sink) -> Result<Box<dyn Pinned>, StoreError> {
        self.hold(cx).await
    }

    async fn at_rest(&self, cx: &Cx) -> Result<AtRest, StoreError> {
        self.left_by_a_stop(cx).await
    }

    async fn examine(&self, cx: &Cx, source: Source) -> Result<Box<dyn Staged>, StoreError> {
        self.fits(cx, &source.record).await?;
        Ok(self.unexamined(source))
    }

    fn unexamined(&self, source: Source) -> Box<dyn Staged> {
        Box::new(Load::new(self, source))
    }

    async fn check_artifacts(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Damage>, StoreError> {
        self.read_along(cx, record, artifacts).await
    }

    fn recognise(&self, name: &ArtifactName) -> Option<(String, Option<String>)> {
        drain::recognise(&self.name, name)
    }

    async fn inventory(&self, cx: &Cx, record: &StoreRecord) -> Result<Inventory, StoreError> {
        self.count_restored(cx, record).await
    }

    async fn try_login(&self, cx: &Cx, login: &Login) -> Result<(), StoreError> {
        self.try_login(cx, login).await
    }

    /// The server takes no second stream of the same subjects.
    fn way_back(&self) -> WayBack<'_> {
        WayBack::Copy(self)
    }
}
