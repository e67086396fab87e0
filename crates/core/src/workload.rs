//! What the engine tells about a container, in the words of the platform. Plain data: it was true
//! when it was read, and whoever acts on it later looks again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use crate::command_line::CommandLine;
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
    /// The containers, by id or name, whose processes or memory it shares (`pid`, `ipc`): it cannot run without them.
    pub joined: Vec<String>,
    /// How long its own health check gives it from a start to a verdict, where it has one.
    pub health_takes: Option<Duration>,
    /// How long after a start its own health check is made for the first time, where it has one: no start is healthy sooner.
    pub health_first: Option<Duration>,
    /// The TCP ports that its image or its operator declare.
    pub ports: BTreeSet<u16>,
    /// What of outside the container it sees as files.
    pub mounts: Vec<Mount>,
    /// What was seen inside it; nothing unless somebody looked.
    pub contents: Contents,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// Its environment; may hold secrets.
    pub environment: Environment,
    /// What it runs, the image's entrypoint first; may hold secrets.
    pub command: CommandLine,
}

/// Written by Compose on every container: `db:service_healthy:false,cache:service_started:true`.
pub(crate) const DEPENDS_ON: &str = "com.docker.compose.depends_on";

/// So many digits of an id are shown in lists, and taken for it.
const SHORT_ID: usize = 12;

impl Workload {
    /// Whether it is the container of this id or name.
    pub fn is_container(&self, id_or_name: &str) -> bool {
        let is_short_id = id_or_name.len() >= SHORT_ID && self.id.as_str().starts_with(id_or_name);
        is_short_id || self.id.as_str() == id_or_name || self.container == id_or_name
    }

    /// The containers, by id or name, without which it cannot run.
    pub fn lives_in(&self) -> impl Iterator<Item = &str> {
        self.network_of.iter().chain(&self.joined).map(String::as_str)
    }

    /// The services that it depends on, each with what it asks of it.
    pub fn dependencies(&self) -> BTreeMap<&str, &str> {
        let label = self.labels.get(DEPENDS_ON).map_or("", String::as_str);
        label
            .split(',')
            .filter_map(|entry| {
                let mut parts = entry.split(':');
                Some((parts.next().filter(|service| !service.is_empty())?, parts.next()?))
            })
            .collect()
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

/// Something of outside a container that it sees as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What it is.
    pub source: MountSource,
    /// Where the container sees it.
    pub at: String,
    /// The container may change it.
    pub writable: bool,
}

/// What a mount leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MountSource {
    /// A volume of the engine, by its name.
    Volume(String),
    /// A file or folder of the engine's host, by its path.
    Host(String),
    /// A device of the engine's host, by its path.
    Device(String),
    /// Memory: it is empty after a stop.
    Memory,
}

/// What was seen inside a container, by the engine or in its files.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// What runs in it; none if it does not run, or the engine cannot tell.
    pub processes: Option<Vec<CommandLine>>,
    /// The files that were looked for and lie where its data is mounted: `PG_VERSION`.
    pub files: BTreeSet<String>,
}
