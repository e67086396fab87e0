//! `stillpoint.toml`. Every complaint names the line; none shows a value, which may be a secret.

use std::path::Path;

use secrecy::SecretString;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Key, Shape};
use super::origin::Origin;
use super::settings::{Found, HINT, Layer, refused};
use super::similar::did_you_mean;
use super::{stores, variables};
use crate::failure::Failure;

const STORES: &str = "stores";

/// The layer of a file.
pub(super) fn layer(path: &Path, text: &str, keys: &[&Key]) -> Result<Layer, Failure> {
    let name = path.strip_prefix("./").unwrap_or(path).display().to_string();
    let file = File { name, text, keys };
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        file.refuse(start, error.message())
    })?;
    let mut layer = Layer::new();
    file.table("", table.get_ref(), &mut layer)?;
    Ok(layer)
}

struct File<'a> {
    name: String,
    text: &'a str,
    keys: &'a [&'a Key],
}

impl File<'_> {
    fn table(&self, above: &str, table: &DeTable<'_>, layer: &mut Layer) -> Result<(), Failure> {
        for (name, value) in table {
            let path = match above {
                "" => name.get_ref().to_string(),
                above => format!("{above}.{}", name.get_ref()),
            };
            self.entry(above, &path, name.span().start, value, layer)?;
        }
        Ok(())
    }

    fn entry(
        &self,
        above: &str,
        path: &str,
        at: usize,
        value: &Spanned<DeValue<'_>>,
        layer: &mut Layer,
    ) -> Result<(), Failure> {
        if let Some(store) = above.strip_prefix("stores.") {
            return self.store(store, path, at, value, layer);
        }
        if let Some(key) = self.keys.iter().find(|key| key.path == path) {
            let origin = self.origin(path, at);
            let text = text_of(key.shape, value.get_ref()).map_err(|problem| refused(&origin, problem))?;
            insert(layer, key.variable, text, origin);
            return Ok(());
        }
        let below = format!("{path}.");
        let is_table = above == STORES || path == STORES || self.keys.iter().any(|key| key.path.starts_with(&below));
        match value.get_ref() {
            DeValue::Table(table) if is_table => self.table(path, table, layer),
            other if is_table => Err(self.refuse(at, &format!("`{path}` is a table, not {}", other.type_str()))),
            _ => Err(self.unknown(above, path, at)),
        }
    }

    /// A key of `[stores.<name>]`.
    fn store(
        &self,
        store: &str,
        path: &str,
        at: usize,
        value: &Spanned<DeValue<'_>>,
        layer: &mut Layer,
    ) -> Result<(), Failure> {
        let key = path.rsplit('.').next().unwrap_or(path);
        if !stores::KEYS.contains(&key) {
            return Err(self.refuse(at, &format!("unknown key `{key}`{}", did_you_mean(key, stores::KEYS))));
        }
        let origin = self.origin(path, at);
        let text = text_of(Shape::Secret, value.get_ref()).map_err(|problem| refused(&origin, problem))?;
        let variable = stores::variable_of(store, key);
        if let Some(other) = layer.get(&variable) {
            let problem = format!("{} sets the same, and only one of them can hold", other.origin);
            return Err(refused(&origin, problem));
        }
        if key == "password_file" && !text.is_empty() {
            layer.insert(variable, variables::from_file(origin, &text)?);
        } else {
            insert(layer, &variable, text, origin);
        }
        Ok(())
    }

    fn unknown(&self, above: &str, path: &str, at: usize) -> Failure {
        let depth = if above.is_empty() { 0 } else { above.len() + 1 };
        let here = self.keys.iter().filter(|key| key.path.starts_with(&path[..depth]));
        let names = here
            .filter_map(|key| key.path[depth..].split('.').next())
            .chain([STORES]);
        let name = &path[depth..];
        self.refuse(at, &format!("unknown key `{name}`{}", did_you_mean(name, names)))
    }

    fn refuse(&self, at: usize, problem: &str) -> Failure {
        Failure::usage(format!("{}:{}: {problem}", self.name, self.line(at)), HINT)
    }

    fn origin(&self, path: &str, at: usize) -> Origin {
        Origin::File {
            file: self.name.clone(),
            line: self.line(at),
            path: path.to_owned(),
        }
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        before.filter(|byte| **byte == b'\n').count() + 1
    }
}

/// An empty text is as good as none, as with variables.
fn insert(layer: &mut Layer, variable: &str, text: String, origin: Origin) {
    if !text.is_empty() {
        let text = SecretString::from(text);
        layer.insert(variable.to_owned(), Found { text, origin });
    }
}

/// A value of the wanted shape as text, or what it is instead.
fn text_of(shape: Shape, value: &DeValue<'_>) -> Result<String, String> {
    match (shape, value) {
        (Shape::Text | Shape::Secret, DeValue::String(text)) => Ok(text.to_string()),
        (Shape::Switch, DeValue::Boolean(on)) => Ok(on.to_string()),
        (Shape::Number { .. }, DeValue::Integer(number)) => u64::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|_| "a whole number from 0 is wanted".to_owned()),
        (Shape::List, DeValue::Array(entries)) => {
            let texts = entries.iter().map(|entry| entry.get_ref().as_str());
            let texts: Option<Vec<&str>> = texts.collect();
            texts
                .map(|texts| texts.join(","))
                .ok_or_else(|| "every entry of the list must be a string".to_owned())
        }
        (shape, other) => Err(format!("{} is wanted, not {}", wanted(shape), other.type_str())),
    }
}

fn wanted(shape: Shape) -> &'static str {
    match shape {
        Shape::Text | Shape::Secret => "a string",
        Shape::Number { .. } => "a whole number",
        Shape::Switch => "`true` or `false`",
        Shape::List => "a list of strings",
    }
}
