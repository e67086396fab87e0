//! Containers as `docker inspect` shows them: what a test compares before and after.

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::docker::{Docker, words};

/// One container of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerState {
    /// The Compose service.
    pub service: String,
    /// The full id.
    pub id: String,
    /// The name, without the engine's leading slash.
    pub name: String,
    /// What it does now.
    pub status: Status,
    /// What its health check says, where it has one.
    pub health: Option<Health>,
    /// As the engine writes it (RFC 3339, nanoseconds). Unchanged means that nobody started it since.
    pub started_at: String,
    /// As the engine writes it; of a container that runs, the end of its previous run.
    pub finished_at: String,
    /// `no`, `always`, `unless-stopped` or `on-failure`.
    pub restart_policy: String,
    /// Of its last run; 0 while it runs.
    pub exit_code: i64,
    /// How often its restart policy has started it.
    pub restart_count: u64,
}

/// What a container does; the engine's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words are the engine's and explain themselves")]
pub enum Status {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
}

/// What a health check says; the engine's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words are the engine's and explain themselves")]
pub enum Health {
    None,
    Starting,
    Healthy,
    Unhealthy,
}

/// All containers of a project, sorted by service.
pub(super) fn of_project(project: &str) -> Result<Vec<ContainerState>> {
    let ids = words(
        &Docker::new(["ps", "-aq", "--no-trunc", "--filter"])
            .args([project_filter(project)])
            .run()?,
    );
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    parse(&Docker::new(["inspect", "--type=container"]).args(ids).run()?)
}

/// The filter by which Compose itself finds its containers, volumes and networks.
pub(super) fn project_filter(project: &str) -> String {
    format!("label=com.docker.compose.project={project}")
}

/// Where a running container is reached from this host.
pub(crate) fn address(container: &str) -> Result<String> {
    let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let address = Docker::new(["inspect", "--format", template, container]).run()?;
    if address.is_empty() {
        bail!("{container} has no address: it does not run");
    }
    Ok(address)
}

fn parse(inspected: &str) -> Result<Vec<ContainerState>> {
    let raw: Vec<Inspected> = serde_json::from_str(inspected).context("docker inspect: unexpected form")?;
    let mut states: Vec<_> = raw.into_iter().map(ContainerState::from).collect();
    states.sort_by(|a, b| (&a.service, &a.name).cmp(&(&b.service, &b.name)));
    Ok(states)
}

impl From<Inspected> for ContainerState {
    fn from(raw: Inspected) -> Self {
        Self {
            service: raw.config.labels.service,
            id: raw.id,
            name: raw.name.trim_start_matches('/').to_owned(),
            status: raw.state.status,
            health: raw.state.health.map(|h| h.status),
            started_at: raw.state.started_at,
            finished_at: raw.state.finished_at,
            restart_policy: raw.host_config.restart_policy.name,
            exit_code: raw.state.exit_code,
            restart_count: raw.restart_count,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: String,
    restart_count: u64,
    state: State,
    config: Config,
    host_config: HostConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: Status,
    started_at: String,
    finished_at: String,
    exit_code: i64,
    health: Option<HealthState>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthState {
    status: Health,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Labels,
}

#[derive(Deserialize)]
struct Labels {
    #[serde(rename = "com.docker.compose.service", default)]
    service: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    restart_policy: RestartPolicy,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RestartPolicy {
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inspect_is_read() {
        let text = r#"[{"Id":"abc","Name":"/p-web-1","RestartCount":2,"State":{"Status":"paused","StartedAt":"2026-01-01T00:00:00.1Z",
            "FinishedAt":"0001-01-01T00:00:00Z","ExitCode":0,"Health":{"Status":"healthy","Log":[]}},
            "Config":{"Labels":{"com.docker.compose.service":"web","other":"x"}},"HostConfig":{"RestartPolicy":{"Name":"always","MaximumRetryCount":0}}}]"#;
        let state = parse(text).unwrap().remove(0);
        assert_eq!(
            (state.service.as_str(), state.name.as_str(), state.status),
            ("web", "p-web-1", Status::Paused)
        );
        assert_eq!(
            (state.health, state.restart_policy.as_str(), state.restart_count),
            (Some(Health::Healthy), "always", 2)
        );
    }
}
