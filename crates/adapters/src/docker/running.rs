//! A process in a container, as the engine knows it: whether it runs, and how it ended. An answer
//! that the engine cannot give is an error here, never a success.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::EngineError;
use tokio::io::AsyncWrite;
use tokio::time::sleep;

use super::connect::{Docker, LOOK_EVERY, SHORT};
use super::errors::{Act, container_called};
use super::output::Frames;
use crate::awake::timeout;

/// How long the engine may take to notice an end after the stream's: two reports that race, on a
/// loaded machine by seconds.
const END_NOTICED: Duration = Duration::from_secs(10);

/// How long it usually takes, and more.
const USUALLY_NOTICED: Duration = Duration::from_millis(500);

/// A process's input, as the engine's client gives it.
pub(super) type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// A process of a container, by the engine's own id of it.
#[derive(Clone)]
pub(super) struct Running {
    docker: Docker,
    workload: WorkloadId,
    program: String,
    exec: String,
    /// How it ended, once that is known: the engine forgets within minutes.
    end: Arc<OnceLock<Result<i64, EngineError>>>,
}

impl Running {
    /// Prepares a process; nothing runs before [`Running::attach`].
    pub(super) async fn prepare(
        docker: &Docker,
        workload: &WorkloadId,
        program: &str,
        config: ExecConfig,
    ) -> Result<Self, EngineError> {
        let mut prepared = Self {
            docker: docker.clone(),
            workload: workload.clone(),
            program: program.to_owned(),
            exec: String::new(),
            end: Arc::default(),
        };
        let created = docker.client().create_exec(workload.as_str(), config);
        prepared.exec = docker.call(&prepared.act("run"), SHORT, created).await?.id;
        Ok(prepared)
    }

    /// Prepares another process in the same container.
    pub(super) async fn beside(&self, config: ExecConfig) -> Result<Self, EngineError> {
        Self::prepare(&self.docker, &self.workload, &self.program, config).await
    }

    /// Lets it run, and takes its streams.
    pub(super) async fn attach(&self) -> Result<(Frames, Input), EngineError> {
        let act = self.act("run");
        let options = StartExecOptions::default();
        let started = self.docker.client().start_exec(&self.exec, Some(options));
        match self.docker.call(&act, SHORT, started).await? {
            StartExecResults::Attached { output, input } => Ok((output, Box::new(input))),
            StartExecResults::Detached => Err(act.cut("the engine gave none")),
        }
    }

    /// An act on this process, for messages.
    pub(super) fn act(&self, verb: &str) -> Act {
        act_on(&self.workload, verb, &self.program)
    }

    /// Its exit code; none while it runs.
    async fn exit_code(&self) -> Result<Option<i64>, EngineError> {
        let act = self.act("report on");
        let look = self.docker.client().inspect_exec(&self.exec);
        let found = self.docker.call(&act, SHORT, look).await?;
        match (found.running, found.exit_code) {
            (Some(false), Some(code)) => Ok(Some(code)),
            (Some(false), None) => Err(act.cut("the engine does not know how it ended")),
            _ => Ok(None),
        }
    }

    /// Whether it has ended, or its container has. Fails with [`EngineError::Gone`] if the engine
    /// does not know it any more: an engine that was restarted may have left it running.
    pub(super) async fn is_gone(&self) -> Result<bool, EngineError> {
        if self.end.get().is_some() {
            return Ok(true);
        }
        match self.exit_code().await {
            Ok(Some(_)) => Ok(true),
            unclear if self.container_is_up().await? => unclear.map(|_| false),
            _ => Ok(true),
        }
    }

    /// Its exit code after its stream ended by itself. A container that went down took the process
    /// with it, whatever code the engine gives.
    pub(super) async fn ended(&self) -> Result<i64, EngineError> {
        if let Some(end) = self.end.get() {
            return end.clone();
        }
        let cut = |cause: String| Err(self.act("run").cut(cause));
        let code = timeout(END_NOTICED, self.noticed())
            .await
            .unwrap_or_else(|_| cut("its stream ended, but the process runs on".to_owned()))?;
        self.settled(code).await
    }

    /// Its exit code, whatever has become of its stream, however long it works on.
    pub(super) async fn end(&self) -> Result<i64, EngineError> {
        if let Some(end) = self.end.get() {
            return end.clone();
        }
        let code = self.noticed().await?;
        self.settled(code).await
    }

    async fn settled(&self, code: i64) -> Result<i64, EngineError> {
        let end = if code == 0 || self.container_is_up().await? {
            Ok(code)
        } else {
            Err(self.act("run").cut(format!("its container stopped (exit code {code})")))
        };
        self.end.get_or_init(|| end).clone()
    }

    /// The same, if the engine knows of its end in the time that this usually takes.
    pub(super) async fn ended_as_usual(&self) -> Option<Result<i64, EngineError>> {
        timeout(USUALLY_NOTICED, self.end()).await.ok()
    }

    async fn noticed(&self) -> Result<i64, EngineError> {
        loop {
            if let Some(code) = self.exit_code().await? {
                return Ok(code);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether anything can run in its container.
    pub(super) async fn container_is_up(&self) -> Result<bool, EngineError> {
        match self.docker.state(self.workload.as_str()).await {
            Ok(state) => Ok(state.is_up()),
            Err(error) if error.is_gone() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// An act on a program in a container, for messages.
pub(super) fn act_on(workload: &WorkloadId, verb: &str, program: &str) -> Act {
    let what = format!("{program} in {}", container_called(workload.as_str()));
    Act::new(format!("{verb} {what}"), what)
}
