//! A standstill in which data is replaced. Clients must never meet data of which half is old: as long as nothing
//! was replaced, a failure lets everything run again; from then on it leaves the platform stopped on
//! purpose, and its claim says what is to run again.

use crate::backups::Lease;
use crate::engine::errors::{Error, RunFailure};
use crate::engine::plan::Plan;
use crate::engine::recovery;
use crate::engine::site::{Run, Site};
use crate::engine::standstill::{Broken, Ended, Standstill};
use crate::engine::start::{Degraded, once_each, settled};
use crate::events::Step;
use crate::names::BackupId;
use crate::ports::journal::Phase;
use crate::ports::power::Intent;

/// One change of data, by a run or by whoever takes over from a dead one.
pub(super) struct Change<'a> {
    pub(super) site: &'a Site,
    pub(super) run: &'a Run,
    pub(super) plan: &'a Plan,
    pub(super) intent: &'a Intent,
    /// The backup whose data is to be there.
    pub(super) backup: BackupId,
    /// The repository, where something has to be written into it.
    pub(super) lease: Option<&'a Lease>,
}

impl Change<'_> {
    /// Somebody before us has begun it: data may be half replaced already.
    pub(super) fn is_taken_over(&self) -> bool {
        self.intent.run != *self.run.report.run()
    }

    /// Stops the platform.
    pub(super) async fn begin(&self) -> Result<Standstill, Error> {
        let control = self.site.control(self.run);
        let begun = self
            .run
            .report
            .step(Step::Stop, Standstill::begin(control, self.plan))
            .await;
        match begun {
            Ok(standstill) => {
                self.site.keep_claim(self.run, self.intent).await;
                Ok(standstill)
            }
            Err(broken) => {
                let Broken { cause, standstill } = *broken;
                Err(self.abandon(standstill, cause.into()).await)
            }
        }
    }

    /// Nothing was replaced by us: everything runs again, unless somebody before us has replaced something.
    pub(super) async fn abandon(&self, standstill: Standstill, cause: RunFailure) -> Error {
        if self.is_taken_over() {
            return self.stay_down(standstill, cause).await;
        }
        let degraded = standstill.end_as_step(|| {}).await.degraded;
        self.site.remember_or_warn(self.run, self.intent, &degraded).await;
        Error::Run {
            cause: Box::new(cause),
            degraded,
        }
    }

    /// Leaves the platform stopped on purpose.
    pub(super) async fn stay_down(&self, standstill: Standstill, cause: RunFailure) -> Error {
        self.site.keep_claim(self.run, self.intent).await;
        let intent = Intent {
            job: self.plan.job,
            backup: self.backup,
            ..self.intent.clone()
        };
        Error::StoppedOnPurpose {
            intent: Box::new(intent),
            claimed: self.intent.job,
            cause: Box::new(cause),
            still_running: standstill.leave_stopped(self.plan).await,
        }
    }

    /// All data is what it is to be: everything runs again.
    pub(super) async fn end(&self, standstill: Standstill) -> Ended {
        self.site.keep_claim(self.run, self.intent).await;
        self.site.note(self.run, self.intent, Phase::Undoing).await;
        standstill.end_as_step(|| {}).await
    }

    /// Gives repository and platform free once all of it runs; returns what does not. If something of it is
    /// left in the repository, the next run, which finds this one open, removes it.
    pub(super) async fn close(&self, ended: Ended, nothing_left: bool) -> Vec<Degraded> {
        let confirmed = self.site.control(self.run).confirm(&ended.targets).await;
        let degraded = once_each([settled(ended.degraded, confirmed), self.gone().await].concat());
        self.site.remember_or_warn(self.run, self.intent, &degraded).await;
        if degraded.is_empty() {
            self.site.note(self.run, self.intent, Phase::Verified).await;
        }
        let nothing_left = self.end_lease().await && nothing_left;
        if nothing_left || !degraded.is_empty() {
            self.site.release(self.run, self.intent).await;
        } else {
            self.site.release_claim(self.run, self.intent).await;
        }
        degraded
    }

    /// What was removed since it was recorded: by whoever stopped the platform first, perhaps days ago.
    async fn gone(&self) -> Vec<Degraded> {
        match self.site.machine.catalog.workloads().await {
            Ok(now) => recovery::gone(self.intent, &now),
            Err(error) => {
                self.run.report.warn(format!(
                    "whether anything was removed meanwhile could not be seen: {error}"
                ));
                Vec::new()
            }
        }
    }

    /// Gives the repository free after a failure, and the platform too unless it stays down.
    pub(super) async fn fail(&self, error: Error) -> Error {
        self.end_lease().await;
        if !matches!(error, Error::StoppedOnPurpose { .. }) {
            self.site.release(self.run, self.intent).await;
        }
        error
    }

    /// Gives the repository free, if it was taken; returns whether it is.
    pub(super) async fn end_lease(&self) -> bool {
        match self.lease {
            Some(lease) => self.site.end_lease(self.run, lease).await,
            None => true,
        }
    }
}
