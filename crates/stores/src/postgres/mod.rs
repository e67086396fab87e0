//! PostgreSQL: globals and every database, each dumped by the server's own `pg_dump -Fc` in one
//! exported snapshot, restored beside the old data by `pg_restore -C`.
//!
//! Operators read `docs/stores/postgres.md`. Never here: stopping the server, or destroying data
//! before its replacement was loaded and counted.

mod access;
mod aside;
mod at_rest;
mod busy;
mod capacity;
mod check;
mod drain;
mod ext_catalog;
mod extensions;
mod globals;
mod holders;
mod inventory;
mod jobs;
mod left_out;
mod load;
mod locks;
mod needs;
mod parts;
mod passwords;
mod pin;
mod preflight;
mod queue;
mod quiet;
mod reload;
mod repack;
mod sequences;
mod tablespaces;
mod timescale;
mod tools;
mod try_login;
mod upkeep;
mod waiting;
mod watermark;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::logins::{Login, Passwords};
use stillpoint_core::manifest::{Inventory, StoreRecord, Watermark};
use stillpoint_core::names::{ArtifactName, StoreKind, StoreName, WorkloadId};
use stillpoint_core::sink::Sink;
use stillpoint_core::stores::{
    AtRest, Cx, Greeting, Kind, Neighbours, Pinned, Preflight, Quiet, Recognition, Source, Staged, Store, StoreError,
    Upkeep, WayBack, Written,
};
use stillpoint_core::workload::{CommandLine, Workload};

use crate::recognise::Fingerprint;
use crate::settings::{Declared, PASSWORD, PORT, USER};
use crate::{Setting, documentdb, labelled, recognise};
use access::Access;
use load::Load;
use tools::Compression;

const KIND: &str = "postgres";

/// Images of the official sort set `PGDATA`, a client's does not. A server greets nobody: it answers the wish for TLS.
const SIGNS: Fingerprint = Fingerprint {
    servers: &["postgres", "postmaster"],
    classes: &[],
    not_with: &[],
    greeting: Greeting {
        port: stillpoint_pg::PORT,
        say: &[0, 0, 0, 8, 4, 210, 22, 47],
        answers: &[b"S", b"N"],
        program: "postgres",
    },
    variables: &["PGDATA"],
    images: &[
        "documentdb",
        "pgvector",
        "postgis",
        "postgres",
        "spilo",
        "supabase/postgres",
        "timescaledb",
    ],
    no_images: &[
        "admin", "agent", "backup", "bouncer", "exporter", "meta", "pgpool", "pgweb", "rest",
    ],
    files: &[
        "PG_VERSION",
        "data/PG_VERSION",
        "pgdata/PG_VERSION",
        "pgroot/data/PG_VERSION",
        "18/docker/PG_VERSION",
    ],
};

/// The file that makes a server a standby.
const STANDBY: &str = "standby.signal";

/// What tells data, and that it is a standby's, where nothing runs.
pub(crate) const DATA_FILES: [&str; 10] = [
    "PG_VERSION",
    "data/PG_VERSION",
    "pgdata/PG_VERSION",
    "pgroot/data/PG_VERSION",
    "18/docker/PG_VERSION",
    "standby.signal",
    "data/standby.signal",
    "pgdata/standby.signal",
    "pgroot/data/standby.signal",
    "18/docker/standby.signal",
];

/// What this kind can be told.
pub const DECLARED: Declared = Declared {
    kind: KIND,
    keys: &[PORT, USER, PASSWORD, access::MAX_BLOCKED_SECONDS, access::DAGSTER_DB],
    reads_files: true,
};

/// The kind.
pub struct Postgres {
    kind: &'static str,
    setting: Setting,
}

impl Postgres {
    /// The kind, with our own environment as the place of overriding settings.
    pub fn new(setting: Setting) -> Self {
        Self { kind: KIND, setting }
    }

