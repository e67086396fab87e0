//! What a job works with: one platform's instance on a [`Machine`].

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::keep::Keep;
use super::look::{self, Observed, Observer};
use super::machine::Machine;
use super::platform::Platform;
use super::start::PowerControl;
use crate::backups::{Backups, Damage, Holder, Lease, LeaseError};
use crate::engine::errors::{Error, PreflightError};
use crate::events::{Reporter, Step};
use crate::maintenance::Rules;
use crate::manifest::{Manifest, Mode, StoreRecord};
use crate::names::{BackupId, Project, RunId};
use crate::ports::gateway::Verified;
use crate::ports::power::Intent;
use crate::ports::{EngineError, RepositoryError};
use crate::retention::{CLOCK_TOLERANCE, Policy};
use crate::stores::{Cx, Kind, StoreError};

/// One platform's instance: its repository and its rules, on a machine.
#[derive(Clone)]
pub struct Site {
    /// The engine, the host and this process.
    pub machine: Machine,
    /// Keeps the backups.
    pub backups: Backups,
    /// The kinds of store that are known, with what is configured for this platform's.
    pub kinds: Vec<Arc<dyn Kind>>,
    /// What is never stopped.
    pub keep: Keep,
    /// How backups keep clients away, and for how long at most.
    pub standstill: StandstillRules,
    /// How long backups stay.
    pub retention: Policy,
    /// How long the repository stays ours without a renewal.
    pub lease: Duration,
    /// How Dagster's databases are kept lean.
    pub maintenance: Rules,
}

/// What a backup does when work has not ended in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenBusy {
    /// It goes on, and names what it cuts.
    #[default]
    GoOn,
    /// It is not made.
    Skip,
}

impl std::str::FromStr for WhenBusy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "go-on" => Ok(Self::GoOn),
            "skip" => Ok(Self::Skip),
            other => Err(format!("`{other}` is neither `go-on` nor `skip`")),
        }
    }
}

/// How backups keep clients away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StandstillRules {
    /// For every store and run that says nothing else.
    pub mode: Mode,
    /// For how long at most; none: [`super::limits::STANDSTILL`], and no limit where the clients wait for a drain.
    pub max: Option<Duration>,
    /// How long a backup waits for jobs that run once.
    pub jobs: Duration,
    /// How long a backup waits for work that it would cut.
    pub busy: Duration,
    /// What it does then.
    pub when_busy: WhenBusy,
}

/// Why a run may not begin, and whether it has left nothing behind.
pub struct Refused {
    /// Why.
    pub error: Error,
    /// Nothing of it is left.
    pub nothing_left: bool,
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            nothing_left: true,
        }
    }
}

/// One run of one job.
#[derive(Clone)]
pub struct Run {
    /// When it began.
    pub began: Timestamp,
    /// Reports events with the run's id.
    pub report: Reporter,
    /// Ends it early: what was done is undone.
    pub cancel: CancellationToken,
}

impl Run {
    /// The same run, ended also by whoever holds the token that is returned.
    pub fn guarded(&self) -> (Self, CancellationToken) {
        let cancel = self.cancel.child_token();
        let guarded = Self {
            cancel: cancel.clone(),
            ..self.clone()
        };
        (guarded, cancel)
    }

    /// Awaits what only looks, and drops it when the run is cancelled.
    pub async fn unless_cancelled<T>(&self, look: impl Future<Output = T>) -> Result<T, Error> {
        let seen = self.cancel.run_until_cancelled(look).await;
        seen.ok_or(Error::Interrupted)
    }

    /// Fails if the run was cancelled.
    pub fn check(&self) -> Result<(), Error> {
        if self.cancel.is_cancelled() {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }
}

impl Site {
    fn observer(&self) -> Observer<'_> {
        Observer {
            catalog: &*self.machine.catalog,
            reach: &*self.machine.reach,
            clock: &*self.machine.clock,
        }
    }

    /// Looks at the platform's workloads, and inside them.
    pub(super) async fn seen(&self, platform: &Project) -> Result<Observed, EngineError> {
        look::observe(self.observer(), &self.kinds, &self.keep, Some(platform)).await
    }

