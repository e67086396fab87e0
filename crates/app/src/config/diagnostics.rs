//! What is told of a run beside what it shows to everybody, and in which form.

use std::str::FromStr;

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 2] = [LOG, FORMAT];

const LOG: Key = Key {
    path: "",
    variable: "STILLPOINT_LOG",
    flag: Some("-v"),
    shape: Shape::Text,
    fallback: Fallback::Words("nothing is told"),
    about: "Which diagnostics are told: a level, or levels of parts. `-v` is `debug`, `-vv` is `trace`.",
};

const FORMAT: Key = Key {
    path: "",
    variable: "STILLPOINT_LOG_FORMAT",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Words("`text` on a terminal, else `json`"),
    about: "How diagnostics are told: `text` or `json`.",
};

/// The levels, from the quietest.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What every part of ours begins with.
pub(crate) const OURS: &str = "stillpoint";

/// What is told.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostics {
    /// What is let through; none: nothing.
    pub(crate) filter: Option<String>,
    /// In which form, if somebody said so.
    pub(crate) format: Option<Format>,
}

/// The form of diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("`{other}` is neither `text` nor `json`")),
        }
    }
}

pub(super) fn read(settings: &Settings) -> Result<Diagnostics, Failure> {
    let filter = settings.text(&LOG);
    if let Some(wrong) = filter.as_deref().and_then(misspelt) {
        let problem = format!(
            "`{wrong}` is neither a level ({}) nor a part, as `{OURS}::tool=debug`",
            LEVELS.join(", ")
        );
        return Err(settings.refuse(&LOG, problem));
    }
    let format = settings.text(&FORMAT).map(|format| format.parse());
    Ok(Diagnostics {
        filter,
        format: format
            .transpose()
            .map_err(|wrong: String| settings.refuse(&FORMAT, wrong))?,
    })
}

/// The first directive that would let nothing through of ours. The filter's own reader takes any word for a part's name.
fn misspelt(filter: &str) -> Option<&str> {
    let is_level = |text: &str| LEVELS.contains(&text.to_ascii_lowercase().as_str());
    let is_meant = |directive: &&str| match directive.split_once('=') {
        None => is_level(directive) || directive.starts_with(OURS),
        Some((part, level)) => part.starts_with(OURS) && is_level(level),
    };
    let mut directives = filter
        .split(',')
        .map(str::trim)
        .filter(|directive| !directive.is_empty());
    directives.find(|directive| !is_meant(directive))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_would_let_nothing_through_is_told() {
        for filter in [
            "debug",
            "TRACE",
            "stillpoint::tool=debug",
            "warn, stillpoint::run=trace",
            "stillpoint",
            "",
        ] {
            assert_eq!(misspelt(filter), None, "{filter}");
        }
        for (filter, wrong) in [
            ("debgu", "debgu"),
            ("tool=debug", "tool=debug"),
            ("debug,stillpoint::tool=loud", "stillpoint::tool=loud"),
        ] {
            assert_eq!(misspelt(filter), Some(wrong));
        }
    }
}
