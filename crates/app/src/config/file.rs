//! `stillpoint.toml`. Every complaint names the line; none shows a value, which may be a secret.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::SecretString;
use toml::de::{DeTable, DeValue};

use super::key::{Key, Shape};
use super::origin::Origin;
use super::settings::{Found, HINT, Layer, refused};
use super::similar::did_you_mean;
use super::{stores, variables};
use crate::failure::Failure;

const STORES: &str = "stores";

/// What the file sets, and where its tables begin.
#[derive(Default)]
pub(super) struct Contents {
    /// Its layer.
    pub(super) layer: Layer,
    /// Its tables by their paths, those of stores excepted.
    pub(super) tables: BTreeMap<String, Origin>,
}

/// Reads the text of a file.
pub(super) fn read(path: &Path, text: &str, keys: &[&Key]) -> Result<Contents, Failure> {
    let file = File {
        name: path.strip_prefix("./").unwrap_or(path).display().to_string(),
        folder: path.parent().unwrap_or(Path::new("")),
        text,
        keys,
    };
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        file.refuse(start, error.message())
    })?;
    let mut contents = Contents::default();
    file.table("", table.get_ref(), &mut contents)?;
    Ok(contents)
}

/// What a file says of these keys, whatever is wrong with the rest of it.
pub(super) fn salvage(path: &Path, text: &str, keys: &[&Key]) -> Layer {
    let file = File {
        name: path.display().to_string(),
        folder: path.parent().unwrap_or(Path::new("")),
        text,
        keys,
    };
    let (table, _) = DeTable::parse_recoverable(text);
    let mut layer = Layer::new();
    for key in keys {
        let Some((owner, name)) = key.path.split_once('.') else {
            continue;
        };
        let owner = table.get_ref().get(owner).map(toml::Spanned::get_ref);
        let value = owner.and_then(DeValue::as_table).and_then(|owner| owner.get(name));
        if let Some(value) = value {
            let target = Target {
                variable: key.variable.to_owned(),
                shape: key.shape,
                in_file: false,
            };
            let entry = Entry {
                path: key.path,
                at: value.span().start,
                value: value.get_ref(),
            };
            // One that is no text has no default but that of its key.
            let _ = file.set(&target, &entry, &mut layer);
        }
    }
    layer
}

struct File<'a> {
    name: String,
    folder: &'a Path,
    text: &'a str,
    keys: &'a [&'a Key],
}

/// A value and its place.
struct Entry<'a> {
    path: &'a str,
    at: usize,
    value: &'a DeValue<'a>,
}

/// What a value sets.
struct Target {
    variable: String,
    shape: Shape,
    /// The value is the path of the file that holds it.
    in_file: bool,
}