    /// Finds the platform: the one named, or the only one.
    pub async fn platform(&self, wanted: Option<&Project>) -> Result<Platform, Error> {
        look::look(self.observer(), &self.kinds, &self.keep, wanted).await
    }

    /// Reads a backup whole, as a step of the run, and returns what is not as its manifest says. Where a
    /// store of the platform runs, its own tools read along: a dump that was broken when it was hashed
    /// has the right hash.
    pub async fn damage(
        &self,
        run: &Run,
        manifest: &Manifest,
        platform: Option<&Platform>,
    ) -> Result<Vec<Damage>, Error> {
        let read = async {
            let mut damage = self.unnamed(run, manifest).await?;
            for record in &manifest.stores {
                damage.extend(self.damage_of(run, manifest.id, record, platform).await?);
            }
            Ok(damage)
        };
        run.report.step(Step::Verify, read).await
    }

    /// What lies in a backup and is not in its manifest.
    pub async fn unnamed(&self, run: &Run, manifest: &Manifest) -> Result<Vec<Damage>, Error> {
        let unnamed = run
            .unless_cancelled(self.backups.unnamed(manifest, &run.report))
            .await?;
        unnamed.map_err(|cause| self.repository_failed(cause))
    }

    /// Reads one store's share of a backup; see [`Site::damage`].
    pub async fn damage_of(
        &self,
        run: &Run,
        backup: BackupId,
        record: &StoreRecord,
        platform: Option<&Platform>,
    ) -> Result<Vec<Damage>, Error> {
        let hashes = async || Ok(self.read_by_hashes(run, backup, record).await?.1);
        let Some(store) = platform.and_then(|platform| platform.running(record)) else {
            return hashes().await;
        };
        let artifacts = self.backups.artifacts(backup, &run.report);
        match store.check_artifacts(&self.cx(run), record, &artifacts).await {
            Ok(damage) => Ok(damage),
            Err(StoreError::Cancelled) => Err(Error::Interrupted),
            Err(StoreError::Repository(cause)) => Err(self.repository_failed(cause)),
            Err(cause) => {
                run.report.warn(format!(
                    "{}: its own tools cannot read along, only hashes are compared: {cause}",
                    record.name
                ));
                hashes().await
            }
        }
    }

    /// Reads one store's share of a backup: what the store has written by itself and is sound, and what is not.
    pub(super) async fn read_by_hashes(
        &self,
        run: &Run,
        backup: BackupId,
        record: &StoreRecord,
    ) -> Result<(Vec<Verified>, Vec<Damage>), Error> {
        let artifacts = self.backups.artifacts(backup, &run.report);
        let read = run.unless_cancelled(artifacts.read_all(record)).await?;
        read.map_err(|cause| self.repository_failed(cause))
    }

    /// Enters the repository to write: it must be this platform's, and nobody else may be writing.
    pub async fn open_for_writing(&self, run: &Run, platform: &Project) -> Result<Lease, Refused> {
        self.must_be_ours(platform).await?;
        self.take_lease(run, run.report.run(), platform).await
    }

    /// The same in the name of a run that is gone on with: whoever finds what that run has left behind frees it. A guest
    /// leaves the repository to its owner.
    pub async fn open_for_copies(&self, run: &Run, intent: &Intent) -> Result<Lease, Refused> {
        match &intent.guest_of {
            None => self.must_be_ours(&intent.platform).await?,
            Some(_) => self.must_take_guest(intent).await?,
        }
        self.take_lease(run, &intent.run, &intent.platform).await
    }

