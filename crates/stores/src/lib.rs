//! The kinds of store, ONE FOLDER EACH. A store knows how to pin, drain, load and count itself; it
//! is handed a shell and a reach into its own container and nothing that could stop one.

pub mod postgres;
mod toolbox;

use std::sync::Arc;

use secrecy::SecretString;
use stillpoint_core::ports::Kind;

/// Where a store's settings come from beside its container: a variable of our own environment, with
/// `NAME_FILE` already followed.
pub type Setting = Arc<dyn Fn(&str) -> Option<SecretString> + Send + Sync>;

/// Every kind of store, in the order in which they are tried. An eighth store is one line here.
pub fn registry(setting: &Setting) -> Vec<Arc<dyn Kind>> {
    vec![Arc::new(postgres::Postgres::new(setting.clone()))]
}
