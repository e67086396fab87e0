//! Which platform, by which engine, and where we keep what is ours on this host.

use std::path::PathBuf;

use stillpoint_core::names::Project;

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;

/// The owner's keys.
pub(super) const KEYS: [Key; 4] = [NAME, KEEP, DOCKER_HOST, STATE_DIR];

pub(super) const NAME: Key = Key {
    path: "platform.name",
    variable: "STILLPOINT_PLATFORM",
    flag: Some("--platform"),
    shape: Shape::Text,
    fallback: Fallback::Words("the only Compose project with a store"),
    about: "The Compose project to protect.",
};

const KEEP: Key = Key {
    path: "platform.keep",
    variable: "STILLPOINT_KEEP",
    flag: None,
    shape: Shape::List,
    fallback: Fallback::Words("none"),
    about: "More prefixes: services and containers whose names begin with one are never stopped.",
};

pub(super) const DOCKER_HOST: Key = Key {
    path: "engine.docker_host",
    variable: "DOCKER_HOST",
    flag: Some("--docker-host"),
    shape: Shape::Text,
    fallback: Fallback::Value("unix:///var/run/docker.sock"),
    about: "The container engine, as a URL.",
};

pub(super) const STATE_DIR: Key = Key {
    path: "engine.state_dir",
    variable: "STILLPOINT_STATE_DIR",
    flag: Some("--state-dir"),
    shape: Shape::Path,
    fallback: Fallback::Words("root: `/var/lib/stillpoint/state`; others: `$XDG_STATE_HOME/stillpoint/state`"),
    about: "The directory of locks and ledger.",
};

/// The platform and its engine.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    /// The platform that was asked for.
    pub(crate) name: Option<Project>,
    /// More prefixes of names that are never stopped.
    pub(crate) keep: Vec<String>,
    /// The engine's address.
    pub(crate) docker_host: String,
    /// The directory of locks and ledger.
    pub(crate) state_dir: PathBuf,
}

pub(super) fn read(settings: &Settings) -> Platform {
    Platform {
        name: settings.text(&NAME).map(Project::new),
        keep: settings.list(&KEEP),
        docker_host: settings.text_or_default(&DOCKER_HOST),
        state_dir: settings.text_or_default(&STATE_DIR).into(),
    }
}