    /// A server that is called by another name for what is in it.
    pub(crate) fn called(kind: &'static str, setting: Setting) -> Self {
        Self { kind, setting }
    }

    /// What its operator says settles the matter.
    pub(crate) fn recognises(&self, workload: &Workload) -> Recognition {
        match recognise(self.kind, &SIGNS, workload) {
            Recognition::Store | Recognition::Ask(_) if labelled(workload).is_none() && follows(workload) => {
                Recognition::No
            }
            recognition => recognition,
        }
    }

    pub(crate) fn store(&self, name: StoreName, workload: &Workload) -> Result<Arc<dyn Store>, StoreError> {
        let access = Access::of(&name, workload, &self.setting)?;
        Ok(Arc::new(PostgresStore {
            kind: self.kind,
            name,
            workload: workload.id.clone(),
            access,
            compression: OnceLock::new(),
        }))
    }
}

/// One that runs has a process that receives from its primary; one that does not has the file that makes it one.
pub(crate) fn follows(workload: &Workload) -> bool {
    let receives = |process: &CommandLine| {
        let mut words = process.words().flat_map(str::split_whitespace);
        words.next() == Some("postgres:") && words.any(|word| word == "walreceiver")
    };
    let files = &workload.contents.files;
    let processes = workload.contents.processes.iter().flatten();
    processes.into_iter().any(receives) || files.iter().any(|file| file.ends_with(STANDBY))
}

impl Kind for Postgres {
    fn kind(&self) -> StoreKind {
        StoreKind::new(KIND)
    }

    fn recognises(&self, workload: &Workload) -> Recognition {
        // The same server by another name, unless its operator says otherwise.
        if labelled(workload).is_none() && documentdb::is_in(workload) {
            return Recognition::No;
        }
        Self::recognises(self, workload)
    }

    fn data_files(&self) -> &'static [&'static str] {
        &DATA_FILES
    }

    fn follows(&self, workload: &Workload) -> bool {
        follows(workload)
    }

    fn store(
        &self,
        name: StoreName,
        workload: &Workload,
        _neighbours: Neighbours<'_>,
    ) -> Result<Arc<dyn Store>, StoreError> {
        Self::store(self, name, workload)
    }
}

/// One PostgreSQL server.
#[derive(Clone)]
struct PostgresStore {
    kind: &'static str,
    name: StoreName,
    workload: WorkloadId,
    access: Access,
    /// What the server's own `pg_dump` was found to be able to do.
    compression: OnceLock<Compression>,
}

#[async_trait]
impl Store for PostgresStore {
    fn kind(&self) -> StoreKind {
        StoreKind::new(self.kind)
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

    async fn busy(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        self.runs_in_progress(cx).await
    }

    async fn quieten(&self, cx: &Cx) -> Result<Box<dyn Quiet>, StoreError> {
        self.hold_cron_off(cx).await
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
        check::recognise(&self.name, name)
    }

    fn parts(&self, record: &StoreRecord) -> Vec<String> {
        parts::databases(record)
    }

    fn only(&self, record: &StoreRecord, wanted: &[String]) -> StoreRecord {
        parts::only(record, wanted)
    }

    fn passwords(&self, passwords: Passwords) -> Option<String> {
        Some(self.tell_passwords(passwords))
    }

    async fn inventory(&self, cx: &Cx, record: &StoreRecord) -> Result<Inventory, StoreError> {
        self.count_restored(cx, record).await
    }

    async fn try_login(&self, cx: &Cx, login: &Login) -> Result<(), StoreError> {
        self.try_login(cx, login).await
    }

    async fn resume_jobs(&self, cx: &Cx) -> Result<Option<String>, StoreError> {
        self.let_jobs_go_on(cx).await
    }

    fn upkeep(&self) -> Option<&dyn Upkeep> {
        // A server that is called otherwise holds the data of another program.
        (self.kind == KIND).then_some(self)
    }

    fn way_back(&self) -> WayBack<'_> {
        WayBack::Aside(self)
    }
}
