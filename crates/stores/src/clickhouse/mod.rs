//! ClickHouse: every database of a server, which it backs up and restores by itself, through an S3 endpoint of ours that is open for
//! as long as that takes.
//!
//! Operators read `docs/stores/clickhouse.md`. Never here: a decision by an HTTP status, a secret in a text that is told, or a change of
//! data before the old was set aside.

mod access;
mod aside;
mod check;
mod facts;
mod functions;
mod grants;
mod http;
mod inventory;
mod job;
mod left_out;
mod pin;
mod preflight;
mod reach;
mod restore;
mod session;
mod sql;
mod tables;
mod try_login;
mod versions;
mod watermark;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::engine::limits::{LOOK_EVERY, STORE_READY};
use stillpoint_core::logins::{Login, Passwords};
use stillpoint_core::manifest::{Inventory, StoreRecord, Watermark};
use stillpoint_core::names::{ArtifactName, RunId, StoreKind, StoreName, WorkloadId};
use stillpoint_core::ports::Overdue;
use stillpoint_core::sink::Sink;
use stillpoint_core::stores::{
    AsEver, AtRest, Cx, Greeting, Kind, Neighbours, Pinned, Preflight, Quiet, Recognition, Source, Staged, Store,
    StoreError, WayBack, Written,
};
use stillpoint_core::workload::Workload;

use crate::recognise::Fingerprint;
use crate::settings::{Declared, PASSWORD, PORT, USER};
use crate::toolbox::guarded;
use crate::{Setting, recognise};
use access::Access;
use facts::Facts;
use restore::Restore;
use session::Trouble;
use sql::of_database;
use tables::held;

const KIND: &str = "clickhouse";

/// A Keeper alone holds no data of users. Whoever asks a server over HTTP whether it is there hears that it is.
const SIGNS: Fingerprint = Fingerprint {
    servers: &["clickhouse", "clickhouse-server", "clickhouse-watchdog"],
    classes: &[],
    not_with: &["benchmark", "client", "keeper", "local"],
    greeting: Greeting {
        port: access::PORT,
        say: b"GET /ping HTTP/1.0\r\n\r\n",
        answers: &[b"HTTP/1.0 200", b"HTTP/1.1 200"],
        program: "clickhouse-server",
    },
    variables: &["CLICKHOUSE_CONFIG"],
    images: &["clickhouse"],
    no_images: &[
        "backup", "bulk", "cityhash", "client", "exporter", "keeper", "mcp", "operator", "ui",
    ],
    files: &[
        "metadata/default.sql",
        "metadata/system.sql",
        "preprocessed_configs/config.xml",
    ],
};

/// `BAD_ARGUMENTS`: a server that takes no asynchronous inserts has no queue of them.
const NO_QUEUE: u32 = 36;

/// What this kind can be told.
pub const DECLARED: Declared = Declared {
    kind: KIND,
    keys: &[PORT, USER, PASSWORD],
    reads_files: true,
};

/// The kind.
pub struct Clickhouse {
    setting: Setting,
}

impl Clickhouse {
    /// The kind, with our own environment as the place of overriding settings.
    pub fn new(setting: Setting) -> Self {
        Self { setting }
    }
}

impl Kind for Clickhouse {
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
        Ok(Arc::new(ClickhouseStore {
            name,
            workload: workload.id.clone(),
            access,
        }))
    }
}

/// One server.
#[derive(Clone)]
struct ClickhouseStore {
    name: StoreName,
    workload: WorkloadId,
    access: Access,
}

impl ClickhouseStore {
    fn unfit(&self, why: &str) -> StoreError {
        StoreError::Unfit(format!("{}: {why}", self.name))
    }

    /// Waits until it answers: it loads its tables first.
    async fn wait_until_ready(&self, cx: &Cx) -> Result<(), StoreError> {
        let began = cx.clock.elapsed();
        loop {
            let session = self.open(cx).await?;
            match guarded(cx, "waiting", session.ask_plainly("SELECT 1")).await? {
                Ok(_) => return Ok(()),
                Err(Trouble::Silent(_)) if cx.clock.elapsed().saturating_sub(began) > STORE_READY => {
                    return Err(Overdue {
                        what: format!("{} answering", self.name),
                        limit: STORE_READY,
                    }
                    .into());
                }
                Err(Trouble::Silent(_)) => {}
                Err(trouble) => return Err(self.failed("waiting until it answers", trouble)),
            }
            guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
        }
    }

