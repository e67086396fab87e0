//! What happens in a run, for whoever listens, from its begin on. Facts are kept as long as the run is known; progress is
//! for those who listen now. A listener that does not keep up is let go, and comes back for what it has not heard.

use std::sync::{Mutex, MutexGuard, PoisonError};

use stillpoint_core::events::{Event, Listener};
use stillpoint_core::ports::history::{Ending, RunRecord};
use stillpoint_web::wire::Change;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Told;

/// So much a listener may fall behind.
const BEHIND: usize = 4096;

/// So much one may fall behind who watches all runs.
const WATCHED: usize = 1024;

/// The feed of one run.
#[derive(Default)]
pub(super) struct Feed {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    facts: Vec<Event>,
    waits: Option<String>,
    ending: Option<Ending>,
    listeners: Vec<Sender<Told>>,
}

impl State {
    fn tell(&mut self, told: &Told) {
        let may_be_lost = matches!(told, Told::Event(event) if event.kind.is_progress());
        self.listeners
            .retain(|listener| listener.try_send(told.clone()).is_ok() || may_be_lost && !listener.is_closed());
    }
}

impl Feed {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears what has happened after the fact with this number, and what will.
    pub(super) fn listen(&self, after: u64) -> Receiver<Told> {
        let mut state = self.lock();
        let missed: Vec<&Event> = state.facts.iter().filter(|fact| fact.seq > after).collect();
        let (sender, receiver) = channel(missed.len() + BEHIND);
        let waits = state.waits.clone().map(Told::Waits);
        let missed = missed.into_iter().cloned().map(Told::Event);
        let ending = state.ending.clone().map(Told::Ended);
        for told in waits.into_iter().chain(missed).chain(ending) {
            // There is room for all of it.
            let _ = sender.try_send(told);
        }
        if state.ending.is_none() {
            state.listeners.push(sender);
        }
        receiver
    }

    /// It waits, for whom in words; none: no longer.
    pub(super) fn waits(&self, whom: Option<String>) {
        let mut state = self.lock();
        if state.waits != whom {
            state.waits.clone_from(&whom);
            if let Some(whom) = whom {
                state.tell(&Told::Waits(whom));
            }
        }
    }

    /// Nobody is told anything more.
    pub(super) fn let_go(&self) {
        self.lock().listeners.clear();
    }

    /// It is over: listeners are told and let go.
    pub(super) fn end(&self, ending: Ending) {
        let mut state = self.lock();
        state.tell(&Told::Ended(ending.clone()));
        state.listeners.clear();
        state.waits = None;
        state.ending = Some(ending);
    }
}

impl Listener for Feed {
    fn hear(&self, event: &Event) {
        let mut state = self.lock();
        state.tell(&Told::Event(event.clone()));
        if !event.kind.is_progress() {
            state.facts.push(event.clone());
        }
    }
}

/// What changes in all runs, for whoever watches. Whoever does not keep up loses progress first, and is let go before he loses
/// anything else: he comes back and begins with how everything stands.
#[derive(Default)]
pub(super) struct Watch {
    watchers: Mutex<Vec<Sender<Change>>>,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Vec<Sender<Change>>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches from now on; first of all how these runs stand.
    pub(super) fn join(&self, standing: impl IntoIterator<Item = RunRecord>) -> Receiver<Change> {
        let mut watchers = self.lock();
        let standing: Vec<Change> = standing.into_iter().map(in_short).collect();
        let (sender, receiver) = channel(standing.len() + WATCHED);
        for change in standing {
            // There is room for all of it.
            let _ = sender.try_send(change);
        }
        watchers.retain(|watcher| !watcher.is_closed());
        watchers.push(sender);
        receiver
    }

    /// A run is in another state.
    pub(super) fn changed(&self, run: &RunRecord) {
        let mut watchers = self.lock();
        if !watchers.is_empty() {
            tell(&mut watchers, &in_short(run.clone()), false);
        }
    }

    /// Nobody is told anything more.
    pub(super) fn let_go(&self) {
        self.lock().clear();
    }
}

