//! The use cases, one file each. Command line, web and scheduler call these and nothing deeper.

mod adopt;
mod backup;
mod containers;
mod doctor;
mod get;
mod list;
mod maintenance;
mod order;
mod restore;
mod retention;
mod stores;
mod verify;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, info_span};

pub use list::{Backup, BackupList, Newest};
pub use order::Order;
pub use restore::{Restore, Terms};
pub use verify::{Checked, Scope, Verification};

use crate::backups::Copied;
use crate::doctor::SiteFacts;
use crate::engine::backup::Sealed;
use crate::engine::errors::Error;
use crate::engine::machine::Machine;
use crate::engine::plan::Plan;
use crate::engine::prune::Pruned;
use crate::engine::remove::{Removed, Removing};
use crate::engine::restore::discard::Discarded;
use crate::engine::restore::undo::Undone;
use crate::engine::restore::{Rehearsed, Restored};
use crate::engine::site::{Run, Site};
use crate::engine::stores::{CheckedStore, KnownStore, Stores};
use crate::events::{Listener, Reporter};
use crate::maintenance::{Cleaned, CleanupWish, Repacked, Status};
use crate::manifest::{Manifest, Mode};
use crate::names::{BackupId, Project, RunId, StoreName, escape};
use crate::ports::Repository;

/// The number of the next run of this process.
static RUNS: AtomicU64 = AtomicU64::new(1);

/// What can be asked of Stillpoint. `Local` does it in this process; a client of a running daemon
/// will offer the same.
#[async_trait]
pub trait Operations: Send + Sync {
    /// What a backup would do with each workload.
    async fn plan(&self, platform: Option<&Project>) -> Result<Plan, Error>;

    /// The same, with everything that a backup would find before it stops anything; `mode` overrides how clients are kept
    /// away. Writes nothing.
    async fn look_ahead(&self, mode: Option<Mode>, request: RunRequest) -> Result<Plan, Error>;

    /// The platform's stores.
    async fn stores(&self, platform: Option<&Project>) -> Result<Stores<KnownStore>, Error>;

    /// Opens these of the platform's stores, all if none is named, as a backup would before it stops anything. Changes nothing.
    async fn check_stores(&self, stores: &[StoreName], request: RunRequest) -> Result<Stores<CheckedStore>, Error>;

    /// Makes a backup; `mode` overrides how clients are kept away.
    async fn backup(&self, mode: Option<Mode>, request: RunRequest) -> Result<Sealed, Error>;

    /// Overwrites the platform's data with a backup's.
    async fn restore(&self, what: Restore, request: RunRequest) -> Result<Restored, Error>;

    /// Goes on with a restore that stands unfinished; what it has loaded stays.
    async fn resume_restore(&self, terms: Terms, request: RunRequest) -> Result<Restored, Error>;

    /// Brings back what a restore has replaced, whether it finished, failed or died.
    async fn undo_restore(&self, request: RunRequest) -> Result<Undone, Error>;

    /// What [`Operations::undo_restore`] would lose, in words, one for each store. Changes nothing.
    async fn undo_would_lose(&self, request: RunRequest) -> Result<Vec<String>, Error>;

    /// Frees what a restore has replaced: from then on there is no way back.
    async fn discard_old(&self, request: RunRequest) -> Result<Discarded, Error>;

    /// Looks whether a restore could succeed, and says what it would do. Changes nothing.
    async fn rehearse_restore(&self, what: Restore, request: RunRequest) -> Result<Rehearsed, Error>;

    /// Brings back what an earlier run stopped and did not start again. With `forget`, what is missing after that is
    /// not expected back any more.
    async fn start_containers(&self, forget: bool, request: RunRequest) -> Result<(), Error>;

    /// Brings back what dead backups left down; leaves alone what a restore stopped on purpose.
    async fn recover(&self, request: RunRequest) -> Result<(), Error>;

    /// Reads backups to their last byte, compares them with their manifests, and writes the outcome
    /// beside them. That one is damaged is an outcome, not a failure.
    async fn verify(&self, scope: Scope, request: RunRequest) -> Result<Verification, Error>;

    /// Deletes what retention lets go; with `dry_run` only says what that would be.
    async fn prune(&self, dry_run: bool, request: RunRequest) -> Result<Pruned, Error>;

    /// Deletes the backups that are named; all of them, or none if one of them must stay.
    async fn remove(&self, wish: &Removing, request: RunRequest) -> Result<Removed, Error>;

    /// Copies a backup, or these of its stores alone, into another place, which is a repository then. Each object exists there
    /// only if it is what the manifest says.
    async fn get(
        &self,
        backup: BackupId,
        stores: &[StoreName],
        into: &dyn Repository,
        request: RunRequest,
    ) -> Result<Copied, Error>;

    /// Keeps a backup from retention.
    async fn protect(&self, backup: BackupId, request: RunRequest) -> Result<(), Error>;

    /// Gives a backup back to retention.
    async fn unprotect(&self, backup: BackupId, request: RunRequest) -> Result<(), Error>;

