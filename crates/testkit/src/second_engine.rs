//! A disposable second engine, for tests that need one without containers or that kill it. It lives
//! in a network namespace of its own: two engines in one would fight over the bridge `docker0`.
//! Needs root, like dockerd itself.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long dockerd may take to answer, or to end.
const LIMIT: Duration = Duration::from_mins(1);

/// A running engine with nothing in it.
pub struct SecondEngine {
    folder: tempfile::TempDir,
    namespace: String,
    dockerd: Child,
}

impl SecondEngine {
    /// Starts it and waits until it answers.
    pub fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sp-engine-").tempdir()?;
        let namespace = format!("sp-{}", std::process::id());
        run("ip", &["netns", "add", &namespace])?;
        // A host's own loopback is up; what the product forwards begins there.
        run("ip", &["-n", &namespace, "link", "set", "lo", "up"])?;
        let dockerd = dockerd(folder.path(), &namespace)?;
        let engine = Self {
            folder,
            namespace,
            dockerd,
        };
        engine.until("the second engine answers", || engine.docker(&["version"]).is_ok())?;
        Ok(engine)
    }

    /// Runs a test on it and stops it, whatever came of the test.
    pub fn examined(mut self, test: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let outcome = test(&mut self);
        let stopped = self.stop();
        outcome.and(stopped)
    }

    /// For `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }

    /// Makes a container of a Compose project; it is never started.
    pub fn container(&self, project: &str, service: &str, environment: &[&str]) -> Result<()> {
        self.labelled_container(project, service, environment, &[])
    }

    /// The same with labels of its own: `NAME=value`.
    pub fn labelled_container(
        &self,
        project: &str,
        service: &str,
        environment: &[&str],
        labels: &[&str],
    ) -> Result<()> {
        let empty = self.folder.path().join("empty.tar");
        run("tar", &["-c", "-T", "/dev/null", "-f", &empty.to_string_lossy()])?;
        let image = self.docker(&["import", &empty.to_string_lossy()])?;
        let of_compose = [
            format!("com.docker.compose.project={project}"),
            format!("com.docker.compose.service={service}"),
            "com.docker.compose.container-number=1".to_owned(),
        ];
        let labels = of_compose.iter().map(String::as_str).chain(labels.iter().copied());
        let labels: Vec<String> = labels.map(|label| format!("--label={label}")).collect();
        let environment: Vec<String> = environment.iter().map(|entry| format!("--env={entry}")).collect();
        let name = format!("--name={project}-{service}-1");
        let mut arguments = vec!["create", &name];
        arguments.extend(labels.iter().chain(&environment).map(String::as_str));
        arguments.extend([image.trim(), "nothing"]);
        self.docker(&arguments).map(drop)
    }

    /// `docker ARGUMENTS…` on this engine.
    pub fn docker(&self, arguments: &[&str]) -> Result<String> {
        output(Command::new("docker").arg("-H").arg(self.address()).args(arguments))
    }

    /// Copies images of the first engine, by their tags.
    pub fn take_images(&self, tags: &[String]) -> Result<()> {
        let mut save = Command::new("docker")
            .arg("save")
            .args(tags)
            .stdout(Stdio::piped())
            .spawn()?;
        let saved = save.stdout.take().context("standard output is piped")?;
        output(
            Command::new("docker")
                .arg("-H")
                .arg(self.address())
                .arg("load")
                .stdin(saved),
        )?;
        let ended = save.wait()?;
        if ended.success() {
            Ok(())
        } else {
            bail!("docker save: {ended}")
        }
    }

    /// What to put before a command that must reach this engine's containers.
    pub fn inside(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net=/run/netns/{}", self.namespace)]
    }

    /// Ends it with SIGKILL: containers go on without it until it is back.
    pub fn kill(&mut self) -> Result<()> {
        self.dockerd.kill().context("cannot kill dockerd")?;
        self.gone()
    }

    /// Ends it as an upgrade would: it stops its containers first.
    pub fn shut_down(&mut self) -> Result<()> {
        run("kill", &[&self.dockerd.id().to_string()])?;
        self.gone()
    }

    /// A new start is refused while its containerd lives.
    fn gone(&mut self) -> Result<()> {
        self.dockerd.wait().context("cannot wait for dockerd")?;
        let folder = self.folder.path().display().to_string();
        self.until("its containerd is gone", || {
            let alive = Command::new("pgrep")
                .args(["-f", &format!("containerd --config {folder}")])
                .output();
            alive.is_ok_and(|found| found.stdout.is_empty())
        })
    }

    /// Starts it again and waits until it answers.
    pub fn start_again(&mut self) -> Result<()> {
        // A containerd that nobody has waited for still bears its number: a new engine would take it
        // for a living one.
        let stale = self.folder.path().join("exec/containerd/containerd.pid");
        if stale.exists() {
            std::fs::remove_file(&stale)?;
        }
        self.dockerd = dockerd(self.folder.path(), &self.namespace)?;
        self.until("the second engine answers again", || self.docker(&["version"]).is_ok())
    }

    fn stop(&mut self) -> Result<()> {
        let left = self.docker(&["ps", "-aq"]).unwrap_or_default();
        let left: Vec<&str> = ["rm", "-f", "-v"].into_iter().chain(left.split_whitespace()).collect();
        if left.len() > 3 {
            self.docker(&left)?;
        }
        self.shut_down()?;
        let folder = self.folder.path().to_string_lossy().into_owned();
        let mounts = std::fs::read_to_string("/proc/mounts")?;
        for mount in mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(1))
            .filter(|at| at.starts_with(&folder))
        {
            run("umount", &["--lazy", mount])?;
        }
        run("ip", &["netns", "delete", &self.namespace])
    }

    fn until(&self, what: &str, there: impl Fn() -> bool) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            if there() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        bail!("{what}: not within {} s; its log:\n{log}", LIMIT.as_secs())
    }
}

fn dockerd(folder: &Path, namespace: &str) -> Result<Child> {
    let log = std::fs::File::create(folder.join("log"))?;
    let place = |name: &str| folder.join(name).to_string_lossy().into_owned();
    Command::new("nsenter")
        .arg(format!("--net=/run/netns/{namespace}"))
        .args([
            "dockerd",
            "--data-root",
            &place("data"),
            "--exec-root",
            &place("exec"),
            "--pidfile",
            &place("pid"),
        ])
        .args(["-H", &format!("unix://{}", place("docker.sock"))])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start a second dockerd")
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    output(Command::new(program).args(arguments)).map(drop)
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())
}
