//! The queue: a few stories, and its invariants under any sequence of events.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use crate::names::RunId;
use crate::ports::history::RunState;

use super::*;

fn run(name: &str) -> RunId {
    RunId::new(name)
}

/// A queue of runs that must not overlap.
fn of(runs: &[(&str, Urgency)]) -> Queue {
    let mut queue = Queue::default();
    for (name, urgency) in runs {
        queue.submit(run(name), *urgency, [Tag::PostgresMutex]);
    }
    queue
}

#[test]
fn runs_of_one_tag_take_turns_and_say_for_whom_they_wait() {
    let mut queue = of(&[("a", Urgency::Usual), ("b", Urgency::Usual), ("c", Urgency::Usual)]);
    assert_eq!((queue.take_next(), queue.take_next()), (Some(run("a")), None));
    queue.begun(&run("a"));
    assert_eq!(queue.waits_for(&run("c")), [run("a"), run("b")]);
    assert_eq!(queue.waits_for(&run("a")), []);
    queue.ended(&run("a"));
    assert_eq!(queue.take_next(), Some(run("b")));
}

#[test]
fn a_restore_goes_before_what_has_not_begun_and_never_through_what_has() {
    let mut queue = of(&[("a", Urgency::Usual), ("b", Urgency::Usual)]);
    queue.take_next();
    queue.submit(run("restore"), Urgency::Restore, [Tag::PostgresMutex]);
    assert_eq!(queue.take_next(), None);
    assert_eq!(queue.waits_for(&run("restore")), [run("a")]);
    assert_eq!(queue.waits_for(&run("b")), [run("restore"), run("a")]);
    queue.ended(&run("a"));
    assert_eq!(queue.take_next(), Some(run("restore")));
}

#[test]
fn what_shares_no_tag_runs_side_by_side() {
    let mut queue = of(&[("a", Urgency::Usual)]);
    queue.submit(run("verify"), Urgency::Usual, [Tag::Verification]);
    assert_eq!(
        (queue.take_next(), queue.take_next()),
        (Some(run("a")), Some(run("verify")))
    );
}

#[test]
fn a_run_can_be_cancelled_in_every_state() {
    let mut queue = of(&[("a", Urgency::Usual), ("b", Urgency::Usual)]);
    assert_eq!(queue.cancel(&run("b")), Cancel::Dropped);
    assert_eq!(
        (queue.state(&run("b")), queue.cancel(&run("b"))),
        (None, Cancel::Unknown)
    );
    queue.take_next();
    assert_eq!(queue.state(&run("a")), Some(RunState::Starting));
    assert_eq!(queue.cancel(&run("a")), Cancel::Ending);
    // It is told to end before it has begun: it stays told.
    queue.begun(&run("a"));
    assert_eq!(queue.state(&run("a")), Some(RunState::Canceling));
    assert_eq!(queue.cancel(&run("a")), Cancel::Ending);
    queue.ended(&run("a"));
    assert_eq!(queue.cancel(&run("a")), Cancel::Unknown);
}

#[derive(Clone, Debug)]
enum Event {
    Submit(Urgency, Vec<Tag>),
    Next,
    Begun(Index),
    Ended(Index),
    Cancel(Index),
}

fn event() -> impl Strategy<Value = Event> {
    let urgency = prop_oneof![3 => Just(Urgency::Usual), 1 => Just(Urgency::Restore)];
    let tag = prop_oneof![3 => Just(Tag::PostgresMutex), 1 => Just(Tag::Verification)];
    prop_oneof![
        (urgency, proptest::collection::vec(tag, 1..3)).prop_map(|(urgency, tags)| Event::Submit(urgency, tags)),
        Just(Event::Next),
        any::<Index>().prop_map(Event::Begun),
        any::<Index>().prop_map(Event::Ended),
        any::<Index>().prop_map(Event::Cancel),
    ]
}

/// What is known of a run beside the queue.
struct Known {
    number: usize,
    urgency: Urgency,
    tags: BTreeSet<Tag>,
    active: bool,
}

/// The queue, and what must be true of it.
#[derive(Default)]
struct Watched {
    queue: Queue,
    known: BTreeMap<RunId, Known>,
    submitted: usize,
}