    /// What was sent and not written yet is written now.
    async fn write_what_waits(&self, cx: &Cx) -> Result<(), StoreError> {
        let session = self.open(cx).await?;
        match session.ask("SYSTEM FLUSH ASYNC INSERT QUEUE").await {
            Ok(_) | Err(Trouble::Refused { code: NO_QUEUE, .. }) => {}
            Err(trouble @ Trouble::Refused { .. }) => cx.report.warn(format!(
                "{}: rows that were sent to it asynchronously may be written while the clients are down: {}",
                self.name,
                self.failed("writing them before", trouble)
            )),
            Err(trouble) => return Err(self.failed("writing what was sent to it asynchronously", trouble)),
        }
        let databases = held(&self.databases(&session).await?);
        for table in self.tables(&session, &databases).await? {
            if table.engine == "Buffer" {
                let flush = format!("OPTIMIZE TABLE {}", of_database(&table.database, &table.name));
                let doing = format!("emptying the buffer {}", table.told());
                self.asked(&session, &doing, &flush).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Store for ClickhouseStore {
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

    /// Nothing is stopped: what waits is written, and merges move no mark.
    async fn quieten(&self, cx: &Cx) -> Result<Box<dyn Quiet>, StoreError> {
        self.write_what_waits(cx).await?;
        Ok(Box::new(AsEver))
    }

    async fn watermark(&self, cx: &Cx) -> Result<Watermark, StoreError> {
        let session = self.open(cx).await?;
        self.mark(&session).await
    }

    async fn writes_since(&self, cx: &Cx, before: &Watermark) -> Result<Written, StoreError> {
        let after = self.watermark(cx).await?;
        let moved = watermark::moved(before, &after);
        Ok(Written { after, moved })
    }

    async fn connected_clients(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        self.connections(cx).await
    }

    async fn pin(&self, cx: &Cx, sink: &Sink) -> Result<Box<dyn Pinned>, StoreError> {
        self.begin_backup(cx, sink).await
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

    /// Nothing that others have put there is taken for a backup of this kind: its objects are many, and nowhere listed.
    fn recognise(&self, _name: &ArtifactName) -> Option<(String, Option<String>)> {
        None
    }

    fn passwords(&self, _passwords: Passwords) -> Option<String> {
        Some("users that are there keep their passwords; those that are not come with the backup's".to_owned())
    }

    async fn inventory(&self, cx: &Cx, record: &StoreRecord) -> Result<Inventory, StoreError> {
        let session = self.open(cx).await?;
        let databases = Facts::of(record).map(|facts| facts.databases).unwrap_or_default();
        let found = self.count(&session, &databases).await?;
        Ok(inventory::like(found, &record.inventory))
    }

    async fn try_login(&self, cx: &Cx, login: &Login) -> Result<(), StoreError> {
        self.try_login(cx, login).await
    }

    async fn reap(&self, cx: &Cx, owner: &RunId) -> Result<(), StoreError> {
        cx.shell.reap(&self.workload, owner).await?;
        match guarded_by(cx, self.end_work_of(cx, owner)).await {
            // What does not run has nothing at work.
            Err(StoreError::Silent { .. } | StoreError::Engine(_) | StoreError::Credential { .. }) => Ok(()),
            ended => ended,
        }
    }

    async fn resume_jobs(&self, cx: &Cx) -> Result<Option<String>, StoreError> {
        self.go_on(cx).await?;
        Ok(None)
    }

    fn way_back(&self) -> WayBack<'_> {
        WayBack::Aside(self)
    }
}

/// A server that died with its run is not waited for.
async fn guarded_by(cx: &Cx, ended: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
    const REAPS: Duration = Duration::from_secs(30);
    stillpoint_core::ports::within(&*cx.clock, REAPS, "ending what a dead run has left", ended).await?
}
