//! What is read where the configuration as a whole cannot be: the few values that bring a platform back.
//! Never a reason to fail: what cannot be read is passed over.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::key::Key;
use super::platform::{DOCKER_HOST, NAME, STATE_DIR};
use super::settings::{Layer, Settings};
use super::surroundings::Surroundings;
use super::variables::{self, Place, Variables};
use super::{CONFIG, env_file, file, flags};
use crate::options::Options;

const KEYS: [&Key; 4] = [&NAME, &DOCKER_HOST, &STATE_DIR, &CONFIG];

/// The layers, as far as they can be read.
pub(super) fn layers(options: &Options, surroundings: &Surroundings) -> Settings {
    let mut settings = Settings::default();
    settings.push(flags(options, &KEYS));
    let environment = surroundings.environment.iter();
    let environment = environment.filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    settings.push(layer(Place::Environment, environment));
    if let Some(name) = &options.env_file {
        let text = std::fs::read_to_string(name).unwrap_or_default();
        let lines = env_file::parse(&text);
        let readable = lines
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.as_deref().ok()?)));
        settings.push(layer(Place::File(name), readable));
    }
    let named = settings
        .found(CONFIG.variable)
        .map(|found| found.text.expose_secret().into());
    let files: Vec<PathBuf> = named.map_or_else(|| surroundings.files.clone(), |named: PathBuf| vec![named]);
    if let Some((path, text)) = files.iter().find_map(|path| Some((path, text_of(path)?))) {
        settings.push(file::salvage(path, &text, &KEYS));
    }
    settings
}

fn layer<'a>(place: Place<'_>, variables: impl Iterator<Item = (&'a str, &'a str)>) -> Layer {
    let is_needed = |name: &str| KEYS.iter().any(|key| variables::is_of(name, key.variable));
    let needed = variables.filter(|(name, _)| is_needed(name));
    let needed: Variables = needed
        .map(|(name, value)| (name.to_owned(), SecretString::from(value)))
        .collect();
    let found = KEYS.iter().filter_map(|key| {
        let found = variables::value(place, &needed, key.variable).ok().flatten()?;
        Some((key.variable.to_owned(), found))
    });
    found.collect()
}

/// Bytes that are no text spoil their own line only.
fn text_of(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
