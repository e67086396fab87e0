//! From the engine's description of a container to a [`Workload`]. Pure; guesses nothing: what the
//! engine leaves out stays unknown, what it garbles is an error.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bollard::models::{
    ContainerConfig, ContainerInspectResponse, ContainerState, ContainerStateStatusEnum as Status, HealthConfig,
    HealthStatusEnum, HostConfig, MountPoint, NetworkSettings, RestartPolicy as EnginePolicy,
};
use jiff::Timestamp;
use stillpoint_core::names::{Address, Project, WorkloadId};
use stillpoint_core::ports::EngineError;
use stillpoint_core::workload::{
    CommandLine, Contents, Environment, Health, Mount, MountSource, RestartPolicy, State, Workload,
};

use super::errors::Act;

/// Compose writes these on every container that it makes.
pub(super) const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const ONE_OFF: &str = "com.docker.compose.oneoff";
const NUMBER: &str = "com.docker.compose.container-number";

/// What the engine takes for a health check that does not say it: between two tries, and for one.
const DEFAULT_SPAN: Duration = Duration::from_secs(30);
const DEFAULT_TRIES: u32 = 3;

/// What it takes for the interval within a start period.
const DEFAULT_START_INTERVAL: Duration = Duration::from_secs(5);

/// What the engine writes for "never".
const NEVER: &str = "0001-01-01T00:00:00Z";

/// A workload; none if the container belongs to no Compose service.
pub(super) fn workload(act: &Act, found: ContainerInspectResponse) -> Result<Option<Workload>, EngineError> {
    let state = found.state.unwrap_or_default();
    let config = found.config.unwrap_or_default();
    let labels = config.labels.clone().unwrap_or_default();
    let container = found.name.unwrap_or_default().trim_start_matches('/').to_owned();
    let Some(address) = address(&labels, &container) else {
        return Ok(None);
    };
    Ok(Some(Workload {
        address,
        id: WorkloadId::new(found.id.unwrap_or_default()),
        container,
        image_id: found.image.unwrap_or_default(),
        state: state_of(&state),
        started_at: moment(act, state.started_at.as_deref())?,
        health: health(&state),
        restart: restart(found.host_config.as_ref()),
        restart_count: count(found.restart_count),
        exit_code: exit_code(act, &state)?,
        stop_grace: stop_grace(&config),
        network_of: network_of(found.host_config.as_ref()),
        aliases: found.network_settings.map(aliases).unwrap_or_default(),
        joined: joined(found.host_config.as_ref()),
        health_takes: config.healthcheck.as_ref().and_then(health_takes),
        health_first: config.healthcheck.as_ref().and_then(health_first),
        ports: ports(&config),
        mounts: mounts(found.mounts.unwrap_or_default(), found.host_config.as_ref()),
        contents: Contents::default(),
        auto_remove: found.host_config.and_then(|host| host.auto_remove).unwrap_or_default(),
        image: config.image.unwrap_or_default(),
        labels: labels.into_iter().collect(),
        environment: Environment::parse(config.env.unwrap_or_default()),
        command: CommandLine::new(found.path.into_iter().chain(found.args.unwrap_or_default())),
    }))
}

/// Where it stands. A one-off (`docker compose run`) bears the service and the number of a replica
/// that it is not: it is addressed by its container's name.
fn address(labels: &HashMap<String, String>, container: &str) -> Option<Address> {
    let label = |name| labels.get(name).filter(|value| !value.is_empty());
    let service = label(SERVICE)?;
    let one_off = label(ONE_OFF).is_some_and(|one_off| one_off.eq_ignore_ascii_case("true"));
    Some(Address {
        project: Project::new(label(PROJECT)?),
        service: if one_off { container.to_owned() } else { service.clone() },
        number: label(NUMBER).and_then(|number| number.parse().ok()).unwrap_or(1),
    })
}

