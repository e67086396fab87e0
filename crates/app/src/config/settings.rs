//! The layers, one above the other, and the lookup through them. Values are texts until their
//! owner reads them; all are kept as secrets, so that nothing here can print one by accident.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use secrecy::{ExposeSecret, SecretString};

use super::file::Contents;
use super::key::{Fallback, Key, Shape};
use super::origin::Origin;
use crate::failure::Failure;

/// A value and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The value as text; a list parted by commas.
    pub(crate) text: SecretString,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// What one source sets, by the name of the variable, which every key and every store's setting has.
pub(crate) type Layer = BTreeMap<String, Found>;

/// All layers, the one that wins first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    layers: Vec<Layer>,
    /// The tables of `stillpoint.toml`, and the number of its layer.
    tables: BTreeMap<String, (usize, Origin)>,
}

impl Settings {
    /// Puts a layer below the others.
    pub(super) fn push(&mut self, layer: Layer) {
        self.layers.push(layer);
    }

    /// Puts what `stillpoint.toml` says below the others.
    pub(super) fn push_file(&mut self, contents: Contents) {
        let rank = self.layers.len();
        let tables = contents.tables.into_iter();
        self.tables = tables.map(|(path, origin)| (path, (rank, origin))).collect();
        self.push(contents.layer);
    }

    /// Where a table of `stillpoint.toml` begins, whatever stands in it, and the number of the file's layer.
    pub(super) fn table(&self, path: &str) -> Option<(usize, &Origin)> {
        self.tables.get(path).map(|(rank, origin)| (*rank, origin))
    }

    /// The value of a variable, and the number of its layer, from 0 for the highest.
    pub(super) fn ranked(&self, variable: &str) -> Option<(usize, &Found)> {
        let mut layers = self.layers.iter().enumerate();
        layers.find_map(|(rank, layer)| Some((rank, layer.get(variable)?)))
    }

    /// The value of a variable in the highest layer that has it.
    pub(crate) fn found(&self, variable: &str) -> Option<&Found> {
        self.ranked(variable).map(|(_, found)| found)
    }

    /// The names of all variables that have a value.
    pub(crate) fn variables(&self) -> BTreeSet<&str> {
        self.layers
            .iter()
            .flat_map(BTreeMap::keys)
            .map(String::as_str)
            .collect()
    }

    /// All variables that have a value, and the value in the highest layer that has it.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Found)> {
        let variables = self.variables().into_iter();
        variables.filter_map(|variable| Some((variable, self.found(variable)?)))
    }

    /// A text.
    pub(super) fn text(&self, key: &Key) -> Option<String> {
        self.found(key.variable)
            .map(|found| found.text.expose_secret().to_owned())
    }

    /// A text that has a default.
    pub(super) fn text_or_default(&self, key: &Key) -> String {
        self.text(key).unwrap_or_else(|| default(key).to_owned())
    }

    /// A secret.
    pub(super) fn secret(&self, key: &Key) -> Option<SecretString> {
        self.found(key.variable).map(|found| found.text.clone())
    }

    /// Texts.
    pub(super) fn list(&self, key: &Key) -> Vec<String> {
        let text = self.text(key).unwrap_or_default();
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(ToOwned::to_owned).collect()
    }

    /// `true` or `false`.
    pub(super) fn switch(&self, key: &Key) -> Result<bool, Failure> {
        match self.text_or_default(key).as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(self.refuse(key, format!("`{other}` is neither `true` nor `false`"))),
        }
    }

    /// A whole number.
    pub(super) fn number<T: TryFrom<u64>>(&self, key: &Key) -> Result<T, Failure> {
        let text = self.text_or_default(key);
        let number: u64 = text
            .parse()
            .map_err(|_| self.refuse(key, format!("`{text}` is not a whole number")))?;
        if let Shape::Number { unit, least } = key.shape
            && number < least
        {
            return Err(self.refuse(key, format!("{number} {unit} is too little: {least} is the least")));
        }
        T::try_from(number).map_err(|_| self.refuse(key, format!("{number} is too large")))
    }

    /// A value that its owner cannot take.
    pub(super) fn refuse(&self, key: &Key, problem: impl Display) -> Failure {
        let origin = self.found(key.variable).map_or(&Origin::Default, |found| &found.origin);
        refused(origin, problem)
    }
}

/// A value that cannot be taken, told with its origin.
pub(super) fn refused(origin: &Origin, problem: impl Display) -> Failure {
    Failure::usage(format!("{}: {problem}", origin.subject()), HINT)
}

/// What to do about any wrong value.
pub(super) const HINT: &str = "correct it; docs/configuration.md lists every key with its unit and default";

fn default(key: &Key) -> &'static str {
    match key.fallback {
        Fallback::Value(value) => value,
        Fallback::Words(_) => "",
    }
}
