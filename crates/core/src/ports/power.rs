//! The power to stop and start production containers, and the claim that says who does so.
//! Held by `engine::standstill` alone: no store is ever handed one.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::EngineError;
pub use super::job::Job;
use crate::command_line::quoted;
use crate::logins::Passwords;
use crate::names::{Address, BackupId, Project, RunId, WorkloadId};
use crate::selection::Selection;
use crate::workload::{RestartPolicy, State};

/// How a stop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// By itself, within its grace.
    Cleanly,
    /// The engine killed it when its grace was over: whatever it held in memory is lost.
    Killed,
}

/// Stopping and starting. Every method may be repeated: what is already so is a success.
#[async_trait]
pub trait Power: Send + Sync {
    /// Asks the workload to stop, kills it after `grace`, and returns when its process is gone.
    async fn stop(&self, id: &WorkloadId, grace: Duration) -> Result<Stopped, EngineError>;

    /// Starts the workload, or thaws it, and returns when its process runs, not when it is ready.
    async fn start(&self, id: &WorkloadId) -> Result<(), EngineError>;

    /// Freezes a running workload.
    async fn pause(&self, id: &WorkloadId) -> Result<(), EngineError>;

    /// Sets what the engine does when the workload ends, or when the engine itself starts.
    async fn set_restart(&self, id: &WorkloadId, policy: &RestartPolicy) -> Result<(), EngineError>;

    /// Takes the platform for one run, atomically: of two callers exactly one succeeds. The intent
    /// is kept by the engine itself, so it outlives this process, this host's reboot and our own
    /// files, and is visible to every other process that talks to the same engine.
    ///
    /// `image` is one that the engine already has. Returns the holder's intent if there is one.
    async fn claim(&self, intent: &Intent, image: &str) -> Result<Claim, EngineError>;

    /// The intent of whoever holds the platform.
    async fn claimed(&self, platform: &Project) -> Result<Option<Intent>, EngineError>;

    /// The platforms that somebody holds. Needs no container of theirs to be there.
    async fn held(&self) -> Result<Vec<Project>, EngineError>;

    /// Gives the platform free. A success also when nobody held it.
    async fn release(&self, platform: &Project) -> Result<(), EngineError>;
}

/// The outcome of a claim.
#[derive(Debug)]
pub enum Claim {
    /// The platform is ours until released.
    Ours,
    /// Somebody else's run holds it.
    Held(Box<Intent>),
}

/// What a run is about to do to a platform: enough to bring it back without us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The platform.
    pub platform: Project,
    /// The run that holds it.
    pub run: RunId,
    /// What the run is.
    pub job: Job,
    /// The backup that is written or restored.
    pub backup: BackupId,
    /// The holder's host: on another one, no lock tells whether it lives.
    pub host: String,
    /// The holder's process on that host, for people.
    pub process: u32,
    /// Since when.
    pub since: Timestamp,
    /// What ran or was paused, and is to be so again.
    pub workloads: Vec<RecordedWorkload>,
    /// A restore that keeps no way back: what it replaces is copied nowhere, and freed at its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_way_back: bool,
    /// What a restore does about passwords: whoever goes on with it does the same.
    #[serde(default, skip_serializing_if = "Passwords::is_default")]
    pub passwords: Passwords,
    /// What of the backup a restore was told to restore, and into what.
    #[serde(default, skip_serializing_if = "Selection::is_default")]
    pub selection: Selection,
    /// The platform whose repository it is that the run writes its copies into, where it is not the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_of: Option<Project>,
}

impl Intent {
    /// What the run is, in words.
    pub fn described(&self) -> String {
        (self.job.declaration().described)(self.backup)
    }

    /// Whether a repository of this owner is one that the run may have written into.
    pub fn may_write_into(&self, owner: &Project) -> bool {
        *owner == self.platform || self.guest_of.as_ref() == Some(owner)
    }
}

/// A workload as it was before the run touched it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedWorkload {
    /// Where it stands: finds it again after a recreation.
    pub address: Address,
    /// The container.
    pub id: WorkloadId,
    /// What it did.
    pub state: State,
    /// Its last start.
    pub started_at: Option<Timestamp>,
    /// What the engine did when it ended. A restore sets it to `no`, so that what it stopped stays
    /// down across a reboot.
    pub restart: RestartPolicy,
    /// Its health check passed.
    pub healthy: bool,
    /// The run means to stop it, with this grace in seconds; none for what is left alone.
    pub grace: Option<u64>,
    /// This run works on it: its tools may run there. Older versions called it `alone`.
    #[serde(alias = "alone")]
    pub worked_on: bool,
    /// How often its restart policy had revived it; unknown in what older versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_count: Option<u64>,
    /// How to make it again, once somebody has removed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compose: Option<Compose>,
}

/// Where a Compose project is described, as the labels of its containers say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compose {
    /// The project's directory.
    pub directory: String,
    /// Its files.
    pub files: Vec<String>,
    /// Its files of variables, if others than `.env` were named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
}

impl Compose {
    /// What the labels say; none if they do not say it.
    pub fn of(labels: &BTreeMap<String, String>) -> Option<Self> {
        let label = |name: &str| labels.get(&format!("com.docker.compose.project.{name}"));
        let list = |name: &str| -> Vec<String> {
            let names = label(name).into_iter().flat_map(|names| names.split(','));
            names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        Some(Self {
            directory: label("working_dir").filter(|text| !text.is_empty())?.clone(),
            files: list("config_files"),
            variables: list("environment_file"),
        })
    }

    /// The command that makes a service's containers again and starts them.
    pub fn up(&self, address: &Address) -> String {
        let mut words = vec!["docker", "compose", "--project-directory", &self.directory];
        words.extend(["--project-name", address.project.as_str()]);
        for file in &self.files {
            words.extend(["-f", file]);
        }
        for file in &self.variables {
            words.extend(["--env-file", file]);
        }
        words.extend(["up", "-d", &address.service]);
        let quoted: Vec<String> = words.into_iter().map(quoted).collect();
        quoted.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_older_versions_wrote_is_still_read() -> Result<(), serde_json::Error> {
        let old = r#"{"address":{"project":"acme","service":"db","number":1},"id":"0a","state":"running",
            "started_at":null,"restart":{"name":"always","retries":0},"healthy":true,"grace":120,"alone":true}"#;
        let read: RecordedWorkload = serde_json::from_str(old)?;
        assert!(read.worked_on);
        assert_eq!((read.restart_count, read.compose), (None, None));
        Ok(())
    }

    #[test]
    fn the_way_back_of_a_removed_container_stands_in_its_labels() {
        let address = Address {
            project: Project::new("acme"),
            service: "web".into(),
            number: 2,
        };
        let labels = [
            ("com.docker.compose.project.working_dir", "/srv/my apps"),
            ("com.docker.compose.project.config_files", "/srv/a.yaml,/srv/b.yaml"),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let compose = Compose::of(&labels);
        assert_eq!(
            compose.map(|compose| compose.up(&address)).as_deref(),
            Some(
                "docker compose --project-directory '/srv/my apps' --project-name acme -f /srv/a.yaml -f /srv/b.yaml \
                 up -d web"
            )
        );
        assert_eq!(Compose::of(&BTreeMap::new()), None);
    }
}
