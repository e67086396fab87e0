//! The process that a caller holds: how its end is asked for, awaited and judged.

use std::pin::pin;

use async_trait::async_trait;
use futures::future::{Either, select};
use stillpoint_core::ports::EngineError;
use stillpoint_core::ports::shell::{Control, Exit, Process};

use super::keep_alive::KeepAlive;
use super::kill::Target;
use super::output::{Output, Tail};
use super::running::Input;

/// The control of a process that runs.
pub(super) struct Handle {
    pub(super) target: Target,
    pub(super) output: Output,
    pub(super) tail: Tail,
    /// Its own end counts where nobody reads what it writes, whatever becomes of its streams.
    pub(super) may_be_cut: bool,
    pub(super) _keep_alive: Option<KeepAlive>,
}

impl Handle {
    /// What the caller of the port gets.
    pub(super) fn process(self, input: Option<Input>) -> Process {
        Process {
            input,
            output: Box::new(self.output.clone()),
            control: Box::new(self),
        }
    }
}

#[async_trait]
impl Control for Handle {
    async fn finish(&mut self) -> Result<Exit, EngineError> {
        let running = &self.target.running;
        let drained = self.output.drain().await;
        if drained.is_err() && self.may_be_cut && !self.output.was_read() {
            return Ok(Exit {
                code: running.end().await?,
                errors: self.tail.text(),
            });
        }
        match (drained, running.ended().await) {
            // A failure of its own tells more than the cut that it caused; a success cannot stand
            // beside one.
            (Err(cause), Ok(0) | Err(_)) => Err(running.act("run").cut(cause)),
            (_, ended) => Ok(Exit {
                code: ended?,
                errors: self.tail.text(),
            }),
        }
    }

    async fn kill(&mut self) -> Result<(), EngineError> {
        self.output.bar("the process was ended before its output was read");
        // Output that nobody takes would keep the engine from noticing the end.
        match select(pin!(self.target.end()), pin!(self.output.drain())).await {
            Either::Left((ended, _)) => ended,
            Either::Right((_, end)) => end.await,
        }
    }
}

/// A process whose program could not be started: 126 or 127, with the engine's reasons.
pub(super) struct NeverRan(pub(super) Exit);

impl NeverRan {
    /// What the caller of the port gets.
    pub(super) fn process(self, has_input: bool) -> Process {
        Process {
            input: has_input.then(|| Box::new(tokio::io::sink()) as Input),
            output: Box::new(tokio::io::empty()),
            control: Box::new(self),
        }
    }
}

#[async_trait]
impl Control for NeverRan {
    async fn finish(&mut self) -> Result<Exit, EngineError> {
        Ok(self.0.clone())
    }

    async fn kill(&mut self) -> Result<(), EngineError> {
        Ok(())
    }
}
