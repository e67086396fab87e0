//! Writing down what runs do, while they do it. The run goes on whatever becomes of its record: it never waits for one
//! that cannot be written longer than [`LIMIT`] at its end, and the record never decides anything.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{StreamExt, future::join};

use crate::engine::errors::Exit;
use crate::events::{Event, Listener};
use crate::ports::history::{Ending, Fact, HistoryError, HistoryLimits, RunRecord, RunState};
use crate::ports::{Clock, History, Locks, within};

/// How long one note may take.
pub const LIMIT: Duration = Duration::from_secs(15);

/// So many facts are written at once.
const BATCH: usize = 500;

const OK: u8 = Exit::Ok as u8;
const DEGRADED: u8 = Exit::Degraded as u8;
const INTERRUPTED: u8 = Exit::Interrupted as u8;

/// Keeps the history of this process's runs.
#[derive(Clone)]
pub struct Historian {
    /// Where it is kept.
    pub history: Arc<dyn History>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How much of it stays.
    pub limits: HistoryLimits,
}

/// What a run with this ending has become.
pub fn state_after(ending: &Ending) -> RunState {
    match ending.exit {
        Some(OK) => RunState::Success,
        Some(DEGRADED) => RunState::Degraded,
        Some(INTERRUPTED) => RunState::Canceled,
        _ => RunState::Failure,
    }
}

impl Historian {
    /// Does what a run does, and writes it down beside that: its begin, its facts, its ending. Returns how the run ended,
    /// and why not all of it is in the history, if so.
    pub async fn record<F: Future<Output = Ending>>(
        &self,
        record: RunRecord,
        listener: Arc<dyn Listener>,
        act: impl FnOnce(Arc<dyn Listener>) -> F,
    ) -> (Ending, Result<(), HistoryError>) {
        let (facts, told) = unbounded();
        let closing = facts.clone();
        let acting = async move {
            let ending = act(Arc::new(Ear { listener, facts })).await;
            closing.close_channel();
            ending
        };
        let mut record = RunRecord {
            state: RunState::Started,
            started_at: Some(self.clock.now()),
            ..record
        };
        let writing = self.write_while_it_runs(&record, told);
        let (ending, written) = join(acting, writing).await;
        record.ended_at = Some(self.clock.now());
        record.state = state_after(&ending);
        record.ending = Some(ending.clone());
        // Also after a failure: a disk may have room again, and how a run ended is what is looked for.
        let noted = self.bounded("written", self.history.note(&record)).await;
        (ending, written.and(noted))
    }

    /// Notes a run that waits, and returns it with its number.
    pub async fn noted(&self, record: &RunRecord) -> Result<RunRecord, HistoryError> {
        self.bounded("written", self.history.note(record)).await?;
        let found = self.bounded("read", self.history.run(record.run.as_str())).await?;
        Ok(found.unwrap_or_else(|| record.clone()))
    }

    async fn write_while_it_runs(
        &self,
        record: &RunRecord,
        mut told: UnboundedReceiver<Fact>,
    ) -> Result<(), HistoryError> {
        let mut written = self.bounded("written", self.history.note(record)).await;
        while let Some(first) = told.next().await {
            let mut facts = vec![first];
            while facts.len() < BATCH
                && let Ok(fact) = told.try_recv()
            {
                facts.push(fact);
            }
            // Once it has failed, the rest would be a record with a hole that nobody sees.
            if written.is_ok() {
                written = self.bounded("written", self.history.tell(&record.run, &facts)).await;
            }
        }
        written
    }

    /// Closes the runs of this host whose process has died without a word, and forgets what is old. Returns those that it
    /// has closed.
    pub async fn tidy_up(&self, host: &str, locks: &dyn Locks) -> Result<Vec<RunRecord>, HistoryError> {
        let mut closed = Vec::new();
        for record in self.bounded("read", self.history.open_runs()).await? {
            let began = record.started_at.unwrap_or(record.asked_at);
            let waits = record.state == RunState::Queued;
            if record.host == host && !waits && !locks.lives(record.process, began) {
                let record = died(record, self.clock.now());
                self.bounded("written", self.history.note(&record)).await?;
                closed.push(record);
            }
        }
        let pruned = self.history.prune(self.limits, self.clock.now());
        self.bounded("written", pruned).await?;
        Ok(closed)
    }

    /// One call of the history, within [`LIMIT`].
    pub async fn bounded<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = Result<T, HistoryError>>,
    ) -> Result<T, HistoryError> {
        match within(&*self.clock, LIMIT, "the call", call).await {
            Ok(done) => done,
            Err(late) => Err(HistoryError {
                place: self.history.place(),
                doing,
                cause: late.to_string(),
            }),
        }
    }
}

fn died(record: RunRecord, now: jiff::Timestamp) -> RunRecord {
    let ending = Ending {
        reason: Some(format!(
            "its process ({} on {}) died before the run had ended",
            record.process, record.host
        )),
        hint: Some(
            "what it had stopped is started again by its watchdog, or by `stillpoint containers recover`; a restore stays \
             stopped on purpose: `stillpoint restore resume` goes on, `stillpoint restore undo` goes back"
                .to_owned(),
        ),
        ..Ending::default()
    };
    RunRecord {
        state: state_after(&ending),
        ended_at: Some(now),
        ending: Some(ending),
        ..record
    }
}

/// Passes on what it hears, and keeps what is a fact.
struct Ear {
    listener: Arc<dyn Listener>,
    facts: UnboundedSender<Fact>,
}

impl Listener for Ear {
    fn hear(&self, event: &Event) {
        self.listener.hear(event);
        if event.kind.is_progress() {
            return;
        }
        if let Ok(told) = serde_json::to_value(event) {
            // Nobody writes any more: the run is over.
            let _ = self.facts.unbounded_send(Fact {
                seq: event.seq,
                event: told,
            });
        }
    }
}
