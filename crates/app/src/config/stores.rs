//! The settings of stores. Each kind of store declares its own; here they are keys of `[stores.<name>]` and
//! variables. Which stores there are is not known when the configuration is read: [`super::effect`] looks later
//! whether each setting has one.

use std::sync::Arc;

use secrecy::ExposeSecret;
use stillpoint_stores::Configured;
use stillpoint_stores::settings::{self, Key, Shape as Of, any_key, every_key, variable};

use super::key::Shape;
use super::settings::{Settings, refused};
use super::similar::did_you_mean;
use crate::failure::Failure;

/// The variable and the shape of a key of `[stores.<name>]`; none if no kind of store has such a key.
pub(super) fn key(store: &str, name: &str) -> Option<(String, Shape)> {
    let (key, _) = any_key(name)?;
    let number = |unit| Shape::Number { unit, least: 0 };
    let shape = match key.shape {
        Of::Secret => Shape::Secret,
        Of::Port => number("port"),
        Of::Seconds => number("seconds"),
        Of::List => Shape::List,
        Of::Text | Of::Name | Of::OneOf(_) | Of::Kind => Shape::Text,
    };
    Some((variable(store, name), shape))
}

/// The names of all keys of `[stores.<name>]`.
pub(super) fn names() -> Vec<String> {
    every_key().into_iter().flat_map(|(key, _)| key.names()).collect()
}

/// The setting that a variable sets, `_FILE` taken off; none if it is no store's.
pub(super) fn setting_of(name: &str) -> Option<&str> {
    let name = name.strip_suffix("_FILE").unwrap_or(name);
    key_of(name).map(|_| name)
}

/// The key that a variable of a store sets.
pub(super) fn key_of(variable: &str) -> Option<&'static Key> {
    let rest = variable.strip_prefix("STILLPOINT_")?.to_ascii_lowercase();
    let is_it = |key: &Key| {
        let store = rest.strip_suffix(key.name).and_then(|store| store.strip_suffix('_'));
        store.is_some_and(|store| !store.is_empty())
    };
    let keys = every_key().into_iter().map(|(key, _)| key);
    keys.filter(|key| is_it(key)).max_by_key(|key| key.name.len())
}

/// Refuses values that are of no use to any store.
pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    for (name, found) in settings.all() {
        let Some(key) = setting_of(name).and_then(key_of) else {
            continue;
        };
        let text = found.text.expose_secret();
        if let Err(wrong) = key.shape.check(text) {
            let known = match key.shape {
                Of::Kind => stillpoint_stores::DECLARED
                    .iter()
                    .map(|declared| declared.kind)
                    .collect(),
                Of::OneOf(words) => words.to_vec(),
                _ => Vec::new(),
            };
            let near = did_you_mean(text, known.into_iter().chain([settings::NO_STORE]));
            return Err(refused(&found.origin, format!("{wrong}{near}")));
        }
    }
    Ok(())
}

/// The lookup that stores are given.
pub(super) fn configured(settings: &Settings) -> Configured {
    let settings = settings.clone();
    Arc::new(move |name| settings.found(name).map(|found| found.text.clone()))
}
