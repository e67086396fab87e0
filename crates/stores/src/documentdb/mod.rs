//! The PostgreSQL behind `FerretDB`: all that [`postgres`](crate::postgres) does, by a name of its own, and what is particular to
//! the extension DocumentDB. Its catalog of collections and indexes is its own and in no dump: that is found as any
//! extension's is, with no list of tables. Here stands what only its own words tell: rows that name roles by number, and workers
//! that go on only when the server starts.
//!
//! Operators read `docs/stores/documentdb.md`. What is here applies wherever the extension is, whatever the kind is called.

mod queue;

use std::sync::Arc;
use std::time::Duration;

use stillpoint_core::names::{StoreKind, StoreName};
use stillpoint_core::stores::{Kind, Neighbours, Recognition, Store, StoreError};
use stillpoint_core::workload::{CommandLine, Workload};
use stillpoint_pg::{PgError, Session};

use crate::postgres::{self, DATA_FILES, Postgres};
use crate::settings::Declared;
use crate::{Setting, labelled};

pub(crate) use queue::mended;

const KIND: &str = "documentdb";

/// What this kind can be told: what PostgreSQL can.
pub const DECLARED: Declared = Declared {
    kind: KIND,
    ..postgres::DECLARED
};

/// Its background workers are started by a library that the server loads at its start.
const WORKERS: &str = "SELECT count(*) FROM unnest(string_to_array(current_setting('shared_preload_libraries'), ',')) l \
    WHERE btrim(l, ' \"') = 'pg_documentdb'";

/// What rests until the server starts anew: its workers know the database by its number.
pub(crate) const RESTING: &str = "the extension's background workers (pg_documentdb) look for the database that was replaced, and do \
    none of their work, such as building indexes";

/// The kind.
pub struct Documentdb(Postgres);

impl Documentdb {
    /// The kind, with our own environment as the place of overriding settings.
    pub fn new(setting: Setting) -> Self {
        Self(Postgres::called(KIND, setting))
    }
}

impl Kind for Documentdb {
    fn kind(&self) -> StoreKind {
        StoreKind::new(KIND)
    }

    fn recognises(&self, workload: &Workload) -> Recognition {
        if labelled(workload).is_none() && !is_in(workload) {
            return Recognition::No;
        }
        self.0.recognises(workload)
    }

    fn data_files(&self) -> &'static [&'static str] {
        &DATA_FILES
    }

    fn follows(&self, workload: &Workload) -> bool {
        is_in(workload) && postgres::follows(workload)
    }

    fn store(
        &self,
        name: StoreName,
        workload: &Workload,
        _neighbours: Neighbours<'_>,
    ) -> Result<Arc<dyn Store>, StoreError> {
        self.0.store(name, workload)
    }
}

/// Whether the extension's name is in what runs, or in what its image is called.
pub(crate) fn is_in(workload: &Workload) -> bool {
    let processes = workload.contents.processes.iter().flatten();
    let lines = processes.chain([&workload.command]);
    let mut words = lines.flat_map(CommandLine::words);
    workload.image.contains(KIND) || words.any(|word| word.contains(KIND))
}

/// Whether the server has workers of the extension, which know the database by its number until it starts anew.
pub(crate) async fn has_workers(session: &Session, limit: Duration) -> Result<bool, PgError> {
    Ok(session.value(limit, WORKERS).await? != "0")
}
