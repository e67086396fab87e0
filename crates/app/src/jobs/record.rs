//! Runs of this process, done and written down. The record never decides how a run ends.

use std::sync::Arc;

use stillpoint_core::events::Listener;
use stillpoint_core::history::Historian;
use stillpoint_core::names::Project;
use stillpoint_core::operations::{Local, Order, RunRequest};
use stillpoint_core::ports::history::{Asked, Ending, HistoryError, RunRecord, RunState};
use tokio_util::sync::CancellationToken;

use super::carry_out;
use crate::config::Config;
use crate::wiring;

/// Does runs and writes them down.
pub(crate) struct Recorder<'a> {
    config: &'a Config,
    operations: &'a Local,
    historian: Historian,
}

impl<'a> Recorder<'a> {
    /// Into the history of the state directory.
    pub(crate) fn new(config: &'a Config, operations: &'a Local) -> Self {
        Self {
            config,
            operations,
            historian: wiring::historian(config),
        }
    }

    /// Has an order done, and says how it ended, and why that is not in the history, if so.
    pub(crate) async fn run(
        &self,
        order: &Order,
        platform: Option<Project>,
        asked: Asked,
        listener: Arc<dyn Listener>,
        cancel: CancellationToken,
    ) -> (Ending, Result<(), HistoryError>) {
        let record = new_record(self.operations, order, platform.clone(), asked);
        let run = record.run.clone();
        let act = |listener| {
            let request = RunRequest {
                run: Some(run),
                platform,
                listener,
                cancel,
            };
            Box::pin(carry_out(self.operations, order, request))
        };
        let (ending, written) = self.historian.record(record, listener, act).await;
        let written = match written {
            Ok(()) => wiring::tidy_up(self.config, &self.historian).await,
            failed => failed,
        };
        (ending, written)
    }
}

/// The record of a run that nobody has begun.
pub(crate) fn new_record(operations: &Local, order: &Order, platform: Option<Project>, asked: Asked) -> RunRecord {
    let machine = operations.machine();
    RunRecord {
        number: None,
        run: operations.new_run(),
        job: order.job().to_owned(),
        options: serde_json::to_value(order).unwrap_or_default(),
        platform,
        asked,
        host: machine.host.clone(),
        process: machine.process,
        state: RunState::Queued,
        asked_at: machine.clock.now(),
        started_at: None,
        ended_at: None,
        ending: None,
    }
}
