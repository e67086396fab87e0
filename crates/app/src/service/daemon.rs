//! The runs of the service: taken in, queued, begun in their turn, ended. Everything that is asked of a platform goes through
//! the same use cases as a command's; what died is brought back by the same watchdog.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use stillpoint_core::doctor::Diagnosis;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::events::{Event, Listener};
use stillpoint_core::history::Historian;
use stillpoint_core::names::RunId;
use stillpoint_core::operations::{Local, Order, RunRequest};
use stillpoint_core::ports::history::{Ending, HistoryError, RunFilter, RunRecord, RunState};
use stillpoint_core::schedule::{Cancel, Queue, Tag, Urgency};
use stillpoint_web::metrics::Metrics;
use stillpoint_web::wire::Change;
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::feed::{Feed, Watch};
use super::listing::Listing;
use super::log::Log;
use super::platform::Looked;
use super::{Service, Submission, site};
use crate::config::Config;
use crate::display::plain;
use crate::jobs;
use crate::notices::Notices;
use crate::watchdog::Watchdog;
use crate::wiring;

/// So many runs that are over can still be listened to; the others are in the history.
const KNOWN: usize = 50;

/// The service.
pub(super) struct Daemon {
    pub(super) config: Config,
    pub(super) historian: Historian,
    pub(super) log: Log,
    pub(super) listing: Listing,
    pub(super) notices: Notices,
    pub(super) operations: Local,
    since: Timestamp,
    watch: Arc<Watch>,
    state: Mutex<State>,
    /// What is being told of runs that are over.
    tellings: Mutex<Vec<JoinHandle<()>>>,
    /// What was found in the repository when somebody asked for metrics.
    pub(super) looked: tokio::sync::Mutex<Option<Looked>>,
    /// What a doctor has found, and when.
    pub(super) diagnosed: tokio::sync::Mutex<Option<(Timestamp, Diagnosis)>>,
    /// So many runs of a job have ended in a state.
    counted: Mutex<BTreeMap<(String, String), u64>>,
    /// Something ended.
    ended: Notify,
}

#[derive(Default)]
struct State {
    queue: Queue,
    runs: BTreeMap<RunId, Run>,
    stage: Stage,
}

/// Whether runs begin.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// Not yet: what died before is brought back first.
    #[default]
    BringsBack,
    /// In their turn.
    Serves,
    /// Not any more.
    Ends,
}

/// A run that the service knows of itself.
struct Run {
    order: Order,
    record: RunRecord,
    cancel: CancellationToken,
    feed: Arc<Feed>,
}

impl State {
    fn is_known(&self, name: &str) -> Option<RunId> {
        let number = name.parse().ok();
        let is_it = |run: &&Run| run.record.run.as_str() == name || number.is_some() && run.record.number == number;
        self.runs.values().find(is_it).map(|run| run.record.run.clone())
    }

    /// The oldest of those that are over go.
    fn forget(&mut self) {
        let over = self.runs.iter().filter(|(_, run)| run.record.state.is_over());
        let over: Vec<(Timestamp, RunId)> = over.map(|(id, run)| (run.record.asked_at, id.clone())).collect();
        let beyond = over.len().saturating_sub(KNOWN);
        let mut over = over;
        over.sort();
        for (_, id) in over.into_iter().take(beyond) {
            self.runs.remove(&id);
        }
    }

    /// Everybody that waits is told for whom.
    fn tell_who_waits(&self) {
        for run in self.runs.values() {
            let named = |id: &RunId| {
                let other = self.runs.get(id)?;
                Some(format!("{} ({})", title(&other.record), other.record.state))
            };
            let mut whom: Vec<String> = self.queue.waits_for(&run.record.run).iter().filter_map(named).collect();
            if self.stage == Stage::BringsBack && run.record.state == RunState::Queued {
                whom.push("what died before to be brought back".to_owned());
            }
            run.feed.waits((!whom.is_empty()).then(|| whom.join(", ")));
        }
    }
}

fn title(record: &RunRecord) -> String {
    format!("run {}, {}", record.called(), record.job)
}

