//! A journal in memory. What was noted outlives the process that noted it; what was also synced
//! outlives its host.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use stillpoint_core::names::{Project, RunId};
use stillpoint_core::ports::Journal;
use stillpoint_core::ports::journal::{JournalError, Loaded, OpenRun, Phase};
use stillpoint_core::ports::power::Intent;

use super::lock;

/// A journal. Clones share it.
#[derive(Clone, Default)]
pub struct FakeJournal {
    runs: Arc<Mutex<Vec<OpenRun>>>,
    /// What the disk holds.
    synced: Arc<Mutex<Vec<OpenRun>>>,
}

impl FakeJournal {
    /// The disk with the journal is lost.
    pub fn lose(&self) {
        lock(&self.runs).clear();
        lock(&self.synced).clear();
    }

    /// The host dies: what was not synced is gone.
    pub fn crash(&self) {
        lock(&self.runs).clone_from(&lock(&self.synced));
    }

    fn sync(&self) {
        lock(&self.synced).clone_from(&lock(&self.runs));
    }

    /// The runs that are not closed.
    pub fn open(&self) -> Vec<OpenRun> {
        let runs = lock(&self.runs);
        runs.iter().filter(|run| run.phase != Phase::Closed).cloned().collect()
    }
}

#[async_trait]
impl Journal for FakeJournal {
    async fn plan(&self, intent: &Intent) -> Result<(), JournalError> {
        let mut runs = lock(&self.runs);
        let is_over = |noted: &OpenRun| noted.phase == Phase::Closed || noted.intent.job != intent.job;
        runs.retain(|noted| noted.intent.run != intent.run || !is_over(noted));
        if !runs.iter().any(|noted| noted.intent.run == intent.run) {
            runs.push(OpenRun {
                intent: intent.clone(),
                phase: Phase::Planned,
                loaded: None,
            });
        }
        drop(runs);
        self.sync();
        Ok(())
    }

    async fn advance(&self, run: &RunId, phase: Phase) -> Result<(), JournalError> {
        for noted in lock(&self.runs).iter_mut().filter(|noted| noted.intent.run == *run) {
            noted.phase = noted.phase.max(phase);
        }
        self.sync();
        Ok(())
    }

    async fn loaded(&self, run: &RunId, loaded: &Loaded) -> Result<(), JournalError> {
        for noted in lock(&self.runs).iter_mut().filter(|noted| noted.intent.run == *run) {
            noted.loaded = Some(loaded.clone());
        }
        self.sync();
        Ok(())
    }

    async fn platforms(&self) -> Result<Vec<Project>, JournalError> {
        let open = self.open().into_iter().map(|run| run.intent.platform);
        let platforms: BTreeSet<Project> = open.collect();
        Ok(platforms.into_iter().collect())
    }

    async fn open_runs(&self, platform: &Project) -> Result<Vec<OpenRun>, JournalError> {
        let mut open = self.open();
        open.retain(|run| run.intent.platform == *platform);
        open.sort_by(|a, b| (a.intent.since, &a.intent.run).cmp(&(b.intent.since, &b.intent.run)));
        Ok(open)
    }
}
