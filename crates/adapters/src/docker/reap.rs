//! Ending what a dead run left running in a container. Its processes are found by their environment:
//! whoever knew their ids is gone.

use std::time::Duration;

use bollard::models::ExecConfig;
use futures::StreamExt;
use stillpoint_core::names::{RunId, WorkloadId};
use stillpoint_core::ports::EngineError;
use stillpoint_core::ports::shell::RUN_VARIABLE;
use tokio::time::{Instant, sleep};

use super::connect::{Docker, LOOK_EVERY};
use super::running::{Running, act_on};
use super::signal::{self, Which};
use crate::awake::timeout;

/// The port's promise.
const WITHIN: Duration = Duration::from_secs(10);

/// The engine's answers where the image has no shell (126 or 127, by its version): nothing of ours runs there,
/// for all of it is started by one.
const NO_SHELL: [i64; 2] = [126, 127];

/// How long a polite signal is given to work.
const POLITELY: Duration = Duration::from_secs(5);

impl Docker {
    /// Ends them all; a container that is down has none.
    pub(super) async fn reap_run(&self, workload: &WorkloadId, run: &RunId) -> Result<(), EngineError> {
        let overdue = || Err(act_on(workload, "end", "what a dead run left").overdue(WITHIN));
        timeout(WITHIN, self.reap_in_time(workload, run))
            .await
            .unwrap_or_else(|_| overdue())
    }

    async fn reap_in_time(&self, workload: &WorkloadId, run: &RunId) -> Result<(), EngineError> {
        let began = Instant::now();
        while self.is_up(workload).await? {
            let signal = if began.elapsed() < POLITELY { "TERM" } else { "KILL" };
            if !self.signal_run(workload, run, signal).await? {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn is_up(&self, workload: &WorkloadId) -> Result<bool, EngineError> {
        match self.state(workload.as_str()).await {
            Ok(state) => Ok(state.is_up()),
            Err(error) if error.is_gone() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether there was anything to signal.
    async fn signal_run(&self, workload: &WorkloadId, run: &RunId, signal: &str) -> Result<bool, EngineError> {
        let entry = format!("{RUN_VARIABLE}={run}");
        let config = ExecConfig {
            cmd: Some(signal::command(signal, &Which::Environment(entry))),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let signaller = Running::prepare(self, workload, "sh", config).await?;
        let (mut frames, _input) = signaller.attach().await?;
        while let Some(frame) = frames.next().await {
            // It says nothing; only its end matters.
            drop(frame);
        }
        match signaller.ended().await? {
            0 => Ok(false),
            1 => Ok(true),
            code if NO_SHELL.contains(&code) => Ok(false),
            code => Err(signaller.act("search").refused(format!("exit code {code}"))),
        }
    }
}
