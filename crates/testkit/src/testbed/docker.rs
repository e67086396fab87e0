//! One way to run the `docker` program: with the testbed's own client configuration, a time limit, and an error that shows what was said.
//! Never takes over the terminal and never retries.

use std::io::{ErrorKind, Write};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::places;

/// The engine of this process's testbeds, if it is not the machine's.
static ENGINE: OnceLock<String> = OnceLock::new();

/// From now on every testbed of this process is on this engine. For a test that is a program of its own.
pub fn use_engine(address: &str) -> Result<()> {
    ENGINE
        .set(address.to_owned())
        .map_err(|_| anyhow!("this process uses another engine already"))
}

/// Enough for every call that moves no data.
const SHORT: Duration = Duration::from_mins(2);
/// For seeding at a large scale, for copies and for hashes of whole databases.
pub(super) const LONG: Duration = Duration::from_mins(30);

/// A call of `docker`, built up and run once.
pub(crate) struct Docker {
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
    input: Vec<u8>,
    limit: Duration,
}

impl Docker {
    /// `docker ARGS…`
    pub(crate) fn new<S: Into<String>>(args: impl IntoIterator<Item = S>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self {
            args,
            env: Vec::new(),
            input: Vec::new(),
            limit: SHORT,
        }
    }

    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Other arguments in the place of those that there are.
    pub(super) fn replace_args<'a>(&mut self, args: impl Iterator<Item = &'a str>) {
        self.args = args.map(str::to_owned).collect();
    }

    /// What the program reads from its standard input.
    pub(super) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Its standard output without the last line end; an error unless it exited 0.
    pub(crate) fn run(self) -> Result<String> {
        let output = self.output()?;
        if !output.status.success() {
            bail!("{}", self.complaint(&output));
        }
        let mut text = String::from_utf8(output.stdout).with_context(|| format!("{self}: output is no UTF-8"))?;
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
        Ok(text)
    }

    /// The same, whatever it exits with.
    pub(crate) fn output(&self) -> Result<Output> {
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {self}"))?;
        let mut stdin = child.stdin.take().context("standard input is piped")?;
        // Beside the reading: a program that talks while it listens would block both.
        std::thread::scope(|scope| {
            let writer = scope.spawn(move || stdin.write_all(&self.input));
            let output = child
                .wait_with_output()
                .with_context(|| format!("cannot read from {self}"))?;
            match writer.join() {
                // It ended before it had read all; its exit code says whether that is an error.
                Ok(Err(e)) if e.kind() != ErrorKind::BrokenPipe => {
                    Err(e).with_context(|| format!("cannot feed {self}"))
                }
                Ok(_) => Ok(output),
                Err(_) => bail!("feeding {self} panicked"),
            }
        })
    }

    /// coreutils' `timeout` ends it at the limit and then exits 124; `--foreground` leaves Ctrl-C to the terminal.
    fn command(&self) -> Command {
        let mut command = Command::new("timeout");
        command.args([
            "--foreground",
            "--kill-after=5",
            &self.limit.as_secs().to_string(),
            "docker",
        ]);
        self.prepare(&mut command);
        command
    }

    /// The call without a limit, for whoever ends it.
    pub(super) fn unlimited(&self) -> Command {
        let mut command = Command::new("docker");
        self.prepare(&mut command);
        command
    }

    fn prepare(&self, command: &mut Command) {
        command.args(&self.args).env("DOCKER_CONFIG", places::docker_config());
        command.envs(ENGINE.get().map(|address| ("DOCKER_HOST", address)));
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
    }

    fn complaint(&self, output: &Output) -> String {
        let stderr = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(124) => format!(
                "{self}: did not end within {} s; it said: {}",
                self.limit.as_secs(),
                stderr.trim()
            ),
            Some(code) => format!("{self}: exit code {code}: {}", stderr.trim()),
            None => format!("{self}: killed by a signal: {}", stderr.trim()),
        }
    }
}

impl std::fmt::Display for Docker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "docker {}", self.args.join(" "))
    }
}

/// The words of an output, one per line or between blanks.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_shows_what_was_asked_and_what_was_said() {
        let error = Docker::new(["no-such-verb", "x"]).run().unwrap_err().to_string();
        assert!(error.starts_with("docker no-such-verb x: exit code"), "{error}");
    }
}
