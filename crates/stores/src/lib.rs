//! The kinds of store, ONE FOLDER EACH. A store knows how to pin, drain, load and count itself; it
//! is handed a shell and a reach into its own container and nothing that could stop one.

pub mod clickhouse;
pub mod documentdb;
mod kinds;
pub mod milvus;
pub mod nats;
pub mod neo4j;
pub mod postgres;
mod recognise;
pub mod settings;
mod toolbox;
pub mod valkey;

use std::sync::Arc;

use stillpoint_core::names::Project;
use stillpoint_core::stores::{Kind, Recognition};
use stillpoint_core::workload::Workload;

use recognise::Fingerprint;
pub use settings::{Configured, Setting};

/// The label by which an operator says what a workload is (`none`: no store).
const KIND_LABEL: &str = "stillpoint.kind";

/// What the operator says the workload is; it settles the matter.
pub(crate) fn labelled(workload: &Workload) -> Option<&str> {
    workload.labels.get(KIND_LABEL).map(String::as_str)
}

/// Whether the workload is a store of this kind: what its label says, else what its signs tell.
fn recognise(kind: &str, signs: &Fingerprint, workload: &Workload) -> Recognition {
    match labelled(workload) {
        Some(labelled) if labelled == kind => Recognition::Store,
        Some(_) => Recognition::No,
        None => signs.recognise(workload),
    }
}

/// What each kind of store can be told.
pub const DECLARED: [&settings::Declared; 7] = [
    &documentdb::DECLARED,
    &postgres::DECLARED,
    &valkey::DECLARED,
    &nats::DECLARED,
    &neo4j::DECLARED,
    &clickhouse::DECLARED,
    &milvus::DECLARED,
];

/// Every kind of store, in the order in which they are tried, told what is `configured` for the stores of the
/// `platform` (none: of the only one there is). An eighth store is one line here.
pub fn registry(configured: &Configured, platform: Option<&Project>) -> Vec<Arc<dyn Kind>> {
    let kinds: [kinds::Make; 7] = [
        |setting| Arc::new(documentdb::Documentdb::new(setting)),
        |setting| Arc::new(postgres::Postgres::new(setting)),
        |setting| Arc::new(valkey::Valkey::new(setting)),
        |setting| Arc::new(nats::Nats::new(setting)),
        |setting| Arc::new(neo4j::Neo4j::new(setting)),
        |setting| Arc::new(clickhouse::Clickhouse::new(setting)),
        |setting| Arc::new(milvus::Milvus::new(setting)),
    ];
    kinds.map(|make| kinds::told(make, configured, platform)).into()
}