/// The engine's default is to start nothing.
fn restart(host: Option<&HostConfig>) -> RestartPolicy {
    let policy = host.and_then(|host| host.restart_policy.as_ref());
    let name = policy.and_then(|policy| policy.name).map(|name| name.to_string());
    RestartPolicy {
        name: name.filter(|name| !name.is_empty()).unwrap_or_else(|| "no".to_owned()),
        retries: policy.and_then(|policy| policy.maximum_retry_count).unwrap_or_default(),
    }
}

/// The container whose network it uses: `container:<id>`, which is what Compose makes of `service:<name>`.
fn network_of(host: Option<&HostConfig>) -> Option<String> {
    let mode = host?.network_mode.as_deref()?;
    mode.strip_prefix("container:").map(ToOwned::to_owned)
}

/// What it is called in its networks, once each: Compose names the service there, too.
fn aliases(settings: NetworkSettings) -> Vec<String> {
    let networks = settings.networks.unwrap_or_default().into_values();
    let aliases: BTreeSet<String> = networks
        .flat_map(|network| network.aliases.unwrap_or_default())
        .collect();
    aliases.into_iter().collect()
}

/// The containers whose processes or memory it shares.
fn joined(host: Option<&HostConfig>) -> Vec<String> {
    let modes = host.map(|host| [host.pid_mode.as_deref(), host.ipc_mode.as_deref()]);
    let modes = modes.into_iter().flatten().flatten();
    modes
        .filter_map(|mode| mode.strip_prefix("container:"))
        .map(ToOwned::to_owned)
        .collect()
}

/// The ports as the engine writes them: `5432/tcp`.
fn ports(config: &ContainerConfig) -> BTreeSet<u16> {
    let declared = config.exposed_ports.iter().flatten();
    declared
        .filter_map(|port| port.strip_suffix("/tcp")?.parse().ok())
        .collect()
}

/// What is mounted, and the devices that are passed on.
fn mounts(points: Vec<MountPoint>, host: Option<&HostConfig>) -> Vec<Mount> {
    let mounted = points.into_iter().filter_map(|point| {
        let source = match point.typ?.as_str() {
            "volume" => MountSource::Volume(point.name?),
            "bind" => MountSource::Host(point.source?),
            "tmpfs" => MountSource::Memory,
            _ => return None,
        };
        Some(Mount {
            source,
            at: point.destination?,
            writable: point.rw.unwrap_or(true),
        })
    });
    let in_memory = host.and_then(|host| host.tmpfs.as_ref());
    let in_memory = in_memory.into_iter().flatten().map(|(at, _)| Mount {
        source: MountSource::Memory,
        at: at.clone(),
        writable: true,
    });
    let devices = host.and_then(|host| host.devices.as_ref()).into_iter().flatten();
    let devices = devices.filter_map(|device| {
        Some(Mount {
            source: MountSource::Device(device.path_on_host.clone()?),
            at: device.path_in_container.clone().unwrap_or_default(),
            writable: true,
        })
    });
    let mut mounts: Vec<Mount> = mounted.chain(in_memory).chain(devices).collect();
    mounts.sort_by(|a, b| a.at.cmp(&b.at));
    mounts
}

/// How long a health check has from a start until its verdict must be there: its start period and all its tries. 0 is
/// the engine's own default: 30 s between checks, 30 s for one, 3 tries.
fn health_takes(check: &HealthConfig) -> Option<Duration> {
    let one = span(is_made(check)?.interval, DEFAULT_SPAN).saturating_add(span(check.timeout, DEFAULT_SPAN));
    let retries = check.retries.and_then(|retries| u32::try_from(retries).ok());
    let tries = retries.filter(|retries| *retries > 0).unwrap_or(DEFAULT_TRIES);
    let begins = span(check.start_period, Duration::ZERO);
    Some(begins.saturating_add(one.saturating_mul(tries)))
}

