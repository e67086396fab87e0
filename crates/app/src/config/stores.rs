//! The settings of stores: who we are to each. They are found in the store's container; what is set
//! here overrides that. Which stores there are is not known when the configuration is read.

use std::sync::Arc;

use stillpoint_stores::{Setting, variable};

use super::settings::Settings;

/// The keys of `[stores.<name>]`.
pub(super) const KEYS: [&str; 3] = ["user", "password", "password_file"];

/// The variable of a key of `[stores.<name>]`.
pub(super) fn variable_of(store: &str, key: &str) -> String {
    let what = if key == "user" { "USER" } else { "PASSWORD" };
    variable(store, what)
}

/// The setting that a variable sets, `_FILE` taken off; none if it is no store's.
pub(super) fn setting_of(name: &str) -> Option<&str> {
    let name = name.strip_suffix("_FILE").unwrap_or(name);
    let store = name.strip_prefix("STILLPOINT_")?;
    let store = store
        .strip_suffix("_USER")
        .or_else(|| store.strip_suffix("_PASSWORD"))?;
    (!store.is_empty()).then_some(name)
}

/// Whether a setting of a store must not be shown.
pub(super) fn is_secret(name: &str) -> bool {
    name.ends_with("_PASSWORD")
}

/// The lookup that stores are given.
pub(super) fn setting(settings: &Settings) -> Setting {
    let settings = settings.clone();
    Arc::new(move |name| settings.found(name).map(|found| found.text.clone()))
}