    async fn take_lease(&self, run: &Run, owner: &RunId, platform: &Project) -> Result<Lease, Refused> {
        match self.lease(run, owner, platform).await {
            Ok(lease) => Ok(lease),
            // It may have been made all the same, if the answer got lost.
            Err(error @ Error::Preflight(_)) => {
                let nothing_left = self.backups.free_lease_of(owner).await.is_ok();
                Err(Refused { error, nothing_left })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn must_be_ours(&self, platform: &Project) -> Result<(), Error> {
        let owner = self
            .backups
            .owned_by(platform)
            .await
            .map_err(|cause| self.unfit(cause))?;
        if owner != *platform {
            let place = self.backups.place();
            return Err(PreflightError::ForeignRepository { place, owner }.into());
        }
        self.clocks_agree().await
    }

    async fn must_take_guest(&self, intent: &Intent) -> Result<(), Error> {
        let owner = self.backups.owner().await.map_err(|cause| self.unfit(cause))?;
        match owner.filter(|owner| !intent.may_write_into(owner)) {
            Some(owner) => {
                let place = self.backups.place();
                Err(PreflightError::ForeignRepository { place, owner }.into())
            }
            None => self.clocks_agree().await,
        }
    }

    /// An error of the repository before anything was begun.
    pub fn unfit(&self, cause: RepositoryError) -> Error {
        let place = self.backups.place();
        PreflightError::Repository { place, cause }.into()
    }

    /// An error of the repository outside a run.
    pub fn repository_failed(&self, cause: RepositoryError) -> Error {
        let place = self.backups.place();
        Error::Repository { place, cause }
    }

    /// Takes the repository for this run. The caller holds the platform's lock.
    async fn lease(&self, run: &Run, owner: &RunId, platform: &Project) -> Result<Lease, Error> {
        let holder = Holder {
            run: owner.clone(),
            platform: platform.clone(),
            host: self.machine.host.clone(),
            process: self.machine.process,
            since: run.began,
        };
        let taken = self.backups.lease(self.machine.clock.clone(), holder, self.lease).await;
        taken.map_err(|cause| match cause {
            LeaseError::Repository(cause) => self.unfit(cause),
            cause => self.lease_failed(cause),
        })
    }

    /// An error of the lease outside a run.
    pub fn lease_failed(&self, cause: LeaseError) -> Error {
        let place = self.backups.place();
        match cause {
            LeaseError::Repository(cause) => Error::Repository { place, cause },
            cause => Error::Lease { place, cause },
        }
    }

    /// Gives the repository free; returns whether it is. What could not be freed frees itself when its
    /// term is over.
    pub async fn end_lease(&self, run: &Run, lease: &Lease) -> bool {
        let released = lease.release().await;
        if let Err(error) = &released {
            run.report.warn(format!(
                "{} could not be given free, it stays held for up to {} s: {error}",
                self.backups.place(),
                self.lease.as_secs()
            ));
        }
        released.is_ok()
    }

    /// Removes what a failed run has left unfinished in the repository, its lease too; returns whether
    /// nothing is left.
    pub async fn remove_remains(&self, run: &Run, backup: BackupId) -> bool {
        let swept = self.backups.sweep(backup, run.report.run()).await;
        if let Err(error) = &swept {
            run.report.warn(format!(
                "{} could not be tidied up, the next run will try again: {error}",
                self.backups.place()
            ));
        }
        swept.is_ok()
    }

    /// Runs that delete or compare ages need clocks that agree.
    async fn clocks_agree(&self) -> Result<(), Error> {
        let theirs = self.backups.clock().await.map_err(|cause| self.unfit(cause))?;
        let ours = self.machine.clock.now();
        if ours.duration_since(theirs).abs() <= CLOCK_TOLERANCE {
            return Ok(());
        }
        let place = self.backups.place();
        Err(PreflightError::Clocks { place, ours, theirs }.into())
    }

    /// What a store's call may use.
    pub fn cx(&self, run: &Run) -> Cx {
        self.cx_as(run, run.report.run())
    }

    /// The same; the processes that it starts are marked as those of `owner`, whose work is taken over.
    pub fn cx_as(&self, run: &Run, owner: &RunId) -> Cx {
        self.machine.cx(owner, &run.report, &run.cancel)
    }

    /// What changes and watches workloads.
    pub fn control(&self, run: &Run) -> PowerControl {
        self.machine.control(&run.report)
    }
}