/// When its first check comes: after one interval, or, within a start period, after one of those that count there. Engines
/// before 25 know none of those: of a check with a start period this says too little there, never too much.
fn health_first(check: &HealthConfig) -> Option<Duration> {
    let interval = span(is_made(check)?.interval, DEFAULT_SPAN);
    if span(check.start_period, Duration::ZERO).is_zero() {
        return Some(interval);
    }
    Some(span(check.start_interval, DEFAULT_START_INTERVAL).min(interval))
}

/// The check, unless it is switched off.
fn is_made(check: &HealthConfig) -> Option<&HealthConfig> {
    let test = check.test.as_ref()?;
    test.first().filter(|first| *first != "NONE").map(|_| check)
}

/// What the engine writes in nanoseconds; 0 is its own default.
fn span(nanos: Option<i64>, default: Duration) -> Duration {
    let nanos = nanos
        .and_then(|nanos| u64::try_from(nanos).ok())
        .filter(|nanos| *nanos > 0);
    nanos.map_or(default, Duration::from_nanos)
}

/// A policy in the engine's words; one that the engine does not know is none.
pub(super) fn to_engine(policy: &RestartPolicy) -> EnginePolicy {
    EnginePolicy {
        name: policy.name.parse().ok(),
        maximum_retry_count: Some(policy.retries),
    }
}

/// What the container does. One between two automatic restarts counts as running, one that is
/// being removed as ended.
pub(super) fn state_of(state: &ContainerState) -> State {
    match state.status {
        Some(Status::CREATED) => State::Created,
        Some(Status::PAUSED) => State::Paused,
        Some(Status::RUNNING | Status::RESTARTING | Status::STOPPING) => State::Running,
        None | Some(Status::EMPTY) if state.paused == Some(true) => State::Paused,
        None | Some(Status::EMPTY) if state.running == Some(true) => State::Running,
        Some(Status::EXITED | Status::DEAD | Status::REMOVING | Status::EMPTY) | None => State::Exited,
    }
}

pub(super) fn moment(act: &Act, text: Option<&str>) -> Result<Option<Timestamp>, EngineError> {
    match text {
        None | Some("" | NEVER) => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|error| act.cut(format!("`{text}` is not a time: {error}"))),
    }
}

fn health(state: &ContainerState) -> Option<Health> {
    match state.health.as_ref()?.status? {
        HealthStatusEnum::STARTING => Some(Health::Starting),
        HealthStatusEnum::HEALTHY => Some(Health::Healthy),
        HealthStatusEnum::UNHEALTHY => Some(Health::Unhealthy),
        HealthStatusEnum::NONE | HealthStatusEnum::EMPTY => None,
    }
}

/// While a container runs, and before it first ends, the engine says 0 and means nothing by it.
fn exit_code(act: &Act, state: &ContainerState) -> Result<Option<i64>, EngineError> {
    let has_ended = moment(act, state.finished_at.as_deref())?.is_some();
    let runs = matches!(state_of(state), State::Running | State::Paused) && state.status != Some(Status::RESTARTING);
    Ok(state.exit_code.filter(|_| has_ended && !runs))
}

/// Negative means "for ever" to the engine, which no caller can plan with.
fn stop_grace(config: &ContainerConfig) -> Option<Duration> {
    let seconds = u64::try_from(config.stop_timeout?).ok()?;
    Some(Duration::from_secs(seconds))
}

