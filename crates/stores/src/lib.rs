//! The kinds of store, ONE FOLDER EACH. A store knows how to pin, drain, load and count itself; it
//! is handed a shell and a reach into its own container and nothing that could stop one.

pub mod labels;
pub mod nats;
pub mod postgres;
mod toolbox;
pub mod valkey;

use std::sync::Arc;

use secrecy::SecretString;
use stillpoint_core::stores::Kind;
use stillpoint_core::workload::Workload;

/// Where a store's settings come from beside what it finds out by itself, by the name of the variable that
/// sets them: the configuration and, below it, the labels of its container ([`labels`]).
pub type Setting = Arc<dyn Fn(&str) -> Option<SecretString> + Send + Sync>;

/// The variable that overrides what is found of a store: `STILLPOINT_POSTGRES_MAIN_PASSWORD` for the
/// `PASSWORD` of the store `postgres-main`.
pub fn variable(store: &str, what: &str) -> String {
    let plain = |char: char| {
        if char.is_ascii_alphanumeric() {
            char.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let name: String = store.chars().map(plain).collect();
    format!("STILLPOINT_{name}_{what}")
}

/// The label by which an operator says what a workload is (`none`: no store).
const KIND_LABEL: &str = "stillpoint.kind";

/// What the operator says the workload is; it settles the matter.
pub(crate) fn labelled(workload: &Workload) -> Option<&str> {
    workload.labels.get(KIND_LABEL).map(String::as_str)
}

/// Every kind of store, in the order in which they are tried. An eighth store is one line here.
pub fn registry(setting: &Setting) -> Vec<Arc<dyn Kind>> {
    let kinds: [labels::Make; 3] = [
        |setting| Arc::new(postgres::Postgres::new(setting)),
        |setting| Arc::new(valkey::Valkey::new(setting)),
        |setting| Arc::new(nats::Nats::new(setting)),
    ];
    kinds.map(|make| labels::with_labels(make, setting)).into()
}
