//! What the engine tells about a container, in the words of the platform. Plain data: it was true
//! when it was read, and whoever acts on it later looks again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::names::{Address, WorkloadId};

/// One container, as last inspected.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Where it stands in its platform.
    pub address: Address,
    /// The container's id.
    pub id: WorkloadId,
    /// The container's name, without the engine's leading slash.
    pub container: String,
    /// The image as the operator named it.
    pub image: String,
    /// The image's content-addressed id: a tag may have moved on since.
    pub image_id: String,
    /// What it is doing.
    pub state: State,
    /// Its last start; none if it never ran. Unchanged means that nobody started it since.
    pub started_at: Option<Timestamp>,
    /// The outcome of its health check, where it has one.
    pub health: Option<Health>,
    /// What the engine does when it ends, or when the engine itself starts.
    pub restart: RestartPolicy,
    /// How often the engine restarted it by itself.
    pub restart_count: u64,
    /// The exit code of its last end.
    pub exit_code: Option<i64>,
    /// How long the operator lets it take to stop, where the container says so.
    pub stop_grace: Option<Duration>,
    /// The engine removes it when it ends: it could never be started again.
    pub auto_remove: bool,
    /// The container, by id or name, whose network it uses in place of one of its own: without that one it has none.
    pub network_of: Option<String>,
    /// More names that it has in its networks.
    pub aliases: Vec<String>,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// Its environment; may hold secrets.
    pub environment: Environment,
    /// What it runs, the image's entrypoint first; may hold secrets.
    pub command: CommandLine,
}

impl Workload {
    /// Whether it is the container of this id or name.
    pub fn is_container(&self, id_or_name: &str) -> bool {
        self.id.as_str() == id_or_name || self.container == id_or_name
    }

    /// Whether the others of its platform reach it by this name: its service's, its container's, which also tells one
    /// replica from another, or an alias in one of its networks.
    pub fn is_called(&self, host: &str) -> bool {
        [self.address.service.as_str(), self.container.as_str()].contains(&host)
            || self.aliases.iter().any(|alias| alias == host)
    }
}

/// What the engine does with a container that has ended, in the engine's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestartPolicy {
    /// `no`, `always`, `unless-stopped` or `on-failure`.
    pub name: String,
    /// With `on-failure`: how often at most; 0 is no limit.
    pub retries: i64,
}

impl RestartPolicy {
    /// Nothing starts it but a command.
    pub fn never() -> Self {
        Self {
            name: "no".to_owned(),
            retries: 0,
        }
    }
}

/// What a workload is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Made, never started.
    Created,
    /// Its process runs (or the engine is about to restart it).
    Running,
    /// Frozen: it holds its memory and connections, and executes nothing.
    Paused,
    /// Ended, by itself or by somebody.
    Exited,
}

impl State {
    /// It has a process, frozen or not.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Exited => "exited",
        })
    }
}

/// The outcome of a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// No verdict yet.
    Starting,
    /// The last check passed.
    Healthy,
    /// So many checks failed in a row that the engine gave up on it.
    Unhealthy,
}

/// A container's environment. `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, SecretString>);

impl Environment {
    /// Takes entries of the form `NAME=value`.
    pub fn parse(entries: impl IntoIterator<Item = String>) -> Self {
        Self(
            entries
                .into_iter()
                .filter_map(|entry| {
                    entry
                        .split_once('=')
                        .map(|(name, value)| (name.to_owned(), SecretString::from(value)))
                })
                .collect(),
        )
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&SecretString> {
        self.0.get(name)
    }

    /// All variables, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &SecretString)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A container's command line. `Debug` shows how long it is and nothing of it: passwords stand in some.
#[derive(Clone, Default)]
pub struct CommandLine(Vec<SecretString>);

impl CommandLine {
    /// Takes program and arguments.
    pub fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self(words.into_iter().map(SecretString::from).collect())
    }

    /// Program and arguments, in order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(ExposeSecret::expose_secret)
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandLine({} words)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_keeps_its_secrets() {
        let command = CommandLine::new(["valkey-server".to_owned(), "--requirepass=hidden".to_owned()]);
        assert_eq!(command.words().last(), Some("--requirepass=hidden"));
        assert_eq!(format!("{command:?}"), "CommandLine(2 words)");
    }
}