fn count(restarts: Option<i64>) -> u64 {
    restarts.and_then(|count| u64::try_from(count).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(state: &serde_json::Value) -> Workload {
        let found = json!({
            "Id": "77", "Name": "/hub-db-1", "Image": "sha256:0a", "RestartCount": 3, "State": state,
            "HostConfig": {"AutoRemove": true}, "Path": "docker-entrypoint.sh", "Args": ["postgres", "-c", "a=b"],
            "Config": {
                "Image": "postgres:17", "Env": ["A=1", "PASSWORD=a=b"], "StopTimeout": 60,
                "Labels": {
                    "com.docker.compose.project": "hub",
                    "com.docker.compose.service": "db",
                    "com.docker.compose.container-number": "2",
                },
            },
        });
        let found = serde_json::from_value(found).unwrap();
        workload(&Act::on("describe", "77"), found).unwrap().unwrap()
    }

    #[test]
    fn every_field_is_taken_over() {
        let workload = read(&json!({
            "Status": "running", "ExitCode": 0, "StartedAt": "2026-02-17T01:02:03.456789012Z",
            "FinishedAt": "2026-02-16T01:02:03Z", "Health": {"Status": "healthy"},
        }));
        assert_eq!(workload.address.project.as_str(), "hub");
        assert_eq!(workload.address.to_string(), "db#2");
        assert_eq!((workload.id.as_str(), workload.container.as_str()), ("77", "hub-db-1"));
        assert_eq!(
            (workload.image.as_str(), workload.image_id.as_str()),
            ("postgres:17", "sha256:0a")
        );
        assert_eq!(workload.state, State::Running);
        assert_eq!(
            workload.started_at.unwrap().to_string(),
            "2026-02-17T01:02:03.456789012Z"
        );
        assert_eq!(workload.health, Some(Health::Healthy));
        assert_eq!((workload.restart_count, workload.exit_code), (3, None));
        assert_eq!(workload.stop_grace, Some(Duration::from_mins(1)));
        assert!(workload.auto_remove);
        assert!(workload.environment.get("PASSWORD").is_some());
        let command: Vec<&str> = workload.command.words().collect();
        assert_eq!(command, ["docker-entrypoint.sh", "postgres", "-c", "a=b"]);
        assert_eq!(workload.labels.len(), 3);
    }

    #[test]
    fn states_are_told_apart() {
        for (status, state, exit_code) in [
            ("created", State::Created, None),
            ("running", State::Running, None),
            ("paused", State::Paused, None),
            ("restarting", State::Running, Some(3)),
            ("exited", State::Exited, Some(3)),
            ("dead", State::Exited, Some(3)),
            ("removing", State::Exited, Some(3)),
        ] {
            let finished = if status == "created" {
                NEVER
            } else {
                "2026-02-16T01:02:03Z"
            };
            let workload = read(&json!({"Status": status, "ExitCode": 3, "FinishedAt": finished}));
            assert_eq!((workload.state, workload.exit_code), (state, exit_code), "{status}");
        }
    }

    #[test]
    fn never_is_no_moment() {
        let workload = read(&json!({"Status": "created", "StartedAt": NEVER, "FinishedAt": NEVER}));
        assert_eq!(workload.started_at, None);
    }

    #[test]
    fn a_garbled_start_is_an_error_and_not_an_unchanged_one() {
        let act = Act::on("describe", "77");
        assert!(moment(&act, Some("yesterday")).is_err());
    }

    #[test]
    fn the_first_check_comes_after_an_interval_or_sooner_within_a_start_period() {
        let first = |check: serde_json::Value| health_first(&serde_json::from_value(check).unwrap());
        let seconds = |count: u64| Some(Duration::from_secs(count));
        let nanos = |count: i64| count * 1_000_000_000;
        assert_eq!(first(json!({"Test": ["CMD", "true"]})), seconds(30));
        assert_eq!(
            first(json!({"Test": ["CMD", "true"], "Interval": nanos(120)})),
            seconds(120)
        );
        let begins = json!({"Test": ["CMD", "true"], "Interval": nanos(120), "StartPeriod": nanos(60)});
        assert_eq!(first(begins), seconds(5));
        let own = json!({"Test": ["CMD", "true"], "StartPeriod": nanos(60), "StartInterval": nanos(1)});
        assert_eq!(first(own), seconds(1));
        assert_eq!(first(json!({"Test": ["NONE"], "Interval": nanos(120)})), None);
    }

    #[test]
    fn without_a_service_it_is_no_workload() {
        let labels = HashMap::from([
            (PROJECT.to_owned(), "hub".to_owned()),
            (SERVICE.to_owned(), String::new()),
        ]);
        assert!(address(&labels, "app").is_none());
    }
}
