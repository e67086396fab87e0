//! PostgreSQL: globals and every database, each dumped by the server's own `pg_dump -Fc` in one
//! exported snapshot, restored beside the old data by `pg_restore -C`.
//!
//! Operators read `docs/stores/postgres.md`. Never here: stopping the server, or destroying data
//! before its replacement was loaded and counted.

mod access;
mod aside;
mod at_rest;
mod capacity;
mod check;
mod drain;
mod ext_catalog;
mod extensions;
mod globals;
mod holders;
mod inventory;
mod left_out;
mod load;
mod locks;
mod needs;
mod parts;
mod passwords;
mod pin;
mod preflight;
mod queue;
mod reload;
mod repack;
mod sequences;
mod tablespaces;
mod timescale;
mod tools;
mod try_login;
mod waiting;
mod watermark;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::logins::{Login, Passwords};
use stillpoint_core::manifest::{Inventory, StoreRecord, Watermark};
use stillpoint_core::names::{ArtifactName, StoreKind, StoreName, WorkloadId};
use stillpoint_core::stores::{
    AtRest, Cx, Greeting, Kind, Neighbours, Pinned, Preflight, Recognition, Source, Staged, Store, StoreError, WayBack,
    Written,
};
use stillpoint_core::workload::{CommandLine, Workload};

use crate::recognise::Signs;
use crate::settings::{Declared, PASSWORD, PORT, USER};
use crate::{Setting, labelled, recognise};
use access::Access;
use load::Load;
use tools::Compression;

const KIND: &str = "postgres";

/// Images of the official sort set `PGDATA`, a client's does not. A server greets nobody: it answers the wish for TLS.
const SIGNS: Signs = Signs {
    servers: &["postgres", "postmaster"],
    not_with: &[],
    greeting: Greeting {
        port: stillpoint_pg::PORT,
        say: &[0, 0, 0, 8, 4, 210, 22, 47],
        answers: &[b"S", b"N"],
        program: "postgres",
    },
    variables: &["PGDATA"],
    images: &[
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
const DATA_FILES: [&str; 10] = [
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
    keys: &[PORT, USER, PASSWORD, access::MAX_BLOCKED_SECONDS],
    reads_files: true,
};

/// The kind.
pub struct Postgres {
    setting: Setting,
}

impl Postgres {
    /// The kind, with our own environment as the place of overriding settings.
    pub fn new(setting: Setting) -> Self {
        Self { setting }
    }
}

impl Kind for Postgres {
    fn kind(&self) -> StoreKind {
        StoreKind::new(KIND)
    }

    fn recognises(&self, workload: &Workload) -> Recognition {
        match recognise(KIND, &SIGNS, workload) {
            // What its operator says settles the matter.
            Recognition::Store | Recognition::Ask(_) if labelled(workload).is_none() && self.follows(workload) => {
                Recognition::No
            }
            recognition => recognition,
        }
    }

    fn data_files(&self) -> &'static [&'static str] {
        &DATA_FILES
    }

    /// One that runs has a process that receives from its primary; one that does not has the file that makes it one.
    fn follows(&self, workload: &Workload) -> bool {
        let receives = |process: &CommandLine| {
            let mut words = process.words().flat_map(str::split_whitespace);
            words.next() == Some("postgres:") && words.any(|word| word == "walreceiver")
        };
        let files = &workload.contents.files;
        let processes = workload.contents.processes.iter().flatten();
        processes.into_iter().any(receives) || files.iter().any(|file| file.ends_with(STANDBY))
    }

    fn store(
        &self,
        name: StoreName,
        workload: &Workload,
        _neighbours: Neighbours<'_>,
    ) -> Result<Arc<dyn Store>, StoreError> {
        let access = Access::of(&name, workload, &self.setting)?;
        Ok(Arc::new(PostgresStore {
            name,
            workload: workload.id.clone(),
            access,
            compression: OnceLock::new(),
        }))
    }
}

/// One PostgreSQL server.
#[derive(Clone)]
struct PostgresStore {
    name: StoreName,
    workload: WorkloadId,
    access: Access,
    /// What the server's own `pg_dump` was found to be able to do.
    compression: OnceLock<Compression>,
}

#[async_trait]
impl Store for PostgresStore {
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

    async fn pin(&self, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError> {
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

    fn way_back(&self) -> WayBack<'_> {
        WayBack::Aside(self)
    }
}