    /// Takes over a backup that others made in this layout.
    async fn adopt(&self, backup: BackupId, request: RunRequest) -> Result<Manifest, Error>;

    /// Deletes old logs and framework events of Dagster's databases. What could not be done is in what is returned.
    async fn cleanup(&self, wish: CleanupWish, request: RunRequest) -> Result<Cleaned, Error>;

    /// Counts what [`Operations::cleanup`] would delete. Changes nothing.
    async fn count_cleanup(&self, request: RunRequest) -> Result<Cleaned, Error>;

    /// Gives the room back that deleted rows of Dagster's databases take; with `dry_run` only looks whether it could. What
    /// could not be done is in what is returned.
    async fn repack(&self, dry_run: bool, request: RunRequest) -> Result<Repacked, Error>;

    /// How Dagster's databases stand. Changes nothing.
    async fn maintenance_status(&self, request: RunRequest) -> Result<Status, Error>;

    /// Asks engine, stores and repository everything that [`crate::doctor::diagnose`] goes by. Stops nothing, and changes nothing
    /// but for what it tries the repository with, and takes away again.
    async fn examine(&self, request: RunRequest) -> Result<SiteFacts, Error>;

    /// The backups there are, oldest first.
    async fn list(&self) -> Result<BackupList, Error>;

    /// One backup's manifest.
    async fn show(&self, backup: BackupId) -> Result<Manifest, Error>;
}

/// What every run needs from whoever orders it.
pub struct RunRequest {
    /// The id of the run, where it has one already.
    pub run: Option<RunId>,
    /// The platform, where there may be more than one.
    pub platform: Option<Project>,
    /// Hears what happens.
    pub listener: Arc<dyn Listener>,
    /// Ends the run early; what was done is undone.
    pub cancel: CancellationToken,
}

/// The use cases, done in this process.
pub struct Local {
    site: Site,
}

impl Local {
    /// Works with these ports.
    pub fn new(site: Site) -> Self {
        Self { site }
    }

    /// A new run, and what diagnostics of all that it does belong to.
    fn begin(&self, job: &'static str, request: &RunRequest) -> (Run, Span) {
        let run = self.run(request);
        let span = info_span!(target: "stillpoint::run", "run", job, id = %run.report.run());
        (run, span)
    }

    /// An id that no other run has.
    pub fn new_run(&self) -> RunId {
        let machine = &self.site.machine;
        // Two hosts may well begin in one moment, from one timetable, and in containers all are process 1.
        let host = escape(&machine.host);
        // Two runs of one process may begin in one millisecond.
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let began = machine.clock.now().as_millisecond();
        RunId::new(format!("{began}-{host}-{}-{number}", machine.process))
    }

    /// The host, this process, and the clock by which runs are noted.
    pub fn machine(&self) -> &Machine {
        &self.site.machine
    }

    fn run(&self, request: &RunRequest) -> Run {
        let began = self.site.machine.clock.now();
        let id = request.run.clone().unwrap_or_else(|| self.new_run());
        let report = Reporter::new(id, self.site.machine.clock.clone(), request.listener.clone());
        Run {
            began,
            report,
            cancel: request.cancel.clone(),
        }
    }
}

#[async_trait]
impl Operations for Local {
    async fn plan(&self, platform: Option<&Project>) -> Result<Plan, Error> {
        containers::plan(&self.site, platform).await
    }

    async fn look_ahead(&self, mode: Option<Mode>, request: RunRequest) -> Result<Plan, Error> {
        let (run, span) = self.begin("plan", &request);
        containers::look_ahead(&self.site, &run, request.platform.as_ref(), mode)
            .instrument(span)
            .await
    }

    async fn stores(&self, platform: Option<&Project>) -> Result<Stores<KnownStore>, Error> {
        stores::list(&self.site, platform).await
    }

    async fn check_stores(&self, wanted: &[StoreName], request: RunRequest) -> Result<Stores<CheckedStore>, Error> {
        let (run, span) = self.begin("check stores", &request);
        stores::check(&self.site, &run, request.platform.as_ref(), wanted)
            .instrument(span)
            .await
    }

    async fn backup(&self, mode: Option<Mode>, request: RunRequest) -> Result<Sealed, Error> {
        let (run, span) = self.begin("backup", &request);
        backup::backup(&self.site, &run, request.platform.as_ref(), mode)
            .instrument(span)
            .await
    }

    async fn restore(&self, what: Restore, request: RunRequest) -> Result<Restored, Error> {
        let (run, span) = self.begin("restore", &request);
        restore::restore(&self.site, &run, request.platform.as_ref(), &what)
            .instrument(span)
            .await
    }

    async fn resume_restore(&self, terms: Terms, request: RunRequest) -> Result<Restored, Error> {
        let (run, span) = self.begin("resume restore", &request);
        restore::resume(&self.site, &run, request.platform.as_ref(), terms)
            .instrument(span)
            .await
    }