impl Listener for Watch {
    fn hear(&self, event: &Event) {
        let mut watchers = self.lock();
        if !watchers.is_empty() {
            tell(&mut watchers, &Change::Event(event.clone()), event.kind.is_progress());
        }
    }
}

fn tell(watchers: &mut Vec<Sender<Change>>, change: &Change, may_be_lost: bool) {
    watchers.retain(|watcher| watcher.try_send(change.clone()).is_ok() || may_be_lost && !watcher.is_closed());
}

/// A result may be a whole manifest.
fn in_short(mut run: RunRecord) -> Change {
    if let Some(ending) = &mut run.ending {
        ending.result = None;
        ending.findings.clear();
    }
    Change::Run(Box::new(run))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use stillpoint_core::events::EventKind;
    use stillpoint_core::names::{ArtifactName, RunId, StoreName};

    use super::*;

    fn event(seq: u64, is_progress: bool) -> Event {
        let kind = if is_progress {
            EventKind::Progress {
                store: StoreName::new("db"),
                artifact: ArtifactName::of(&["db", "a"]),
                bytes: seq,
                total: None,
            }
        } else {
            EventKind::Warning {
                message: seq.to_string(),
            }
        };
        Event {
            seq,
            run: RunId::new("1"),
            at: Timestamp::UNIX_EPOCH,
            kind,
        }
    }

    fn heard(receiver: &mut Receiver<Told>) -> Vec<u64> {
        let mut seqs = Vec::new();
        while let Ok(told) = receiver.try_recv() {
            match told {
                Told::Event(event) => seqs.push(event.seq),
                Told::Ended(_) => seqs.push(0),
                Told::Waits(_) => {}
            }
        }
        seqs
    }

    #[test]
    fn whoever_comes_late_hears_every_fact_and_goes_on_where_he_was() {
        let feed = Feed::default();
        for (seq, is_progress) in [(1, false), (2, true), (3, false)] {
            feed.hear(&event(seq, is_progress));
        }
        let (mut from_the_start, mut again) = (feed.listen(0), feed.listen(1));
        feed.hear(&event(4, true));
        feed.hear(&event(5, false));
        feed.end(Ending::default());
        assert_eq!(heard(&mut from_the_start), [1, 3, 4, 5, 0]);
        assert_eq!(heard(&mut again), [3, 4, 5, 0]);
        assert_eq!(heard(&mut feed.listen(4)), [5, 0]);
    }

    #[test]
    fn who_watches_first_sees_how_runs_stand_and_then_what_changes_and_is_let_go_before_he_loses_a_fact() {
        let watch = Watch::default();
        let mut run = stillpoint_testkit::conformance::history::run("1", 0);
        if let Some(ending) = &mut run.ending {
            ending.result = Some(serde_json::json!({ "large": true }));
        }
        let mut watcher = watch.join([run.clone()]);
        watch.hear(&event(1, false));
        watch.changed(&run);
        let mut seen = Vec::new();
        while let Ok(change) = watcher.try_recv() {
            seen.push(match change {
                Change::Run(run) => run
                    .ending
                    .and_then(|ending| ending.result)
                    .map_or("in short", |_| "all of it"),
                Change::Event(_) => "event",
            });
        }
        assert_eq!(seen, ["in short", "event", "in short"]);
        for seq in 0..=WATCHED as u64 {
            watch.hear(&event(seq, false));
        }
        watch.hear(&event(0, true));
        assert!(watcher.try_recv().is_err() || watcher.is_closed());
        assert!(watcher.is_closed(), "he has lost a fact and was not let go");
    }

    #[test]
    fn who_does_not_keep_up_loses_progress_and_is_let_go_before_he_loses_a_fact() {
        let feed = Feed::default();
        let mut slow = feed.listen(0);
        let full = BEHIND as u64;
        for seq in 1..=full {
            feed.hear(&event(seq, false));
        }
        feed.hear(&event(full + 1, true));
        assert!(!slow.is_closed(), "progress may be lost");
        feed.hear(&event(full + 2, false));
        assert_eq!(heard(&mut slow).last(), Some(&full));
        assert!(slow.is_closed());
        assert_eq!(heard(&mut feed.listen(full)), [full + 2]);
    }
}
