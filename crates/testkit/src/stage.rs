//! Runs in a simulated world, each with what it told, and the comparison of before and after.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stillpoint_core::backups::{Copied, Damage};
use stillpoint_core::doctor::SiteFacts;
use stillpoint_core::engine::backup::Sealed;
use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::engine::plan::Plan;
use stillpoint_core::engine::prune::Pruned;
use stillpoint_core::engine::remove::{Removed, Removing};
use stillpoint_core::engine::restore::discard::Discarded;
use stillpoint_core::engine::restore::undo::Undone;
use stillpoint_core::engine::restore::{Rehearsed, Restored};
use stillpoint_core::engine::start::Degraded;
use stillpoint_core::engine::stores::{CheckedStore, Stores};
use stillpoint_core::manifest::{Manifest, Mode};
use stillpoint_core::names::{BackupId, Project, StoreName};
use stillpoint_core::operations::{BackupList, Operations, Restore, RunRequest, Scope, Terms};
use stillpoint_core::ports::{Clock, Repository};
use stillpoint_core::selection::Selection;
use stillpoint_core::workload::State;

use crate::fakes::World;
use crate::recorder::Recorder;

/// How a run ended, and what it told.
pub struct Told<T> {
    /// How it ended.
    pub outcome: Result<T, Error>,
    /// What it told.
    pub recorder: Arc<Recorder>,
}

/// Something that may have left workloads behind.
pub trait Degrades {
    /// What is not as it was.
    fn degraded(&self) -> &[Degraded];

    /// Whether something is missing, as was accepted.
    fn has_gaps(&self) -> bool {
        false
    }
}

impl Degrades for Sealed {
    fn degraded(&self) -> &[Degraded] {
        &self.degraded
    }
}

impl Degrades for Restored {
    fn degraded(&self) -> &[Degraded] {
        &self.degraded
    }

    fn has_gaps(&self) -> bool {
        !self.gaps.is_empty()
    }
}

impl Degrades for Undone {
    fn degraded(&self) -> &[Degraded] {
        &self.degraded
    }
}

impl Degrades for Discarded {
    fn degraded(&self) -> &[Degraded] {
        &[]
    }
}

impl Degrades for Rehearsed {
    fn degraded(&self) -> &[Degraded] {
        &[]
    }
}

impl Degrades for Pruned {
    fn degraded(&self) -> &[Degraded] {
        &[]
    }
}

impl Degrades for Manifest {
    fn degraded(&self) -> &[Degraded] {
        &[]
    }
}

impl Degrades for () {
    fn degraded(&self) -> &[Degraded] {
        &[]
    }
}

impl Degrades for Vec<Degraded> {
    fn degraded(&self) -> &[Degraded] {
        self
    }
}

impl Degrades for Error {
    fn degraded(&self) -> &[Degraded] {
        match self {
            Self::Run { degraded, .. }
            | Self::RecoveryIncomplete { degraded, .. }
            | Self::StillMissing { degraded, .. } => degraded,
            _ => &[],
        }
    }
}

impl<T: Degrades> Told<T> {
    /// The same of any job: what it yielded, but for what is degraded, is forgotten.
    pub fn of_any_job(self) -> Told<Vec<Degraded>> {
        Told {
            outcome: self.outcome.map(|done| done.degraded().to_vec()),
            recorder: self.recorder,
        }
    }

    /// The exit code with which the program would end.
    pub fn exit(&self) -> Exit {
        match &self.outcome {
            Ok(done) if done.degraded().is_empty() && !done.has_gaps() => Exit::Ok,
            Ok(_) => Exit::Degraded,
            Err(error) => error.class().exit,
        }
    }

    /// The services that the run names as not being what they were.
    pub fn degraded(&self) -> Vec<String> {
        let degraded = match &self.outcome {
            Ok(done) => done.degraded(),
            Err(error) => error.degraded(),
        };
        degraded.iter().map(|entry| entry.workload.to_string()).collect()
    }

    /// The error's own words, and its hint; empty after a success.
    pub fn words(&self) -> String {
        match &self.outcome {
            Ok(_) => String::new(),
            Err(error) => format!("{error} ({})", error.class().hint),
        }
    }
}

