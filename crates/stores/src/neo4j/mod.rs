//! Neo4j Community: its database and `system`, where users are. Pinned without a stop: the server is frozen while its files
//! are copied, a server of its own recovers the copy, and the stock tool dumps it.
//!
//! Operators read `docs/stores/neo4j.md`. Never here: running anything on the store's own files while it is up, or touching
//! its data before its replacement was loaded, recovered and counted beside it.

mod access;
mod aside;
mod beside;
mod bookmark;
mod check;
mod drain;
mod dump;
mod http;
mod inventory;
mod layout;
mod moment;
mod pin;
mod preflight;
mod restore;
mod session;
mod try_login;
mod versions;
mod watermark;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::engine::limits::{LOOK_EVERY, STORE_READY};
use stillpoint_core::logins::{Login, Passwords};
use stillpoint_core::manifest::{Inventory, StoreRecord, Watermark};
use stillpoint_core::names::{ArtifactName, RunId, StoreKind, StoreName, WorkloadId};
use stillpoint_core::ports::Overdue;
use stillpoint_core::sink::Sink;
use stillpoint_core::stores::{
    AtRest, Cx, Footing, Greeting, Kind, Neighbours, Pinned, Preflight, Recognition, Source, Staged, Store, StoreError,
    WayBack, Written,
};
use stillpoint_core::workload::{Environment, Workload};

use crate::recognise::Fingerprint;
use crate::settings::{Declared, Key, PASSWORD, PORT, Shape, USER};
use crate::toolbox::guarded;
use crate::{Setting, recognise};
use access::Access;
use restore::Restore;
use session::{AskError, SYSTEM, Session, Way};

const KIND: &str = "neo4j";

/// A server is a Java whose main class tells it; the Enterprise edition is recognised, and refused with its name. A greeting in
/// Bolt (its handshake) is answered with a version.
const SIGNS: Fingerprint = Fingerprint {
    servers: &[KIND],
    classes: &[
        "org.neo4j.server.CommunityEntryPoint",
        "com.neo4j.server.enterprise.EnterpriseEntryPoint",
        "com.neo4j.server.enterprise.Neo4jEnterprise",
    ],
    not_with: &[],
    greeting: Greeting {
        port: 7687,
        say: &[0x60, 0x60, 0xb0, 0x17, 0, 0, 4, 5, 0, 0, 0, 5, 0, 0, 4, 4, 0, 0, 0, 0],
        answers: &[&[0, 0]],
        program: "neo4j",
    },
    variables: &["NEO4J_AUTH"],
    images: &["neo4j"],
    no_images: &["admin", "backup", "browser", "exporter", "mcp", "operator", "ui"],
    files: &[
        "databases/store_lock",
        "databases/system/neostore",
        "data/databases/store_lock",
    ],
};

/// How the point in time is fixed.
const PIN: Key = Key {
    name: "pin",
    shape: Shape::OneOf(&["copy", "stop"]),
    fallback: "`copy`",
    about: "How the point in time is fixed: `copy`: it is paused while its files are copied beside themselves; `stop`: it is \
            stopped and dumped into the spool, and the clients wait until it is drained.",
    parts: None,
};

/// What this kind can be told.
pub const DECLARED: Declared = Declared {
    kind: KIND,
    keys: &[PORT, USER, PASSWORD, PIN],
    reads_files: true,
};

/// The kind.
pub struct Neo4j {
    setting: Setting,
}

impl Neo4j {
    /// The kind, with our own environment as the place of overriding settings.
    pub fn new(setting: Setting) -> Self {
        Self { setting }
    }
}

impl Kind for Neo4j {
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
        let pin = match self.setting.text(&PIN).as_deref() {
            None | Some("copy") => Pin::Copy,
            Some("stop") => Pin::Stop,
            Some(other) => {
                return Err(StoreError::Unfit(format!(
                    "{name}: pin: `{other}` is neither `copy` nor `stop`"
                )));
            }
        };
        Ok(Arc::new(Neo4jStore {
            name,
            workload: workload.id.clone(),
            environment: workload.environment.clone(),
            access,
            pin,
        }))
    }
}

/// How the point in time is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pin {
    /// Frozen, by a copy of the files.
    Copy,
    /// Stopped, by dumps.
    Stop,
}

/// One server.
#[derive(Clone)]
struct Neo4jStore {
    name: StoreName,
    workload: WorkloadId,
    /// Its container's: variables are settings.
    environment: Environment,
    access: Access,
    pin: Pin,
}