impl Watched {
    fn pick(&self, index: Index) -> Option<RunId> {
        let all: Vec<&RunId> = self.known.keys().collect();
        (!all.is_empty()).then(|| all[index.index(all.len())].clone())
    }

    fn apply(&mut self, event: Event) -> Result<(), TestCaseError> {
        match event {
            Event::Submit(urgency, tags) => {
                let (number, run) = (self.submitted, run(&format!("{:04}", self.submitted)));
                self.submitted += 1;
                self.queue.submit(run.clone(), urgency, tags.iter().copied());
                let tags = tags.into_iter().collect();
                let active = false;
                self.known.insert(
                    run,
                    Known {
                        number,
                        urgency,
                        tags,
                        active,
                    },
                );
            }
            Event::Next => return self.next().map(drop),
            Event::Begun(index) => {
                if let Some(run) = self.pick(index).filter(|run| self.known[run].active) {
                    self.queue.begun(&run);
                }
            }
            Event::Ended(index) => {
                if let Some(run) = self.pick(index).filter(|run| self.known[run].active) {
                    self.queue.ended(&run);
                    self.known.remove(&run);
                }
            }
            Event::Cancel(index) => {
                if let Some(run) = self.pick(index) {
                    let dropped = self.queue.cancel(&run) == Cancel::Dropped;
                    prop_assert_eq!(dropped, !self.known[&run].active);
                    if dropped {
                        self.known.remove(&run);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whatever begins shares no tag with what is at work, and nothing that shares one with it had the better right.
    fn next(&mut self) -> Result<bool, TestCaseError> {
        let Some(run) = self.queue.take_next() else {
            let free = self.known.values().filter(|known| !known.active);
            let at_work: Vec<&Known> = self.known.values().filter(|known| known.active).collect();
            for waits in free {
                let all = self.known.values();
                let mut before =
                    all.filter(|other| !other.active && (other.urgency, other.number) < (waits.urgency, waits.number));
                let blocked = at_work.iter().any(|other| !other.tags.is_disjoint(&waits.tags))
                    || before.any(|other| !other.tags.is_disjoint(&waits.tags));
                prop_assert!(blocked, "run {} waits for nobody", waits.number);
            }
            return Ok(false);
        };
        let this = &self.known[&run];
        prop_assert!(!this.active, "begun twice");
        for other in self.known.values() {
            if other.number == this.number || other.tags.is_disjoint(&this.tags) {
                continue;
            }
            prop_assert!(!other.active, "{} and {} overlap", other.number, this.number);
            let first = (other.urgency, other.number) < (this.urgency, this.number);
            prop_assert!(!first, "{} has overtaken {}", this.number, other.number);
        }
        self.known.get_mut(&run).unwrap().active = true;
        Ok(true)
    }

    fn look(&self) -> Result<(), TestCaseError> {
        for (run, known) in &self.known {
            let state = self.queue.state(run);
            prop_assert_eq!(state.is_some_and(|state| state != RunState::Queued), known.active);
            prop_assert!(state.is_some(), "{} is lost", run);
            prop_assert!(!known.active || self.queue.waits_for(run).is_empty());
        }
        let waiting = self.known.values().filter(|known| !known.active).count();
        prop_assert_eq!(self.queue.waiting().count(), waiting);
        Ok(())
    }
}

proptest! {
    #[test]
    fn no_sequence_of_events_breaks_the_order(events in proptest::collection::vec(event(), 1..60)) {
        let mut watched = Watched::default();
        for event in events {
            watched.apply(event)?;
            watched.look()?;
        }
        // Whatever is there comes to its turn, and nothing waits for ever.
        let mut rounds = 0;
        while !watched.known.is_empty() {
            while watched.next()? {}
            let active: Vec<RunId> =
                watched.known.iter().filter(|(_, known)| known.active).map(|(run, _)| run.clone()).collect();
            prop_assert!(!active.is_empty(), "nobody is at work, and somebody waits");
            for run in active {
                watched.queue.ended(&run);
                watched.known.remove(&run);
            }
            rounds += 1;
            prop_assert!(rounds <= 60);
        }
    }
}