impl World {
    async fn run<T, F: Future<Output = Result<T, Error>>>(&self, act: impl FnOnce(RunRequest) -> F) -> Told<T> {
        self.run_on(None, act).await
    }

    async fn run_on<T, F: Future<Output = Result<T, Error>>>(
        &self,
        platform: Option<&str>,
        act: impl FnOnce(RunRequest) -> F,
    ) -> Told<T> {
        let recorder = Arc::new(Recorder::default());
        let order = RunRequest {
            run: None,
            platform: platform.map(Project::new),
            listener: recorder.clone(),
            cancel: self.interrupt(),
        };
        let outcome = act(order).await;
        Told { outcome, recorder }
    }

    /// Makes a backup.
    pub async fn backup(&self) -> Told<Sealed> {
        let operations = self.operations();
        self.run(|order| operations.backup(None, order)).await
    }

    /// Looks at what a backup would find before it stops anything.
    pub async fn look_ahead(&self) -> Told<Plan> {
        let operations = self.operations();
        self.run(|order| operations.look_ahead(None, order)).await
    }

    /// Makes a backup during whose drains every client stays down.
    pub async fn backup_on_hold(&self) -> Told<Sealed> {
        let operations = self.operations();
        self.run(|order| operations.backup(Some(Mode::Hold), order)).await
    }

    /// Restores a backup.
    pub async fn restore(&self, backup: BackupId) -> Told<Restored> {
        self.restore_of(backup, Selection::default()).await
    }

    /// Restores some of a backup.
    pub async fn restore_of(&self, backup: BackupId, selection: Selection) -> Told<Restored> {
        let operations = self.operations();
        let what = Restore {
            selection,
            ..backup.into()
        };
        self.run(|order| operations.restore(what, order)).await
    }

    /// Restores a backup, and keeps no way back.
    pub async fn restore_for_good(&self, backup: BackupId) -> Told<Restored> {
        let terms = Terms {
            discard_old: true,
            ..Terms::default()
        };
        self.restore_on(backup, terms).await
    }

    /// Restores a backup on these terms.
    pub async fn restore_on(&self, backup: BackupId, terms: Terms) -> Told<Restored> {
        let operations = self.operations();
        let what = Restore { terms, ..backup.into() };
        self.run(|order| operations.restore(what, order)).await
    }

    /// Goes on with a restore that stands unfinished.
    pub async fn resume(&self) -> Told<Restored> {
        self.resume_on(Terms::default()).await
    }

    /// The same on these terms.
    pub async fn resume_on(&self, terms: Terms) -> Told<Restored> {
        let operations = self.operations();
        self.run(|order| operations.resume_restore(terms, order)).await
    }

    /// Brings back what a restore has replaced.
    pub async fn undo(&self) -> Told<Undone> {
        let operations = self.operations();
        self.run(|order| operations.undo_restore(order)).await
    }

    /// Frees what a restore has replaced.
    pub async fn discard_old(&self) -> Told<Discarded> {
        let operations = self.operations();
        self.run(|order| operations.discard_old(order)).await
    }

    /// Looks whether a restore could succeed.
    pub async fn rehearse(&self, backup: BackupId, selection: Selection) -> Told<Rehearsed> {
        let operations = self.operations();
        let what = Restore {
            selection,
            ..backup.into()
        };
        self.run(|order| operations.rehearse_restore(what, order)).await
    }

    /// Time passes: backups are named after the second in which they begin.
    pub async fn wait_a_minute(&self) {
        self.clock.sleep(Duration::from_mins(1)).await;
    }

    /// Starts what an earlier run left down.
    pub async fn start_containers(&self) -> Told<()> {
        self.start_containers_of(None).await
    }

    /// The same of a platform that is named.
    pub async fn start_containers_of(&self, platform: Option<&str>) -> Told<()> {
        let operations = self.operations();
        self.run_on(platform, |order| operations.start_containers(false, order))
            .await
    }

    /// The same, and what is missing then is not to come back.
    pub async fn forget_missing(&self) -> Told<()> {
        let operations = self.operations();
        self.run(|order| operations.start_containers(true, order)).await
    }

