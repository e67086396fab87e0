//! Where a value comes from. An error about a value names its origin: the operator has several
//! places to look at, and only one of them is wrong.

use std::fmt;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An option of the command line.
    Flag(&'static str),
    /// A variable of our environment; `X_FILE` where the value stands in a file.
    Environment(String),
    /// A variable in the file that `--env-file` names.
    EnvFile {
        /// The file, as it was named.
        file: String,
        /// The variable.
        variable: String,
    },
    /// A line of `stillpoint.toml`.
    File {
        /// The file, as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The key.
        path: String,
    },
    /// A label of a store's own container.
    Label {
        /// The label.
        label: String,
        /// The container.
        container: String,
    },
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::EnvFile { file, variable } => write!(f, "{file} ({variable})"),
            Self::File { file, line, .. } => write!(f, "{file} line {line}"),
            Self::Label { label, container } => write!(f, "label {label} of container {container}"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Origin {
    /// The same as the subject of an error: what to change comes first.
    pub(crate) fn subject(&self) -> String {
        match self {
            Self::Flag(flag) => (*flag).to_owned(),
            Self::Environment(variable) => format!("{variable} (environment)"),
            Self::EnvFile { file, variable } => format!("{variable} ({file})"),
            Self::File { file, line, path } => format!("{file}:{line}: {path}"),
            Self::Label { .. } => self.to_string(),
            Self::Default => "the default".to_owned(),
        }
    }
}
