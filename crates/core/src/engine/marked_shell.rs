//! A shell that marks every process with the run that started it, so that whoever comes after a
//! death can find what lives on. Stores are handed this one and cannot forget it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::names::{RunId, WorkloadId};
use crate::ports::shell::RUN_VARIABLE;
use crate::ports::{Command, EngineError, Process, Shell};

/// The marking shell of one run.
pub(super) struct MarkedShell {
    shell: Arc<dyn Shell>,
    run: RunId,
}

impl MarkedShell {
    /// Marks with `run` what `shell` starts.
    pub(super) fn new(shell: Arc<dyn Shell>, run: RunId) -> Self {
        Self { shell, run }
    }
}

#[async_trait]
impl Shell for MarkedShell {
    async fn exec(&self, workload: &WorkloadId, command: Command) -> Result<Process, EngineError> {
        let marked = command.env(RUN_VARIABLE, self.run.as_str().into());
        self.shell.exec(workload, marked).await
    }

    async fn sibling(&self, of: &WorkloadId, _run: &RunId, called: &str) -> Result<WorkloadId, EngineError> {
        self.shell.sibling(of, &self.run, called).await
    }

    async fn end_sibling(&self, sibling: &WorkloadId) -> Result<(), EngineError> {
        self.shell.end_sibling(sibling).await
    }

    async fn reap(&self, workload: &WorkloadId, run: &RunId) -> Result<(), EngineError> {
        self.shell.reap(workload, run).await
    }
}
