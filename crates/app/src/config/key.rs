//! What a key is: its place in `stillpoint.toml`, its variable, its flag, and its default. Owners
//! declare theirs as tables; everything that treats all keys alike reads those tables and nothing
//! else.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Where it stands in `stillpoint.toml`: `retention.days`. Empty if it cannot stand there.
    pub(crate) path: &'static str,
    /// Its variable. `<variable>_FILE` names a file that holds the value.
    pub(crate) variable: &'static str,
    /// Its option on the command line, if it has one.
    pub(crate) flag: Option<&'static str>,
    /// What its values look like.
    pub(crate) shape: Shape,
    /// What holds where it is not set.
    pub(crate) fallback: Fallback,
    /// What it means, as one sentence.
    pub(crate) about: &'static str,
}

/// What values look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Any text.
    Text,
    /// The path of a file or directory; in `stillpoint.toml`, a relative one is one from the file's own folder.
    Path,
    /// Text that is never shown. In `stillpoint.toml`, `<path>_file` names a file that holds it.
    Secret,
    /// A whole number, of this unit, at least so large.
    Number {
        /// `days`, `bytes`.
        unit: &'static str,
        /// The smallest value that makes sense.
        least: u64,
    },
    /// `true` or `false`.
    Switch,
    /// Texts: an array in the file, parted by commas in a variable.
    List,
}

impl Shape {
    /// The unit, as the documentation names it.
    pub(crate) fn unit(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Secret => "secret".to_owned(),
            Self::Number { unit, least: 0 } => unit.to_owned(),
            Self::Number { unit, least } => format!("{unit}, at least {least}"),
            Self::Switch => "`true` or `false`".to_owned(),
            Self::List => "list of texts".to_owned(),
        }
    }
}

/// What holds where nothing is set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fallback {
    /// This value.
    Value(&'static str),
    /// No fixed value: found out, computed, or nothing. In words.
    Words(&'static str),
}

impl Fallback {
    /// As the documentation shows it.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Value(value) => format!("`{value}`"),
            Self::Words(words) => words.to_owned(),
        }
    }
}
