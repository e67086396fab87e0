//! Every value as it may be shown. The only place that turns settings into text for a person: here
//! secrets end.

use secrecy::ExposeSecret;
use serde::Serialize;

use super::key::{Key, Shape};
use super::settings::Settings;
use super::stores;

/// A value as it may be shown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// The key in `stillpoint.toml`; a store's setting and what cannot stand there have their variable.
    pub(crate) key: String,
    /// The variable.
    pub(crate) variable: String,
    /// The value; `(set)` for a secret, none if it is not set.
    pub(crate) value: Option<String>,
    /// Where it comes from.
    pub(crate) origin: Option<String>,
    /// What it is.
    #[serde(flatten)]
    pub(crate) about: Option<About>,
}

/// What a key is, for whoever shows the configuration elsewhere.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About {
    /// In what it counts, or what it takes.
    pub(crate) unit: String,
    /// What counts if it is not set.
    pub(crate) default: String,
    /// What it is for.
    pub(crate) meaning: &'static str,
}

pub(super) fn rows(settings: &Settings, keys: &[&Key]) -> Vec<Row> {
    let known = keys.iter().map(|key| {
        let name = if key.path.is_empty() { key.variable } else { key.path };
        let about = About {
            unit: key.shape.unit(),
            default: key.fallback.text(),
            meaning: key.about,
        };
        Row {
            about: Some(about),
            ..row(settings, name, key.variable, key.shape == Shape::Secret)
        }
    });
    let variables = settings.variables().into_iter();
    let of_stores = variables.filter(|name| keys.iter().all(|key| key.variable != *name));
    let stores = of_stores.map(|name| match stores::key_of(name) {
        None => row(settings, name, name, true),
        Some(key) => Row {
            about: Some(About {
                unit: key.shape.unit(),
                default: key.fallback.to_owned(),
                meaning: key.about,
            }),
            ..row(settings, name, name, key.is_secret())
        },
    });
    known.chain(stores).collect()
}

fn row(settings: &Settings, key: &str, variable: &str, secret: bool) -> Row {
    let found = settings.found(variable);
    Row {
        key: key.to_owned(),
        variable: variable.to_owned(),
        value: found.map(|found| {
            if secret {
                "(set)".to_owned()
            } else {
                found.text.expose_secret().to_owned()
            }
        }),
        origin: found.map(|found| found.origin.to_string()),
        about: None,
    }
}
