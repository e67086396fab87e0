//! The engine's own account of what happened to containers, recorded while a test runs.
//! In the background and from before the first act: the engine itself remembers only its last 256 events.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use super::docker::Docker;

const LIMIT: Duration = Duration::from_secs(20);

/// One event of a container of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds since 1970, by the engine's clock.
    pub at: u64,
    /// `create`, `start`, `kill`, `die`, `stop`, `pause`, `unpause`, `destroy`, `exec_create`, … without the command of an exec.
    pub action: String,
    /// The command of an exec.
    pub command: String,
    /// The Compose service; empty for a container that Compose did not make.
    pub service: String,
    /// The container's id.
    pub id: String,
    /// The container's name.
    pub container: String,
    /// With `die`.
    pub exit_code: Option<i64>,
}

/// A running recorder. [`Events::stop`] ends it; one that is dropped leaves a `docker events` behind, which ends at the next event.
pub struct Events {
    child: Child,
    lines: Receiver<String>,
    reader: JoinHandle<()>,
    project: String,
    seen: Vec<Event>,
}

impl Events {
    /// Begins to record; when it returns, every later event is in.
    pub(super) fn start(project: &str) -> Result<Self> {
        // From now on, by the engine's memory: what happens while the stream is being opened is in it too.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("the clock is before 1970")?;
        let since = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
        let mut child = Docker::new(["events", "--since", &since, "--format", "{{json .}}"])
            .unlimited()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run docker events")?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let (send, lines) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let mut events = Self {
            child,
            lines,
            reader,
            project: project.to_owned(),
            seen: Vec::new(),
        };
        events.synchronise()?;
        Ok(events)
    }

    /// All events from the start until now.
    pub fn so_far(&mut self) -> Result<&[Event]> {
        self.synchronise()?;
        Ok(&self.seen)
    }

    /// All events from the start until now; ends the recorder.
    pub fn stop(mut self) -> Result<Vec<Event>> {
        let outcome = self.synchronise();
        self.child.kill().context("cannot end docker events")?;
        self.child.wait().context("cannot wait for docker events")?;
        self.reader
            .join()
            .map_err(|_| anyhow!("the reader of docker events panicked"))?;
        outcome.map(|()| self.seen)
    }

    /// Makes an event of our own and reads until it comes: all before it has then come too.
    fn synchronise(&mut self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            let mark = Docker::new(["volume", "create", "--label", "stillpoint.testbed.mark"]).run()?;
            Docker::new(["volume", "rm", &mark]).run()?;
            if self.read_until(&mark)? {
                return Ok(());
            }
        }
        bail!(
            "docker events did not report a volume of our own within {} s",
            LIMIT.as_secs()
        )
    }

    fn read_until(&mut self, mark: &str) -> Result<bool> {
        loop {
            match self.lines.recv_timeout(Duration::from_millis(500)) {
                Ok(line) => {
                    let raw: Raw = serde_json::from_str(&line).with_context(|| format!("no event: {line}"))?;
                    if raw.kind == "volume" && raw.action == "destroy" && raw.actor.id == mark {
                        return Ok(true);
                    }
                    self.seen.extend(raw.of_project(&self.project));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => return Ok(false),
                Err(mpsc::RecvTimeoutError::Disconnected) => bail!("docker events ended by itself"),
            }
        }
    }
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Action")]
    action: String,
    #[serde(rename = "Actor")]
    actor: Actor,
    #[serde(rename = "timeNano")]
    at: u64,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Attributes", default)]
    attributes: std::collections::BTreeMap<String, String>,
}

impl Raw {
    /// The product's claim carries no Compose labels: it is known by its name.
    fn of_project(self, project: &str) -> Option<Event> {
        let attribute = |key: &str| self.actor.attributes.get(key).cloned().unwrap_or_default();
        let container = attribute("name");
        let ours = attribute("com.docker.compose.project") == project || container == format!("stillpoint-{project}");
        (self.kind == "container" && ours).then(|| Event {
            at: self.at,
            action: self.action.split(':').next().unwrap_or_default().to_owned(),
            command: self
                .action
                .split_once(": ")
                .map_or_else(String::new, |(_, command)| command.to_owned()),
            service: attribute("com.docker.compose.service"),
            exit_code: attribute("exitCode").parse().ok(),
            id: self.actor.id.clone(),
            container,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Event> {
        serde_json::from_str::<Raw>(line).unwrap().of_project("sp-x")
    }

    #[test]
    fn a_containers_event_is_read() {
        let line = r#"{"status":"die","id":"c1","Type":"container","Action":"die","Actor":{"ID":"c1","Attributes":{"exitCode":"137",
            "name":"sp-x-web-1","com.docker.compose.project":"sp-x","com.docker.compose.service":"web"}},"scope":"local","time":1,"timeNano":1000000002}"#;
        let event = read(line).unwrap();
        assert_eq!(
            (event.action.as_str(), event.service.as_str(), event.exit_code, event.at),
            ("die", "web", Some(137), 1_000_000_002)
        );
    }

    #[test]
    fn other_projects_and_other_kinds_are_left_out() {
        let other = r#"{"Type":"container","Action":"start","Actor":{"ID":"c","Attributes":{"name":"sp-y-web-1","com.docker.compose.project":"sp-y"}},"timeNano":1}"#;
        let volume = r#"{"Type":"volume","Action":"create","Actor":{"ID":"sp-x_data","Attributes":{"driver":"local"}},"timeNano":1}"#;
        assert_eq!((read(other), read(volume)), (None, None));
    }

    #[test]
    fn an_execs_command_stands_apart() {
        let exec = r#"{"Type":"container","Action":"exec_create: sh -c ls","Actor":{"ID":"c","Attributes":{"name":"n","com.docker.compose.project":"sp-x"}},"timeNano":1}"#;
        let event = read(exec).unwrap();
        assert_eq!(
            (event.action.as_str(), event.command.as_str()),
            ("exec_create", "sh -c ls")
        );
    }
}
