//! A journal in memory. What was noted outlives the process that noted it; what was also synced
//! outlives its host.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use stillpoint_core::names::{Address, Project, RunId};
use stillpoint_core::ports::Journal;
use stillpoint_core::ports::journal::{JournalError, Loaded, Missing, OpenRun, Phase};
use stillpoint_core::ports::power::Intent;

use super::lock;

/// A journal. Clones share it.
#[derive(Clone, Default)]
pub struct FakeJournal {
    noted: Arc<Mutex<Noted>>,
    /// What the disk holds.
    synced: Arc<Mutex<Noted>>,
}

#[derive(Clone, Default)]
struct Noted {
    runs: Vec<OpenRun>,
    missing: Vec<Missing>,
}

impl FakeJournal {
    /// The disk with the journal is lost.
    pub fn lose(&self) {
        *lock(&self.noted) = Noted::default();
        *lock(&self.synced) = Noted::default();
    }

    /// The host dies: what was not synced is gone.
    pub fn crash(&self) {
        lock(&self.noted).clone_from(&lock(&self.synced));
    }

    /// Notes something, and syncs it.
    fn note(&self, act: impl FnOnce(&mut Noted)) {
        act(&mut lock(&self.noted));
        lock(&self.synced).clone_from(&lock(&self.noted));
    }

    /// The runs that are not closed.
    pub fn open(&self) -> Vec<OpenRun> {
        let noted = lock(&self.noted);
        let open = noted.runs.iter().filter(|run| run.phase != Phase::Closed);
        open.cloned().collect()
    }

    /// What no run has brought back.
    pub fn all_missing(&self) -> Vec<Missing> {
        lock(&self.noted).missing.clone()
    }
}

#[async_trait]
impl Journal for FakeJournal {
    async fn plan(&self, intent: &Intent) -> Result<(), JournalError> {
        self.note(|noted| {
            let is_over = |noted: &OpenRun| noted.phase == Phase::Closed || noted.intent.job != intent.job;
            noted.runs.retain(|run| run.intent.run != intent.run || !is_over(run));
            if !noted.runs.iter().any(|run| run.intent.run == intent.run) {
                noted.runs.push(OpenRun {
                    intent: intent.clone(),
                    phase: Phase::Planned,
                    loaded: None,
                });
            }
        });
        Ok(())
    }

    async fn advance(&self, run: &RunId, phase: Phase) -> Result<(), JournalError> {
        self.note(|noted| {
            for noted in noted.runs.iter_mut().filter(|noted| noted.intent.run == *run) {
                noted.phase = noted.phase.max(phase);
            }
        });
        Ok(())
    }

    async fn loaded(&self, run: &RunId, loaded: &Loaded) -> Result<(), JournalError> {
        self.note(|noted| {
            for noted in noted.runs.iter_mut().filter(|noted| noted.intent.run == *run) {
                noted.loaded = Some(loaded.clone());
            }
        });
        Ok(())
    }

    async fn platforms(&self) -> Result<Vec<Project>, JournalError> {
        let open = self.open().into_iter().map(|run| run.intent.platform);
        let missing = self.all_missing().into_iter();
        let missing = missing.map(|missing| missing.was.address.project);
        let platforms: BTreeSet<Project> = open.chain(missing).collect();
        Ok(platforms.into_iter().collect())
    }

    async fn open_runs(&self, platform: &Project) -> Result<Vec<OpenRun>, JournalError> {
        let mut open = self.open();
        open.retain(|run| run.intent.platform == *platform);
        open.sort_by(|a, b| (a.intent.since, &a.intent.run).cmp(&(b.intent.since, &b.intent.run)));
        Ok(open)
    }

    async fn note_missing(&self, missing: &[Missing]) -> Result<(), JournalError> {
        self.note(|noted| {
            let is_new = |address: &Address| missing.iter().any(|new| new.was.address == *address);
            noted.missing.retain(|old| !is_new(&old.was.address));
            noted.missing.extend_from_slice(missing);
            noted.missing.sort_by(|a, b| a.was.address.cmp(&b.was.address));
        });
        Ok(())
    }

    async fn missing(&self, platform: &Project) -> Result<Vec<Missing>, JournalError> {
        let mut missing = self.all_missing();
        missing.retain(|missing| missing.was.address.project == *platform);
        Ok(missing)
    }

    async fn forget_missing(&self, _platform: &Project, addresses: &[Address]) -> Result<(), JournalError> {
        self.note(|noted| {
            let is_forgotten = |missing: &Missing| addresses.contains(&missing.was.address);
            noted.missing.retain(|missing| !is_forgotten(missing));
        });
        Ok(())
    }
}
