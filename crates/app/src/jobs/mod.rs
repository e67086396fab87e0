//! The jobs as they are done by this program: an order goes in, an ending comes out. Whoever asked is told the same,
//! whether he waits for it or reads it later in the history.

mod backup;
mod maintenance;
mod prune;
mod record;
mod restore;
mod verify;

use serde::Serialize;
use serde_json::Value;
use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::operations::{Local, Operations, Order, RunRequest};
use stillpoint_core::ports::history::Ending;

pub(crate) use self::maintenance::{cleaned, handlers, headline, repacked};
pub(crate) use self::prune::report as prune_report;
pub(crate) use self::record::{Recorder, new_record};
pub(crate) use self::restore::{listed, of_another, renamings};
use crate::commands::look_at_stores;
use crate::config::Config;
use crate::failure::Failure;
use crate::wiring;

/// What a job answers.
struct Answer {
    /// For people, line by line.
    said: Vec<String>,
    /// For programs.
    result: Value,
    /// What it means for whoever asked.
    exit: Exit,
    /// What was found out that makes a failure of it.
    failed: Option<Error>,
}

impl Answer {
    fn new(said: Vec<String>, result: &impl Serialize, is_as_before: bool) -> Self {
        Self {
            said,
            result: serde_json::to_value(result).unwrap_or_default(),
            exit: if is_as_before { Exit::Ok } else { Exit::Degraded },
            failed: None,
        }
    }
}

/// Has it done, and says how it ended.
pub(crate) async fn carry_out(operations: &impl Operations, order: &Order, request: RunRequest) -> Ending {
    match answer(operations, order, request).await {
        Ok(answer) => {
            let failed = answer.failed.map(|error| Failure::from(error).ending());
            Ending {
                exit: Some(answer.exit as u8),
                ..failed.unwrap_or_default()
            }
            .with(answer.said, answer.result)
        }
        Err(error) => Failure::from(error).ending(),
    }
}

/// The same with everything looked at anew, for a process that lives long: engine, repository and containers may be others than
/// when it began.
pub(crate) async fn carry_out_anew(config: &Config, order: &Order, request: RunRequest) -> Ending {
    match looked_at(config, order).await {
        Ok(operations) => carry_out(&operations, order, request).await,
        Err(failure) => failure.ending(),
    }
}

async fn looked_at(config: &Config, order: &Order) -> Result<Local, Failure> {
    let operations = wiring::operations(config).await?;
    if matches!(order, Order::Backup { .. } | Order::Restore(_)) {
        look_at_stores(config, &operations).await?;
    }
    Ok(operations)
}

trait With {
    fn with(self, said: Vec<String>, result: Value) -> Self;
}

impl With for Ending {
    fn with(self, said: Vec<String>, result: Value) -> Self {
        Self {
            said: Some(said.join("\n")),
            result: Some(result),
            ..self
        }
    }
}

async fn answer(operations: &impl Operations, order: &Order, request: RunRequest) -> Result<Answer, Error> {
    Ok(match order {
        Order::Backup { mode } => backup::answer(&operations.backup(*mode, request).await?),
        Order::Restore(what) => restore::restored(&operations.restore(what.clone(), request).await?),
        Order::ResumeRestore(terms) => restore::restored(&operations.resume_restore(terms.clone(), request).await?),
        Order::UndoRestore => restore::undone(&operations.undo_restore(request).await?),
        Order::DiscardOld => restore::discarded(&operations.discard_old(request).await?),
        Order::Verify { scope } => verify::answer(operations.verify(*scope, request).await?),
        Order::Prune => prune::answer(&operations.prune(false, request).await?),
        Order::Cleanup(wish) => maintenance::cleanup(&operations.cleanup(*wish, request).await?),
        Order::Repack => maintenance::repack(&operations.repack(false, request).await?),
    })
}