    /// Brings back what dead backups left down, as a watchdog or a boot unit does it.
    pub async fn recover(&self) -> Told<()> {
        self.recover_of(None).await
    }

    /// The same of a platform that is named.
    pub async fn recover_of(&self, platform: Option<&str>) -> Told<()> {
        let operations = self.operations();
        self.run_on(platform, |order| operations.recover(order)).await
    }

    /// Reads a backup whole, and returns what is wrong with it.
    pub async fn verify(&self, backup: BackupId) -> Result<Vec<Damage>, Error> {
        let operations = self.operations();
        let told = self.run(|order| operations.verify(Scope::One(backup), order)).await;
        let checked = told.outcome?.checked.into_iter();
        Ok(checked.flat_map(|checked| checked.outcome.damage).collect())
    }

    /// Asks everything that a doctor goes by.
    pub async fn examine(&self, platform: &str) -> Result<SiteFacts, Error> {
        let operations = self.operations();
        let told = self.run_on(Some(platform), |order| operations.examine(order)).await;
        told.outcome
    }

    /// Deletes what retention lets go.
    pub async fn prune(&self) -> Told<Pruned> {
        let operations = self.operations();
        self.run(|order| operations.prune(false, order)).await
    }

    /// Says what retention would let go.
    pub async fn would_prune(&self) -> Told<Pruned> {
        let operations = self.operations();
        self.run(|order| operations.prune(true, order)).await
    }

    /// Deletes what is named.
    pub async fn remove_backups(&self, wish: &Removing) -> Told<Removed> {
        let operations = self.operations();
        self.run(|order| operations.remove(wish, order)).await
    }

    /// Copies a backup, or these of its stores, into another repository.
    pub async fn get(&self, backup: BackupId, stores: &[StoreName], into: &dyn Repository) -> Told<Copied> {
        let operations = self.operations();
        self.run(|order| operations.get(backup, stores, into, order)).await
    }

    /// Opens these stores as a backup would.
    pub async fn check_stores(&self, stores: &[StoreName]) -> Told<Stores<CheckedStore>> {
        let operations = self.operations();
        self.run(|order| operations.check_stores(stores, order)).await
    }

    /// Keeps a backup from retention.
    pub async fn protect(&self, backup: BackupId) -> Result<(), Error> {
        let operations = self.operations();
        self.run(|order| operations.protect(backup, order)).await.outcome
    }

    /// Gives a backup back to retention.
    pub async fn unprotect(&self, backup: BackupId) -> Result<(), Error> {
        let operations = self.operations();
        self.run(|order| operations.unprotect(backup, order)).await.outcome
    }

    /// Takes over what others made.
    pub async fn adopt(&self, backup: BackupId) -> Told<Manifest> {
        let operations = self.operations();
        self.run(|order| operations.adopt(backup, order)).await
    }

    /// The backups there are.
    pub async fn list(&self) -> Result<BackupList, Error> {
        self.operations().list().await
    }

    /// What runs now, and since when.
    pub fn picture(&self) -> Picture {
        let entry = |workload: stillpoint_core::workload::Workload| {
            (workload.id.to_string(), (workload.state, workload.started_at))
        };
        Picture(self.workloads().into_iter().map(entry).collect())
    }
}

/// What ran at a moment, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture(BTreeMap<String, (State, Option<Timestamp>)>);

impl Picture {
    /// The containers whose state differs now, in order of their ids.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let differs = |(id, (state, _)): (&String, &(State, _))| {
            let same = now.0.get(id).is_some_and(|(now, _)| now == state);
            (!same).then(|| id.clone())
        };
        self.0.iter().filter_map(differs).collect()
    }

    /// The containers that were stopped, started or paused since, whatever they do now.
    pub fn touched(&self, now: &Self) -> Vec<String> {
        let differs = |(id, was): (&String, _)| (now.0.get(id) != Some(was)).then(|| id.clone());
        self.0.iter().filter_map(differs).collect()
    }

    /// The containers that have a process.
    pub fn up(&self) -> Vec<String> {
        let up = |(id, (state, _)): (&String, &(State, _))| state.is_up().then(|| id.clone());
        self.0.iter().filter_map(up).collect()
    }
}
