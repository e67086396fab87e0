//! Ending a process in a container, with all that it started: the engine has no call for that, so a
//! second process is sent to signal the first. The engine makes each process that it puts into a
//! container the leader of a session of its own; whatever bears that session is ended with it.

use std::time::Duration;

use bollard::models::ExecConfig;
use futures::StreamExt;
use stillpoint_core::ports::EngineError;
use tokio::time::sleep;

use super::connect::LOOK_EVERY;
use super::running::Running;
use super::signal::{self, Which};
use crate::awake::timeout;

/// The port's promise.
const WITHIN: Duration = Duration::from_secs(10);

/// How long a polite signal is given to work: a tool may have to tell its server that it goes.
const POLITELY: Duration = Duration::from_secs(5);

/// Argument: a process. Exits 1 if it is there and no zombie.
const LIVES: &str = r#"{ read -r line <"/proc/$1/stat"; } 2>/dev/null || exit 0; set -- ${line##*) }; [ "$1" = Z ]"#;

/// How a process can be ended.
#[derive(Clone)]
pub(super) struct Target {
    /// The process that is to end.
    pub(super) running: Running,
    /// Its id, as seen inside the container.
    pub(super) pid: String,
    /// The user it began as: one may signal one's own even where root may not (`cap_drop: ALL`).
    pub(super) user: Option<String>,
}

impl Target {
    /// Ends it. A process that has ended by itself is left alone: its id may be another's by now.
    pub(super) async fn end(&self) -> Result<(), EngineError> {
        timeout(WITHIN, self.end_in_time())
            .await
            .unwrap_or_else(|_| Err(self.running.act("end").overdue(WITHIN)))
    }

    /// Whether it is at work in its container, whatever the engine knows of its end.
    pub(super) async fn lives(&self) -> Result<bool, EngineError> {
        let config = ExecConfig {
            cmd: Some(["sh", "-c", LIVES, "sh", &self.pid].map(ToOwned::to_owned).into()),
            user: self.user.clone(),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        Ok(self.run(config).await? == 1)
    }

    async fn end_in_time(&self) -> Result<(), EngineError> {
        match self.running.is_gone().await {
            Ok(false) => {}
            Ok(true) => return Ok(()),
            Err(forgotten) if forgotten.is_gone() => return self.look_for_forgotten().await,
            Err(error) => return Err(error),
        }
        let politely = async {
            while self.signal("TERM", self.user.as_deref()).await? || !self.running.is_gone().await? {
                sleep(LOOK_EVERY).await;
            }
            Ok::<(), EngineError>(())
        };
        if let Ok(failed @ Err(_)) = timeout(POLITELY, politely).await {
            return failed;
        }
        while !self.nothing_is_left().await? {
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Of a process that the engine has forgotten only the id is left. If that is in use it may be
    /// ours or another's: it is not touched, and not said to be gone either.
    async fn look_for_forgotten(&self) -> Result<(), EngineError> {
        if self.signal("0", self.user.as_deref()).await? {
            let message = format!("the engine no longer knows it, but process {} is there", self.pid);
            return Err(self.running.act("end").refused(message));
        }
        Ok(())
    }

    /// Kills what is still there; true once nothing is, and the engine knows it.
    async fn nothing_is_left(&self) -> Result<bool, EngineError> {
        let left = self.signal("KILL", self.user.as_deref()).await?;
        // A tool may have changed its user since it began.
        let left = left && self.signal("KILL", Some("0")).await?;
        Ok(!left && self.running.is_gone().await?)
    }

    /// Whether there was anything to signal.
    async fn signal(&self, signal: &str, user: Option<&str>) -> Result<bool, EngineError> {
        let config = ExecConfig {
            cmd: Some(signal::command(signal, &Which::Session(self.pid.clone()))),
            user: user.map(ToOwned::to_owned),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        match self.run(config).await {
            Ok(0) => Ok(false),
            Ok(1) => Ok(true),
            Ok(code) => Err(self.running.act("signal").refused(format!("exit code {code}"))),
            // With its container down, it is gone as well.
            Err(error) if self.running.container_is_up().await? => Err(error),
            Err(_) => Ok(false),
        }
    }

    async fn run(&self, config: ExecConfig) -> Result<i64, EngineError> {
        let signaller = self.running.beside(config).await?;
        let (mut frames, _input) = signaller.attach().await?;
        while let Some(frame) = frames.next().await {
            // It says nothing; only its end matters.
            drop(frame);
        }
        signaller.ended().await
    }
}