impl Neo4jStore {
    fn unfit(&self, why: &str) -> StoreError {
        StoreError::Unfit(format!("{}: {why}", self.name))
    }

    /// Fails with the server's words if it does not take our login.
    async fn must_let_in(&self, session: &Session<'_>) -> Result<(), StoreError> {
        let asked = session
            .ask(SYSTEM, "SHOW CURRENT USER YIELD user RETURN user", json!({}))
            .await;
        asked.map(drop).map_err(|trouble| self.failed("logging in", trouble))
    }

    /// Waits until it serves its database: it listens before its recovery has ended.
    async fn wait_until_ready(&self, cx: &Cx) -> Result<(), StoreError> {
        let layout = self.learn(cx, &self.workload).await?;
        let login = self.access.login(cx, &self.workload).await?;
        let began = cx.clock.elapsed();
        loop {
            let asked = async {
                let way = Way::Port(&self.workload, self.access.port);
                let session = Session::open(cx, way, login.as_ref()).await?;
                session.ask(&layout.database, "RETURN 1", json!({})).await
            };
            match asked.await {
                Ok(_) => return Ok(()),
                Err(trouble) if trouble.is_temporary() => self.must_go_on(cx, began, trouble)?,
                Err(trouble) => return Err(self.failed("waiting until it serves its database", trouble)),
            }
            guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
        }
    }

    fn must_go_on(&self, cx: &Cx, began: std::time::Duration, trouble: AskError) -> Result<(), StoreError> {
        if cx.clock.elapsed().saturating_sub(began) <= STORE_READY {
            return Ok(());
        }
        match trouble {
            AskError::Silent(_) => Err(Overdue {
                what: format!("{} serving its database", self.name),
                limit: STORE_READY,
            }
            .into()),
            trouble => Err(self.failed("waiting until it serves its database", trouble)),
        }
    }
}

#[async_trait]
impl Store for Neo4jStore {
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
        let layout = self.learn(cx, &self.workload).await?;
        let session = self.open(cx).await?;
        self.mark(&session, &layout.database).await
    }

    async fn writes_since(&self, cx: &Cx, before: &Watermark) -> Result<Written, StoreError> {
        let after = self.watermark(cx).await?;
        let moved = watermark::moved(before, &after);
        Ok(Written { after, moved })
    }

    async fn connected_clients(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        self.connections(cx).await
    }

    fn pin_footing(&self) -> Footing {
        match self.pin {
            Pin::Copy => Footing::Frozen,
            Pin::Stop => Footing::Stopped,
        }
    }

    async fn pin(&self, cx: &Cx, _sink: &Sink) -> Result<Box<dyn Pinned>, StoreError> {
        match self.pin {
            Pin::Copy => self.copy_files(cx).await,
            Pin::Stop => self.dump_stopped(cx).await,
        }
    }

    async fn at_rest(&self, cx: &Cx) -> Result<AtRest, StoreError> {
        self.left_by_a_stop(cx).await
    }

    async fn examine(&self, cx: &Cx, source: Source) -> Result<Box<dyn Staged>, StoreError> {
        self.fits(cx, &source).await?;
        Ok(Box::new(Restore::of(self, source, true)))
    }

    fn unexamined(&self, source: Source) -> Box<dyn Staged> {
        Box::new(Restore::of(self, source, false))
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

    /// Nobody can read a present password: there is no way to keep another's.
    fn passwords(&self, _passwords: Passwords) -> Option<String> {
        Some(format!(
            "users get the passwords of the backup; `{}`, as whom Stillpoint logs in, keeps the platform's",
            self.access.user()
        ))
    }

    async fn inventory(&self, cx: &Cx, record: &StoreRecord) -> Result<Inventory, StoreError> {
        let layout = self.learn(cx, &self.workload).await?;
        let session = self.open(cx).await?;
        let found = inventory::count(&session, &layout.database).await;
        let found = found.map_err(|trouble| self.failed("counting what is in it", trouble))?;
        Ok(inventory::like(found, &record.inventory))
    }

    async fn try_login(&self, cx: &Cx, login: &Login) -> Result<(), StoreError> {
        self.try_login(cx, login).await
    }

    async fn reap(&self, cx: &Cx, owner: &RunId) -> Result<(), StoreError> {
        cx.shell.reap(&self.workload, owner).await?;
        self.remove_leftovers(cx, owner).await
    }

    fn way_back(&self) -> WayBack<'_> {
        WayBack::Aside(self)
    }
}