    async fn undo_restore(&self, request: RunRequest) -> Result<Undone, Error> {
        let (run, span) = self.begin("undo restore", &request);
        restore::undo(&self.site, &run, request.platform.as_ref())
            .instrument(span)
            .await
    }

    async fn undo_would_lose(&self, request: RunRequest) -> Result<Vec<String>, Error> {
        let (run, span) = self.begin("look at what an undo would lose", &request);
        restore::undo_would_lose(&self.site, &run, request.platform.as_ref())
            .instrument(span)
            .await
    }

    async fn discard_old(&self, request: RunRequest) -> Result<Discarded, Error> {
        let (run, span) = self.begin("discard old data", &request);
        restore::discard_old(&self.site, &run, request.platform.as_ref())
            .instrument(span)
            .await
    }

    async fn rehearse_restore(&self, what: Restore, request: RunRequest) -> Result<Rehearsed, Error> {
        let (run, span) = self.begin("rehearse restore", &request);
        restore::rehearse(&self.site, &run, request.platform.as_ref(), &what)
            .instrument(span)
            .await
    }

    async fn start_containers(&self, forget: bool, request: RunRequest) -> Result<(), Error> {
        let (run, span) = self.begin("start containers", &request);
        containers::start(&self.site, &run, request.platform.as_ref(), forget)
            .instrument(span)
            .await
    }

    async fn recover(&self, request: RunRequest) -> Result<(), Error> {
        let (run, span) = self.begin("recover", &request);
        containers::recover(&self.site, &run, request.platform.as_ref())
            .instrument(span)
            .await
    }

    async fn verify(&self, scope: Scope, request: RunRequest) -> Result<Verification, Error> {
        let (run, span) = self.begin("verify", &request);
        verify::verify(&self.site, &run, request.platform.as_ref(), scope)
            .instrument(span)
            .await
    }

    async fn prune(&self, dry_run: bool, request: RunRequest) -> Result<Pruned, Error> {
        let (run, span) = self.begin("prune", &request);
        retention::prune(&self.site, &run, request.platform.as_ref(), dry_run)
            .instrument(span)
            .await
    }

    async fn remove(&self, wish: &Removing, request: RunRequest) -> Result<Removed, Error> {
        let (run, span) = self.begin("remove backups", &request);
        retention::remove(&self.site, &run, request.platform.as_ref(), wish)
            .instrument(span)
            .await
    }

    async fn get(
        &self,
        backup: BackupId,
        stores: &[StoreName],
        into: &dyn Repository,
        request: RunRequest,
    ) -> Result<Copied, Error> {
        let (run, span) = self.begin("get backup", &request);
        get::get(&self.site, &run, backup, stores, into).instrument(span).await
    }

    async fn protect(&self, backup: BackupId, request: RunRequest) -> Result<(), Error> {
        let (run, span) = self.begin("protect", &request);
        retention::protect(&self.site, &run, backup).instrument(span).await
    }

    async fn unprotect(&self, backup: BackupId, _request: RunRequest) -> Result<(), Error> {
        retention::unprotect(&self.site, backup).await
    }

    async fn adopt(&self, backup: BackupId, request: RunRequest) -> Result<Manifest, Error> {
        let (run, span) = self.begin("adopt", &request);
        adopt::adopt(&self.site, &run, request.platform.as_ref(), backup)
            .instrument(span)
            .await
    }

    async fn cleanup(&self, wish: CleanupWish, request: RunRequest) -> Result<Cleaned, Error> {
        let (run, span) = self.begin("cleanup", &request);
        maintenance::cleanup(&self.site, &run, request.platform.as_ref(), wish)
            .instrument(span)
            .await
    }

    async fn count_cleanup(&self, request: RunRequest) -> Result<Cleaned, Error> {
        let (run, span) = self.begin("count what a cleanup would delete", &request);
        maintenance::count(&self.site, &run, request.platform.as_ref())
            .instrument(span)
            .await
    }

    async fn repack(&self, dry_run: bool, request: RunRequest) -> Result<Repacked, Error> {
        let (run, span) = self.begin("repack", &request);
        maintenance::repack(&self.site, &run, request.platform.as_ref(), dry_run)
            .instrument(span)
            .await
    }

    async fn maintenance_status(&self, request: RunRequest) -> Result<Status, Error> {
        let (run, span) = self.begin("maintenance status", &request);
        maintenance::status(&self.site, &run, request.platform.as_ref())
            .instrument(span)
            .await
    }

    async fn examine(&self, request: RunRequest) -> Result<SiteFacts, Error> {
        let (run, span) = self.begin("doctor", &request);
        doctor::examine(&self.site, &run, request.platform.as_ref())
            .instrument(span)
            .await
    }

    async fn list(&self) -> Result<BackupList, Error> {
        list::list(&self.site).await
    }

    async fn show(&self, backup: BackupId) -> Result<Manifest, Error> {
        Ok(self.site.backups.complete(backup).await?)
    }
}
