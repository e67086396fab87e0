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
use crate::notices::{self, Notices, Telling};
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

    /// Has an order done, and says how it ended, why that is not in the history, if so, and what is still to be told of it.
    pub(crate) async fn run(
        &self,
        notices: Notices,
        order: &Order,
        platform: Option<Project>,
        asked: Asked,
        listener: Arc<dyn Listener>,
        cancel: CancellationToken,
    ) -> (Ending, Result<(), HistoryError>, Telling) {
        let record = new_record(self.operations, order, platform.clone(), asked);
        let run = record.run.clone();
        let at_work = RunRecord {
            started_at: Some(self.historian.clock.now()),
            ..record.clone()
        };
        let begun = notices.begun(&at_work);
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
        let mut over = vec![self.as_noted(at_work, &ending).await];
        let written = match written {
            Ok(()) => wiring::tidy_up(self.config, &self.historian)
                .await
                .map(|died| over.extend(died)),
            failed => failed,
        };
        (ending, written, Telling { notices, begun, over })
    }

    /// The run with its number, where the history knows it; else as it is known here.
    async fn as_noted(&self, began: RunRecord, ending: &Ending) -> RunRecord {
        let historian = &self.historian;
        let noted = historian
            .bounded("read", historian.history.run(began.run.as_str()))
            .await;
        match noted {
            Ok(Some(noted)) if noted.state.is_over() => noted,
            _ => notices::over(began, ending, historian.clock.now()),
        }
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