impl Daemon {
    pub(super) fn new(config: Config, operations: Local, notices: Notices, log: Log) -> Self {
        let historian = wiring::historian(&config);
        Self {
            since: operations.machine().clock.now(),
            historian,
            config,
            log,
            listing: Listing::default(),
            notices,
            operations,
            watch: Arc::default(),
            state: Mutex::default(),
            tellings: Mutex::default(),
            looked: tokio::sync::Mutex::default(),
            diagnosed: tokio::sync::Mutex::default(),
            counted: Mutex::default(),
            ended: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.operations.machine().clock.now()
    }

    /// Who it is.
    pub(super) fn service(&self) -> Service {
        let machine = self.operations.machine();
        Service {
            version: machine.version.clone(),
            process: machine.process,
            host: machine.host.clone(),
            since: self.since,
            site: site::of(&self.config),
        }
    }

    /// Takes an order in. It begins in its turn.
    pub(super) async fn submit(self: &Arc<Self>, submission: Submission) -> RunRecord {
        let Submission { order, platform, asked } = submission;
        let platform = platform.or_else(|| self.config.project());
        let record = jobs::new_record(&self.operations, &order, platform, asked);
        let record = self.noted(record).await;
        self.enqueue(order, record.clone());
        record
    }

    /// Takes the runs in that waited when the service ended.
    pub(super) async fn take_up(self: &Arc<Self>) -> Result<(), HistoryError> {
        let host = self.operations.machine().host.clone();
        for mut record in self.historian.history.open_runs().await? {
            // What was asked for since this service began waits here already.
            let is_here = self.known(record.run.as_str()).is_some();
            if is_here || record.host != host || record.state != RunState::Queued {
                continue;
            }
            let Ok(order) = serde_json::from_value(record.options.clone()) else {
                self.over(&record.run, unreadable(), record.clone()).await;
                continue;
            };
            record.process = self.operations.machine().process;
            let record = self.noted(record).await;
            self.log.say(format!("{} has waited for the service", title(&record)));
            self.enqueue(order, record);
        }
        Ok(())
    }

    /// The record with its number, if the history can be written.
    async fn noted(&self, record: RunRecord) -> RunRecord {
        match self.historian.noted(&record).await {
            Ok(noted) => noted,
            Err(error) => {
                self.log.say(format!("warning: {error}"));
                record
            }
        }
    }

    fn enqueue(self: &Arc<Self>, order: Order, record: RunRecord) {
        let mut state = self.lock();
        state.queue.submit(record.run.clone(), urgency(&order), tags(&order));
        let run = Run {
            order,
            record,
            cancel: CancellationToken::new(),
            feed: Arc::default(),
        };
        self.watch.changed(&run.record);
        state.runs.insert(run.record.run.clone(), run);
        state.forget();
        drop(state);
        self.begin_what_is_free();
    }

    /// Begins every run whose turn has come.
    fn begin_what_is_free(self: &Arc<Self>) {
        let mut state = self.lock();
        while state.stage == Stage::Serves
            && let Some(run) = state.queue.take_next()
        {
            if let Some(known) = state.runs.get_mut(&run) {
                known.record.state = RunState::Starting;
                self.watch.changed(&known.record);
            }
            tokio::spawn(self.clone().carry_out(run));
        }
        state.tell_who_waits();
    }

    async fn carry_out(self: Arc<Self>, run: RunId) {
        let Some((order, record, cancel, feed)) = self.starting(&run) else {
            return;
        };
        self.log.say(format!(
            "{} begins, asked for by {} ({})",
            title(&record),
            record.asked.by,
            record.asked.way
        ));
        let watchdog = order.may_stop_the_platform().then(|| Watchdog::start(&self.config));
        let listener = Arc::new(Told {
            feed: feed.clone(),
            watch: self.watch.clone(),
            run: title(&record),
            log: self.log.clone(),
        });
        let platform = record.platform.clone();
        let begun = self.notices.begun(&record);
        let act = |listener| {
            let request = RunRequest {
                run: Some(run.clone()),
                platform,
                listener,
                cancel,
            };
            Box::pin(jobs::carry_out_anew(&self.config, &order, request))
        };
        let (ending, written) = self.historian.record(record.clone(), listener, act).await;
        if let Some(watchdog) = watchdog {
            watchdog.dismiss();
        }
        let mut died = Vec::new();
        let written = match written {
            Ok(()) => wiring::tidy_up(&self.config, &self.historian)
                .await
                .map(|found| died = found),
            failed => failed,
        };
        if let Err(error) = written {
            self.log
                .say(format!("warning: {error}; what the run did is not touched by that"));
        }
        self.forget_that_it_runs(&run, ending);
        self.begin_what_is_free();
        let over = self.known(run.as_str()).into_iter().chain(died).collect();
        self.tell_of(over, Some(begun));
    }

    /// Tells of runs that are over, beside everything else.
    pub(super) fn tell_of(&self, over: Vec<RunRecord>, begun: Option<JoinHandle<()>>) {
        let notices = self.notices.clone();
        let telling = tokio::spawn(async move {
            for run in &over {
                notices.note_end(run).await;
            }
            if let Some(begun) = begun {
                let _ = begun.await;
            }
            for run in &over {
                notices.ended(run).await;
            }
        });
        let mut tellings = self.tellings.lock().unwrap_or_else(PoisonError::into_inner);
        tellings.retain(|telling| !telling.is_finished());
        tellings.push(telling);
    }

    /// Waits until all that is to be told is told, for who has the patience.
    pub(super) async fn told(&self) {
        let tellings = std::mem::take(&mut *self.tellings.lock().unwrap_or_else(PoisonError::into_inner));
        for telling in tellings {
            let _ = telling.await;
        }
    }

    fn starting(&self, run: &RunId) -> Option<(Order, RunRecord, CancellationToken, Arc<Feed>)> {
        let mut state = self.lock();
        state.queue.begun(run);
        // It may have been told to end already.
        let is = state.queue.state(run).unwrap_or(RunState::Started);
        let known = state.runs.get_mut(run)?;
        known.record.state = is;
        known.record.started_at = Some(self.now());
        self.watch.changed(&known.record);
        Some((
            known.order.clone(),
            known.record.clone(),
            known.cancel.clone(),
            known.feed.clone(),
        ))
    }

    fn forget_that_it_runs(&self, run: &RunId, ending: Ending) {
        let mut state = self.lock();
        state.queue.ended(run);
        if let Some(known) = state.runs.get_mut(run) {
            known.record.state = stillpoint_core::history::state_after(&ending);
            known.record.ended_at = Some(self.now());
            let why = ending
                .reason
                .as_deref()
                .map(|why| format!(": {why}"))
                .unwrap_or_default();
            self.log
                .say(format!("{} ends: {}{why}", title(&known.record), known.record.state));
            let counts = (known.record.job.clone(), known.record.state.to_string());
            *self
                .counted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(counts)
                .or_default() += 1;
            known.record.ending = Some(ending.clone());
            self.watch.changed(&known.record);
            known.feed.end(ending);
        }
        drop(state);
        self.listing.changed();
        self.ended.notify_waiters();
    }

    /// A run that never began is over.
    async fn over(&self, run: &RunId, ending: Ending, record: RunRecord) {
        let record = RunRecord {
            state: stillpoint_core::history::state_after(&ending),
            ended_at: Some(self.now()),
            ending: Some(ending.clone()),
            ..record
        };
        self.noted(record).await;
        self.forget_that_it_runs(run, ending);
    }

    /// Ends a run: one that waits never begins, one at work undoes what it has done. None: it is over, or unknown.
    pub(super) async fn cancel(self: &Arc<Self>, name: &str) -> Option<RunRecord> {
        let (record, cancelled) = {
            let mut state = self.lock();
            let run = state.is_known(name)?;
            let cancelled = state.queue.cancel(&run);
            let known = state.runs.get_mut(&run)?;
            if cancelled == Cancel::Ending {
                known.record.state = RunState::Canceling;
                self.watch.changed(&known.record);
                known.cancel.cancel();
            }
            (known.record.clone(), cancelled)
        };
        match cancelled {
            Cancel::Unknown => None,
            Cancel::Ending => Some(record),
            Cancel::Dropped => {
                self.over(&record.run, dropped(), record.clone()).await;
                self.begin_what_is_free();
                self.known(record.run.as_str()).or(Some(record))
            }
        }
    }

    /// A run as the service knows it.
    pub(super) fn known(&self, name: &str) -> Option<RunRecord> {
        let state = self.lock();
        let run = state.is_known(name)?;
        state.runs.get(&run).map(|run| run.record.clone())
    }

    /// What happens in a run that the service knows.
    pub(super) fn feed(&self, name: &str) -> Option<Arc<Feed>> {
        let state = self.lock();
        let run = state.is_known(name)?;
        state.runs.get(&run).map(|run| run.feed.clone())
    }

    /// What changes in all runs, after how those stand that are not over.
    pub(super) fn watch(&self) -> Receiver<Change> {
        let state = self.lock();
        let open = state.runs.values().filter(|run| !run.record.state.is_over());
        self.watch.join(open.map(|run| run.record.clone()))
    }

    /// The runs that the service knows of itself and that are looked for.
    pub(super) fn found(&self, wanted: &RunFilter) -> Vec<RunRecord> {
        let state = self.lock();
        let runs = state.runs.values().map(|run| &run.record);
        runs.filter(|run| wanted.has(run)).cloned().collect()
    }

    /// From now on runs begin in their turn; until then they wait.
    pub(super) fn open(self: &Arc<Self>) {
        self.lock().stage = Stage::Serves;
        self.begin_what_is_free();
    }

    /// From now on no run begins.
    pub(super) fn close(&self) {
        self.lock().stage = Stage::Ends;
    }

    /// Ends everything that is at work.
    pub(super) fn cancel_all(&self) {
        let state = self.lock();
        for run in state.runs.values().filter(|run| !run.record.state.is_over()) {
            run.cancel.cancel();
        }
    }

    /// Lets go of who listens to runs that wait: they begin with the next service.
    pub(super) fn let_go(&self) {
        self.watch.let_go();
        for run in self.lock().runs.values() {
            run.feed.let_go();
        }
    }

    /// Returns when nothing is at work.
    pub(super) async fn idle(&self) {
        loop {
            let ended = self.ended.notified();
            let at_work = {
                let state = self.lock();
                let mut runs = state.runs.values();
                runs.any(|run| !run.record.state.is_over() && run.record.state != RunState::Queued)
            };
            if !at_work {
                return;
            }
            ended.await;
        }
    }

    /// Adds what is at work and what waits.
    pub(super) fn add_work(&self, metrics: &mut Metrics) {
        metrics
            .runs
            .clone_from(&*self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        let state = self.lock();
        let open: Vec<&RunRecord> = state.runs.values().map(|run| &run.record).collect();
        let waits = |run: &&&RunRecord| run.state == RunState::Queued;
        metrics.queue_length = Some(open.iter().filter(waits).count() as u64);
        let works = |run: &RunRecord| !run.state.is_over() && run.state != RunState::Queued;
        for run in open.iter().filter(|run| works(run)) {
            metrics.jobs.entry(run.job.clone()).or_default();
        }
        for (name, job) in &mut metrics.jobs {
            job.in_progress = Some(open.iter().any(|run| run.job == *name && works(run)));
        }
    }

    /// Whether a job waits or is at work.
    pub(super) fn has(&self, job: &str) -> bool {
        let state = self.lock();
        let mut runs = state.runs.values();
        runs.any(|run| run.record.job == job && !run.record.state.is_over())
    }
}

fn urgency(order: &Order) -> Urgency {
    match order {
        Order::Restore(_) | Order::ResumeRestore(_) | Order::UndoRestore | Order::StartContainers { .. } => {
            Urgency::Restore
        }
        Order::Backup { .. }
        | Order::DiscardOld
        | Order::Verify { .. }
        | Order::Prune
        | Order::Cleanup(_)
        | Order::Repack => Urgency::Usual,
    }
}

fn tags(order: &Order) -> [Tag; 1] {
    match order {
        Order::Verify { .. } => [Tag::Verification],
        _ => [Tag::PostgresMutex],
    }
}

fn dropped() -> Ending {
    Ending {
        exit: Some(Exit::Interrupted as u8),
        reason: Some("it was cancelled before it began".to_owned()),
        ..Ending::default()
    }
}

fn unreadable() -> Ending {
    Ending {
        exit: Some(Exit::Usage as u8),
        reason: Some("another version of Stillpoint has asked for it, and this one does not understand how".to_owned()),
        hint: Some("ask for it again".to_owned()),
        ..Ending::default()
    }
}

/// Tells whoever listens, and the service's own log.
struct Told {
    feed: Arc<Feed>,
    watch: Arc<Watch>,
    run: String,
    log: Log,
}

impl Listener for Told {
    fn hear(&self, event: &Event) {
        self.feed.hear(event);
        self.watch.hear(event);
        if let Some(line) = plain::line(event) {
            self.log.say(format!("{}: {line}", self.run));
        }
    }
}