impl File<'_> {
    fn table(&self, above: &str, table: &DeTable<'_>, contents: &mut Contents) -> Result<(), Failure> {
        for (name, value) in table {
            let path = match above {
                "" => name.get_ref().to_string(),
                above => format!("{above}.{}", name.get_ref()),
            };
            let entry = Entry {
                path: &path,
                at: name.span().start,
                value: value.get_ref(),
            };
            self.entry(above, &entry, contents)?;
        }
        Ok(())
    }

    fn entry(&self, above: &str, entry: &Entry<'_>, contents: &mut Contents) -> Result<(), Failure> {
        let Entry { path, at, value } = *entry;
        if let Some(store) = above.strip_prefix("stores.") {
            return self.set(&self.of_store(store, entry)?, entry, &mut contents.layer);
        }
        let named = |path: &str| {
            let key = self.keys.iter().find(|key| key.path == path)?;
            Some((key.variable.to_owned(), key.shape))
        };
        if let Some(target) = target(path, named) {
            return self.set(&target, entry, &mut contents.layer);
        }
        let below = format!("{path}.");
        let of_stores = above == STORES || path == STORES;
        let is_table = of_stores || self.keys.iter().any(|key| key.path.starts_with(&below));
        match value {
            DeValue::Table(table) if is_table => {
                if !of_stores {
                    let origin = self.origin(&format!("[{path}]"), at);
                    contents.tables.insert(path.to_owned(), origin);
                }
                self.table(path, table, contents)
            }
            other if is_table => Err(self.refuse(at, &format!("`{path}` is a table, not {}", other.type_str()))),
            _ => Err(self.unknown(above, path, at)),
        }
    }

    /// What a key of `[stores.<name>]` sets.
    fn of_store(&self, store: &str, entry: &Entry<'_>) -> Result<Target, Failure> {
        let name = entry.path.rsplit('.').next().unwrap_or(entry.path);
        let key = |name: &str| {
            let (variable, shape) = stores::key(store, name)?;
            // A text will do for whatever is a text in variables and labels.
            let is_text = matches!(entry.value, DeValue::String(_)) && shape != Shape::Secret;
            Some((variable, if is_text { Shape::Text } else { shape }))
        };
        target(name, key).ok_or_else(|| {
            let names = stores::names();
            let near = did_you_mean(name, names.iter().map(String::as_str));
            self.refuse(entry.at, &format!("unknown key `{name}`{near}"))
        })
    }

    /// An empty text is as good as none, as with variables.
    fn set(&self, target: &Target, entry: &Entry<'_>, layer: &mut Layer) -> Result<(), Failure> {
        let origin = self.origin(entry.path, entry.at);
        let mut text = text_of(target.shape, entry.value).map_err(|problem| refused(&origin, problem))?;
        if text.is_empty() {
            return Ok(());
        }
        if let Some(other) = layer.get(&target.variable) {
            let problem = format!("{} sets the same, and only one of them can hold", other.origin);
            return Err(refused(&origin, problem));
        }
        if target.in_file || target.shape == Shape::Path {
            text = self.beside(text);
        }
        let found = if target.in_file {
            variables::from_file(origin, &text)?
        } else {
            let text = SecretString::from(text);
            Found { text, origin }
        };
        layer.insert(target.variable.clone(), found);
        Ok(())
    }

    /// A relative path is one from the file's own folder, wherever the program runs. An address is left to its
    /// owner, who refuses it.
    fn beside(&self, path: String) -> String {
        if path.contains("://") {
            return path;
        }
        self.folder.join(path).display().to_string()
    }

    fn unknown(&self, above: &str, path: &str, at: usize) -> Failure {
        let depth = if above.is_empty() { 0 } else { above.len() + 1 };
        let here = self.keys.iter().filter(|key| key.path.starts_with(&path[..depth]));
        let names = here.clone().filter_map(|key| key.path[depth..].split('.').next());
        let secrets = here.filter(|key| key.shape == Shape::Secret && !key.path[depth..].contains('.'));
        let in_files: Vec<String> = secrets.map(|key| format!("{}_file", &key.path[depth..])).collect();
        let names = names.chain([STORES]).chain(in_files.iter().map(String::as_str));
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

/// What a name sets: the key of that name, or the secret that stands in the file that it names.
fn target(name: &str, named: impl Fn(&str) -> Option<(String, Shape)>) -> Option<Target> {
    let whole = named(name).map(|key| (key, false));
    let in_file = || {
        let key = named(name.strip_suffix("_file")?)?;
        (key.1 == Shape::Secret).then_some((key, true))
    };
    let ((variable, shape), in_file) = whole.or_else(in_file)?;
    Some(Target {
        variable,
        shape,
        in_file,
    })
}

/// A value of the wanted shape as text, or what it is instead.
fn text_of(shape: Shape, value: &DeValue<'_>) -> Result<String, String> {
    match (shape, value) {
        (Shape::Text | Shape::Path | Shape::Secret, DeValue::String(text)) => Ok(text.to_string()),
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
        Shape::Text | Shape::Path | Shape::Secret => "a string",
        Shape::Number { .. } => "a whole number",
        Shape::Switch => "`true` or `false`",
        Shape::List => "a list of strings",
    }
}
