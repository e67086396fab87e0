//! Variables, from our environment or from a file: `X`, or the file that `X_FILE` names. Empty ones
//! count as unset, as Compose passes every variable that it mentions.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::key::Key;
use super::origin::Origin;
use super::settings::{Found, Layer, refused};
use super::similar::did_you_mean;
use super::stores;
use crate::failure::Failure;

/// Names with our prefixes that are nobody's mistake: Dagster's own, the mark of our own tools, and
/// what tests pass.
const NOT_SETTINGS: [&str; 3] = ["DAGSTER_HOME", "STILLPOINT_RUN", "STILLPOINT_CASE"];

/// The same by prefix.
const NOT_SETTINGS_FROM: [&str; 2] = ["STILLPOINT_TESTBED_", "STILLPOINT_TEST_"];

/// A variable with one of these is meant for us.
const OURS: [&str; 3] = ["BACKUP_", "DAGSTER_", "STILLPOINT_"];

/// Variables by name.
pub(super) type Variables = BTreeMap<String, SecretString>;

/// Where variables stand.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// Our environment.
    Environment,
    /// A file, as it was named.
    File(&'a str),
}

impl Place<'_> {
    /// The origin of a variable that stands here.
    pub(super) fn origin(self, variable: &str) -> Origin {
        match self {
            Self::Environment => Origin::Environment(variable.to_owned()),
            Self::File(file) => Origin::EnvFile {
                file: file.to_owned(),
                variable: variable.to_owned(),
            },
        }
    }
}

/// Whether a variable is one that we would read.
pub(super) fn is_ours(name: &str, keys: &[&Key]) -> bool {
    OURS.iter().any(|prefix| name.starts_with(prefix)) || keys.iter().any(|key| is_of(name, key.variable))
}

/// Whether this sets that variable, itself or by a file.
pub(super) fn is_of(name: &str, variable: &str) -> bool {
    name == variable || name.strip_suffix("_FILE") == Some(variable)
}

/// The layer of these variables.
pub(super) fn layer(place: Place<'_>, variables: &Variables, keys: &[&Key]) -> Result<Layer, Failure> {
    let of_keys = keys.iter().map(|key| key.variable);
    let names = of_keys.chain(variables.keys().filter_map(|name| stores::setting_of(name)));
    let mut layer = Layer::new();
    for name in names {
        if let Some(found) = value(place, variables, name)? {
            layer.insert(name.to_owned(), found);
        }
    }
    Ok(layer)
}

/// The value of a variable, or what stands in its file.
pub(super) fn value(place: Place<'_>, variables: &Variables, name: &str) -> Result<Option<Found>, Failure> {
    let set = |name: &str| variables.get(name).filter(|value| !value.expose_secret().is_empty());
    let in_file = format!("{name}_FILE");
    match (set(name), set(&in_file)) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(Found {
            text: text.clone(),
            origin: place.origin(name),
        })),
        (None, Some(path)) => from_file(place.origin(&in_file), path.expose_secret()).map(Some),
        (Some(_), Some(_)) => Err(refused(
            &place.origin(name),
            format!("{in_file} is set, too, and only one of them can hold"),
        )),
    }
}

/// A value that stands in a file of its own, without the end of its line.
pub(super) fn from_file(origin: Origin, path: &str) -> Result<Found, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| refused(&origin, format!("{path} cannot be read: {error}")))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(refused(&origin, format!("{path} is empty")));
    }
    Ok(Found {
        text: SecretString::from(text),
        origin,
    })
}

/// What is meant for us and says nothing to us.
pub(super) fn unknown(place: Place<'_>, variables: &Variables, keys: &[&Key]) -> Vec<String> {
    let known = || keys.iter().map(|key| key.variable);
    let is_unknown = |name: &&String| {
        is_ours(name, keys)
            && !known().any(|variable| is_of(name, variable))
            && stores::setting_of(name).is_none()
            && !NOT_SETTINGS.contains(&name.as_str())
            && !NOT_SETTINGS_FROM.iter().any(|prefix| name.starts_with(prefix))
    };
    let warning = |name: &String| {
        let near = did_you_mean(name, known());
        format!("{} is unknown and does nothing{near}", place.origin(name).subject())
    };
    variables.keys().filter(is_unknown).map(warning).collect()
}
