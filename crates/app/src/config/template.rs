//! A `stillpoint.toml` to begin with: every key that can stand in it, as a comment, with its meaning and its default.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::key::{Fallback, Key, Shape};
use super::keys;

const HEADING: &str = "# The configuration of Stillpoint. Each line that begins with `#` shows a key with its default: take the `#`\n\
                       # away to set it. `stillpoint config show --origin` prints what counts and where it comes from.\n";

/// A table that means something whatever is in it.
const SPEAKS_FOR_S3: &str = "repository.s3";

/// The file, with what is to be set in it.
#[derive(Debug, Default)]
pub(crate) struct Template {
    set: BTreeMap<&'static str, String>,
}

impl Template {
    /// Sets a key in it.
    pub(crate) fn set(&mut self, path: &'static str, value: &str) {
        self.set.insert(path, value.to_owned());
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        let mut text = HEADING.to_owned();
        for (table, keys) in tables() {
            let heading = if table == SPEAKS_FOR_S3 {
                format!("#[{table}]   # with this table the backups go to S3")
            } else {
                format!("[{table}]")
            };
            let _ = writeln!(text, "\n{heading}");
            for (name, key) in keys {
                let _ = writeln!(text, "# {}", key.about);
                let set = self.set.get(key.path);
                let line = match set {
                    Some(value) => format!("{name} = {}\n", json!(value)),
                    None => format!("#{name} = {}\n", shown(key)),
                };
                text.push_str(&line);
            }
        }
        text
    }
}

/// The tables in the order of the documentation, each with its keys and their names in it.
fn tables() -> Vec<(&'static str, Vec<(&'static str, &'static Key)>)> {
    let mut tables: Vec<(&str, Vec<(&str, &Key)>)> = Vec::new();
    for key in keys() {
        let Some((table, name)) = key.path.rsplit_once('.') else {
            continue;
        };
        match tables.iter_mut().find(|(known, _)| *known == table) {
            Some((_, known)) => known.push((name, key)),
            None => tables.push((table, vec![(name, key)])),
        }
    }
    tables
}

/// The default as TOML; where there is none, what a value looks like.
fn shown(key: &Key) -> String {
    match (key.fallback, key.shape) {
        (Fallback::Value(value), Shape::Number { .. } | Shape::Switch) => value.to_owned(),
        (Fallback::Value(value), Shape::List) => {
            let items: Vec<&str> = value
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .collect();
            json!(items).to_string()
        }
        (Fallback::Value(value), _) => json!(value).to_string(),
        (Fallback::Words(words), shape) => format!("{}   # default: {words}", empty(shape)),
    }
}

fn empty(shape: Shape) -> String {
    match shape {
        Shape::Text | Shape::Path | Shape::Secret => "\"\"".to_owned(),
        Shape::Number { least, .. } => least.to_string(),
        Shape::Switch => "true".to_owned(),
        Shape::List => "[]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use secrecy::ExposeSecret;

    use super::super::file;
    use super::*;

    #[test]
    fn every_key_of_the_file_stands_in_it_once_and_nothing_is_set() {
        let text = Template::default().text();
        let set = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.starts_with('[') && !line.is_empty());
        assert_eq!(set.count(), 0, "{text}");
        for key in keys().into_iter().filter(|key| !key.path.is_empty()) {
            let name = key.path.rsplit('.').next().unwrap();
            assert!(text.contains(&format!("\n#{name} = ")), "{}", key.path);
            assert!(text.contains(key.about), "{}", key.path);
        }
    }

    /// What an operator gets when he takes away every `#` before a key.
    #[test]
    fn every_line_is_toml_that_is_accepted() {
        let mut template = Template::default();
        template.set("platform.name", "acme \"quoted\"");
        let text = template.text();
        let uncommented: Vec<String> = text
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
                _ => line.to_owned(),
            })
            .collect();
        let in_file: Vec<&Key> = keys().into_iter().filter(|key| !key.path.is_empty()).collect();
        for text in [text.clone(), uncommented.join("\n")] {
            let read = file::read(Path::new("stillpoint.toml"), &text, &in_file).unwrap();
            let name = &read.layer["STILLPOINT_PLATFORM"];
            assert_eq!(name.text.expose_secret(), "acme \"quoted\"");
        }
    }
}
