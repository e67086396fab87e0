//! Valkey and Redis: every database of a server in one RDB file, which a save of our own wrote, put
//! back into the stopped server with its append-only files made anew.
//!
//! Operators read `docs/stores/valkey.md`. Never here: changing a setting of the server, or touching
//! its data before a whole and proven dump lies beside it.

mod access;
mod aside;
mod check;
mod drain;
mod info;
mod inventory;
mod layout;
mod options;
mod pin;
mod preflight;
mod rdb;
mod reader;
mod restore;
mod savable;
mod saves;
mod session;
mod try_login;
mod versions;
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
use crate::settings::{Declared, PASSWORD, PORT, USER};
use crate::{Setting, recognise};
use access::Access;
use layout::Layout;
use restore::Restore;
use versions::Version;

const KIND: &str = "valkey";

/// A server that wants a password answers a `PING` with an error of its protocol.
const SIGNS: Fingerprint = Fingerprint {
    servers: &["redis-server", "redis-stack-server", "valkey-server"],
    classes: &[],
    not_with: &["[sentinel]", "--sentinel", "sentinel.conf"],
    greeting: Greeting {
        port: access::PORT,
        say: b"PING\r\n",
        answers: &[
            b"+PONG",
            b"-NOAUTH",
            b"-LOADING",
            b"-DENIED",
            b"-ERR operation not permitted",
        ],
        program: "redis-server or valkey-server",
    },
    variables: &[],
    images: &["redis", "valkey"],
    no_images: &[
        "admin",
        "backup",
        "commander",
        "exporter",
        "insight",
        "operator",
        "sentinel",
        "ui",
    ],
    files: &["dump.rdb", "appendonlydir/appendonly.aof.manifest", "appendonly.aof"],
};

/// The program with which files are read.
const CAT: &str = "cat";

/// What this kind can be told.
pub const DECLARED: Declared = Declared {
    kind: KIND,
    keys: &[PORT, USER, PASSWORD],
    reads_files: true,
};

/// The kind.
pub struct Valkey {
    setting: Setting,
}

impl Valkey {
    /// The kind, with our own environment as the place of overriding settings.
    pub fn new(setting: Setting) -> Self {
        Self { setting }
    }
}

impl Kind for Valkey {
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
        let access = Access::of(&name, workload, &self.setting)?;
        Ok(Arc::new(ValkeyStore {
            name,
            workload: workload.id.clone(),
            access,
        }))
    }
}

/// One server.
#[derive(Clone)]
struct ValkeyStore {
    name: StoreName,
    workload: WorkloadId,
    access: Access,
}

/// What a restore has to know of a server, learned while it runs.
#[derive(Clone, Debug)]
struct Known {
    layout: Layout,
    version: Version,
}

#[async_trait]
impl Store for ValkeyStore {
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
        self.look_at_server(cx).await
    }

    async fn watermark(&self, cx: &Cx) -> Result<Watermark, StoreError> {
        let session = self.open(cx).await?;
        watermark::calls(&session).await.map(Watermark)
    }

    async fn writes_since(&self, cx: &Cx, before: &Watermark) -> Result<Written, StoreError> {
        let after = self.watermark(cx).await?;
        let moved = watermark::moved(&before.0, &after.0);
        Ok(Written { after, moved })
    }

    async fn connected_clients(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        let session = self.open(cx).await?;
        let list = session.text(&["CLIENT", "LIST"]).await;
        let list = list.map_err(|trouble| access::server("asking for the server's clients", trouble))?;
        Ok(watermark::connected_clients(&list))
    }

    async fn pin(&self, cx: &Cx, _sink: &Sink) -> Result<Box<dyn Pinned>, StoreError> {
        self.hold(cx).await
    }

    async fn at_rest(&self, cx: &Cx) -> Result<AtRest, StoreError> {
        self.left_by_a_stop(cx).await
    }

    async fn examine(&self, cx: &Cx, source: Source) -> Result<Box<dyn Staged>, StoreError> {
        let known = self.fits(cx, &source.record).await?;
        Ok(Box::new(Restore::of(self, source, Some(known))))
    }

    fn unexamined(&self, source: Source) -> Box<dyn Staged> {
        Box::new(Restore::of(self, source, None))
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
        check::recognise(&self.name, name)
    }

    async fn inventory(&self, cx: &Cx, record: &StoreRecord) -> Result<Inventory, StoreError> {
        let session = self.open(cx).await?;
        inventory::count_like(&session, &record.inventory).await
    }

    async fn try_login(&self, cx: &Cx, login: &Login) -> Result<(), StoreError> {
        self.try_login(cx, login).await
    }

    fn way_back(&self) -> WayBack<'_> {
        WayBack::Aside(self)
    }
}
