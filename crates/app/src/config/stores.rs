//! The settings of stores: who we are to each. They are found in the store's container; what is set
//! here overrides that. Which stores there are is not known when the configuration is read.

use std::sync::Arc;

use stillpoint_stores::labels::KEYS;
use stillpoint_stores::{Setting, variable};

use super::key::Shape;
use super::settings::Settings;

/// The variable and the shape of a key of `[stores.<name>]`; none if there is no such key. A part of a store has
/// its name before the key: `app_user` of the account `app`.
pub(super) fn key(store: &str, name: &str) -> Option<(String, Shape)> {
    let is_it = |key: &str| {
        name.strip_suffix(key)
            .is_some_and(|part| part.is_empty() || part.ends_with('_'))
    };
    let key = KEYS.iter().find(|key| is_it(key.name))?;
    let shape = if key.secret { Shape::Secret } else { Shape::Text };
    Some((variable(store, &name.to_ascii_uppercase()), shape))
}

/// The setting that a variable sets, `_FILE` taken off; none if it is no store's.
pub(super) fn setting_of(name: &str) -> Option<&str> {
    let name = name.strip_suffix("_FILE").unwrap_or(name);
    let store = name.strip_prefix("STILLPOINT_")?;
    let of = |key: &str| store.strip_suffix(key)?.strip_suffix('_');
    let store = KEYS.iter().find_map(|key| of(&key.name.to_ascii_uppercase()))?;
    (!store.is_empty()).then_some(name)
}

/// Whether a setting of a store must not be shown.
pub(super) fn is_secret(name: &str) -> bool {
    let is = |key: &str| name.ends_with(&format!("_{key}"));
    KEYS.iter().any(|key| key.secret && is(&key.name.to_ascii_uppercase()))
}

/// The lookup that stores are given.
pub(super) fn setting(settings: &Settings) -> Setting {
    let settings = settings.clone();
    Arc::new(move |name| settings.found(name).map(|found| found.text.clone()))
}
