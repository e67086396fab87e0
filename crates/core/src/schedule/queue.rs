//! Which run is next. Runs that share a tag never overlap: the others wait in their order, what brings data back before
//! what comes by itself. The queue only says; whoever asks it starts and ends the runs, and tells it.

use std::collections::BTreeSet;

use crate::names::RunId;
use crate::ports::history::RunState;

/// What two runs must not do at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tag {
    /// Stop the platform, or work in its databases: jobs tagged `postgres-mutex`.
    PostgresMutex,
    /// Read backups back.
    Verification,
}

/// What goes before what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// It brings data back: somebody waits for it.
    Restore,
    /// Everything else.
    Usual,
}

#[derive(Clone, Debug)]
struct Entry {
    run: RunId,
    urgency: Urgency,
    tags: BTreeSet<Tag>,
    state: RunState,
}

impl Entry {
    fn is_active(&self) -> bool {
        self.state != RunState::Queued
    }

    fn shares_a_tag_with(&self, other: &Self) -> bool {
        !self.tags.is_disjoint(&other.tags)
    }
}

/// What became of a wish to cancel a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// It had not begun, and never will: it is over.
    Dropped,
    /// It is at work: its token is to be cancelled, and its end to be waited for.
    Ending,
    /// It is over, or was never there.
    Unknown,
}

/// The runs that wait or are at work, in the order in which they were asked for.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    entries: Vec<Entry>,
}

impl Queue {
    /// Takes a run in, behind all that are as urgent.
    pub fn submit(&mut self, run: RunId, urgency: Urgency, tags: impl IntoIterator<Item = Tag>) {
        self.entries.push(Entry {
            run,
            urgency,
            tags: tags.into_iter().collect(),
            state: RunState::Queued,
        });
        // Stable: what is as urgent stays in its order.
        self.entries.sort_by_key(|entry| entry.urgency);
    }

    /// The run that is to begin now, if there is one. It is [`RunState::Starting`] then.
    pub fn take_next(&mut self) -> Option<RunId> {
        let is_free = |at: usize| self.entries[at].state == RunState::Queued && self.blockers(at).next().is_none();
        let next = (0..self.entries.len()).find(|at| is_free(*at))?;
        let entry = self.entries.get_mut(next)?;
        entry.state = RunState::Starting;
        Some(entry.run.clone())
    }

    /// The runs that this one waits for: those at work, and those before it.
    pub fn waits_for(&self, run: &RunId) -> Vec<RunId> {
        match self.entries.iter().position(|entry| entry.run == *run) {
            Some(at) if !self.entries[at].is_active() => self.blockers(at).map(|entry| entry.run.clone()).collect(),
            _ => Vec::new(),
        }
    }

    fn blockers(&self, at: usize) -> impl Iterator<Item = &Entry> {
        let this = &self.entries[at];
        let others = self.entries.iter().enumerate();
        others
            .filter(move |(other, entry)| *other != at && (entry.is_active() || *other < at))
            .map(|(_, entry)| entry)
            .filter(move |entry| entry.shares_a_tag_with(this))
    }

    /// It has begun.
    pub fn begun(&mut self, run: &RunId) {
        if let Some(entry) = self.entry(run)
            && entry.state == RunState::Starting
        {
            entry.state = RunState::Started;
        }
    }

    /// It is to end.
    pub fn cancel(&mut self, run: &RunId) -> Cancel {
        match self.entry(run) {
            None => Cancel::Unknown,
            Some(entry) if entry.is_active() => {
                entry.state = RunState::Canceling;
                Cancel::Ending
            }
            Some(_) => {
                self.ended(run);
                Cancel::Dropped
            }
        }
    }

    /// It has ended, however: nobody waits for it any more.
    pub fn ended(&mut self, run: &RunId) {
        self.entries.retain(|entry| entry.run != *run);
    }

    /// What has become of a run, as long as it is not over.
    pub fn state(&self, run: &RunId) -> Option<RunState> {
        let entry = self.entries.iter().find(|entry| entry.run == *run);
        entry.map(|entry| entry.state)
    }

    /// The runs that have not begun, in the order in which they would.
    pub fn waiting(&self) -> impl Iterator<Item = &RunId> {
        let waiting = self.entries.iter().filter(|entry| !entry.is_active());
        waiting.map(|entry| &entry.run)
    }

    fn entry(&mut self, run: &RunId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.run == *run)
    }
}
