//! The bench of the Docker adapter's tests: containers of a tiny image on the engine of
//! `DOCKER_HOST`, handled through the `docker` command, which shares no code with the adapter.

pub(crate) mod image;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, bail};
use async_trait::async_trait;
use stillpoint_adapters::docker::Docker;
use stillpoint_core::names::{Project, WorkloadId};
use stillpoint_core::workload::State;
use stillpoint_testkit::conformance::bench::{Behaviour, Bench, Fixture, Subject};

/// On every container of a test, so that it can be cleared away.
const MARK: &str = "stillpoint.test";

static BENCHES: AtomicU32 = AtomicU32::new(0);

/// The adapter under test.
pub(crate) fn engine() -> anyhow::Result<Docker> {
    let host = std::env::var("DOCKER_HOST").ok();
    Ok(Docker::connect(host.as_deref())?)
}

/// Two connections of their own, as a port, and a bench beside them.
pub(crate) fn subject<P: ?Sized>(port: impl Fn(Docker) -> Arc<P>) -> anyhow::Result<Subject<P>> {
    Ok(Subject {
        port: port(engine()?),
        another: port(engine()?),
        bench: Box::new(DockerBench::new()?),
    })
}

/// Runs `docker` and returns what it printed.
pub(crate) fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("docker")
        .args(arguments)
        .output()
        .context("the docker command is needed for these tests")?;
    if !output.status.success() {
        bail!(
            "docker {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

async fn docker_aside(arguments: Vec<String>) -> anyhow::Result<String> {
    tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        docker(&arguments)
    })
    .await?
}

/// Containers of one test. They go when it does, however it ends.
pub(crate) struct DockerBench {
    platform: String,
    image: &'static str,
}

impl DockerBench {
    /// A bench with no container yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let number = BENCHES.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            platform: format!("sptest-{}-{number}", std::process::id()),
            image: image::busybox()?,
        })
    }

    /// A container with options of the test's own, before and after the image.
    pub(crate) fn run(&self, options: &[&str], command: &[&str]) -> anyhow::Result<WorkloadId> {
        let mark = format!("--label={MARK}={}", self.platform);
        let head = ["run", "--detach", &mark];
        let arguments: Vec<&str> = head
            .into_iter()
            .chain(options.iter().copied())
            .chain([self.image])
            .chain(command.iter().copied())
            .collect();
        Ok(WorkloadId::new(docker(&arguments)?))
    }

    fn arguments(&self, fixture: &Fixture) -> Vec<String> {
        let mut arguments = vec![
            if fixture.started { "run" } else { "create" }.to_owned(),
            format!("--label={MARK}={}", self.platform),
        ];
        if fixture.started {
            arguments.push("--detach".into());
        }
        if let Some((service, number)) = &fixture.service {
            let label = |name, value: &str| format!("--label=com.docker.compose.{name}={value}");
            arguments.push(label("project", &self.platform));
            arguments.push(label("service", service));
            arguments.push(label("container-number", &number.to_string()));
        }
        if !matches!(fixture.behaviour, Behaviour::Echoing(_)) {
            // Half the time of a start is the network's.
            arguments.push("--network=none".into());
        }
        if fixture.always_restart || matches!(fixture.behaviour, Behaviour::Looping) {
            arguments.push("--restart=always".into());
        }
        if fixture.auto_remove {
            arguments.push("--rm".into());
        }
        if let Some(healthy) = fixture.healthy {
            let check = ["--health-interval=100ms", "--health-retries=2"].map(ToOwned::to_owned);
            arguments.extend(check);
            arguments.push(format!("--health-cmd={}", if healthy { "true" } else { "false" }));
        }
        if let Some(grace) = fixture.stop_grace {
            arguments.push(format!("--stop-timeout={}", grace.as_secs()));
        }
        let environment = fixture.environment.iter();
        arguments.extend(environment.map(|(name, value)| format!("--env={name}={value}")));
        let script = script(fixture.behaviour);
        arguments.extend([self.image.to_owned(), "sh".into(), "-c".into(), script]);
        arguments
    }
}

fn script(behaviour: Behaviour) -> String {
    match behaviour {
        Behaviour::Obedient => "trap 'exit 0' TERM; while :; do sleep 9999 & wait $!; done".into(),
        Behaviour::Stubborn => "trap '' TERM; while :; do sleep 9999; done".into(),
        Behaviour::Ending(code) => format!("exit {code}"),
        Behaviour::Looping => "exit 1".into(),
        Behaviour::Echoing(port) => format!("trap 'exit 0' TERM; nc -ll -p {port} -e cat & wait"),
    }
}

#[async_trait]
impl Bench for DockerBench {
    fn platform(&self) -> Project {
        Project::new(&self.platform)
    }

    fn image(&self) -> String {
        self.image.to_owned()
    }

    async fn make(&self, fixture: &Fixture) -> anyhow::Result<WorkloadId> {
        let id = docker_aside(self.arguments(fixture)).await?;
        if fixture.started && matches!(fixture.behaviour, Behaviour::Ending(_)) {
            self.does("wait", &id).await?;
        }
        Ok(WorkloadId::new(id))
    }

    async fn start(&self, id: &WorkloadId) -> anyhow::Result<()> {
        self.does("start", id.as_str()).await
    }

    async fn pause(&self, id: &WorkloadId) -> anyhow::Result<()> {
        self.does("pause", id.as_str()).await
    }

    async fn kill(&self, id: &WorkloadId) -> anyhow::Result<()> {
        self.does("kill", id.as_str()).await?;
        self.does("wait", id.as_str()).await
    }

    async fn remove(&self, id: &WorkloadId) -> anyhow::Result<()> {
        docker_aside(
            ["rm", "--force", "--volumes", id.as_str()]
                .map(ToOwned::to_owned)
                .into(),
        )
        .await
        .map(drop)
    }

    async fn state(&self, id: &WorkloadId) -> anyhow::Result<State> {
        let format = ["inspect", "--format", "{{.State.Status}}", id.as_str()];
        match docker_aside(format.map(ToOwned::to_owned).into()).await?.as_str() {
            "created" => Ok(State::Created),
            "running" | "restarting" => Ok(State::Running),
            "paused" => Ok(State::Paused),
            "exited" | "dead" | "removing" => Ok(State::Exited),
            other => bail!("unknown state {other}"),
        }
    }

    async fn processes(&self, id: &WorkloadId) -> anyhow::Result<Vec<String>> {
        let listed = docker_aside(["top", id.as_str(), "-eo", "pid,args"].map(ToOwned::to_owned).into()).await?;
        Ok(listed.lines().skip(1).map(ToOwned::to_owned).collect())
    }
}

impl DockerBench {
    async fn does(&self, verb: &str, id: &str) -> anyhow::Result<()> {
        docker_aside(vec![verb.to_owned(), id.to_owned()]).await.map(drop)
    }
}

impl Drop for DockerBench {
    fn drop(&mut self) {
        let marked = format!("label={MARK}={}", self.platform);
        let claims = format!("name=^/?stillpoint-{}", self.platform);
        for filter in [marked, claims] {
            let left = docker(&["ps", "--all", "--quiet", "--filter", &filter]).unwrap_or_default();
            for id in left.lines() {
                // A container that stays is seen at once by its mark; failing twice helps nobody.
                drop(docker(&["rm", "--force", "--volumes", id]));
            }
        }
    }
}
