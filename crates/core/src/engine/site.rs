//! Everything a job works with: the ports of one engine and one repository, and who we are.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::limits::STREAM_IDLE;
use super::marked_shell::MarkedShell;
use super::platform::{self, Platform};
use super::start::Hands;
use crate::backups::{Backups, Damage};
use crate::errors::Error;
use crate::events::{Reporter, Step};
use crate::manifest::Manifest;
use crate::names::{Project, RunId};
use crate::ports::{Catalog, Clock, Cx, Journal, Kind, Locks, Power, Reach, Shell};

/// The wired world.
#[derive(Clone)]
pub struct Site {
    /// Reads the platform.
    pub catalog: Arc<dyn Catalog>,
    /// Stops and starts; handed to the standstill, never to a store.
    pub power: Arc<dyn Power>,
    /// Runs tools in containers.
    pub shell: Arc<dyn Shell>,
    /// Dials stores.
    pub reach: Arc<dyn Reach>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Tells who is alive.
    pub locks: Arc<dyn Locks>,
    /// Remembers what runs intended.
    pub journal: Arc<dyn Journal>,
    /// Keeps the backups.
    pub backups: Backups,
    /// The kinds of store that are known.
    pub kinds: Vec<Arc<dyn Kind>>,
    /// This host's name.
    pub host: String,
    /// This process.
    pub process: u32,
    /// Stillpoint's version.
    pub version: String,
}

/// One run of one job.
#[derive(Clone)]
pub struct Run {
    /// When it began.
    pub began: Timestamp,
    /// Its mouth, which knows its id.
    pub report: Reporter,
    /// Ends it early: what was done is undone.
    pub cancel: CancellationToken,
}

impl Run {
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
    /// Finds the platform: the one named, or the only one.
    pub async fn platform(&self, wanted: Option<&Project>) -> Result<Platform, Error> {
        let workloads = self.catalog.workloads().await?;
        Ok(platform::find(workloads, &self.kinds, wanted)?)
    }

    /// Reads a backup whole, as a step of the run, and returns what is not as its manifest says.
    pub async fn damage(&self, run: &Run, manifest: &Manifest) -> Result<Vec<Damage>, Error> {
        let read = self.backups.damage(manifest, &run.report);
        let step = run.report.step(Step::Verify, async {
            let read = run.unless_cancelled(read).await?;
            read.map_err(|cause| Error::Repository {
                place: self.backups.place(),
                cause,
            })
        });
        step.await
    }

    /// What a store's call may use.
    pub fn cx(&self, run: &Run) -> Cx {
        self.cx_as(run, run.report.run())
    }

    /// The same; the processes that it starts are marked as those of `owner`, whose work is taken over.
    pub fn cx_as(&self, run: &Run, owner: &RunId) -> Cx {
        Cx {
            shell: Arc::new(MarkedShell::new(self.shell.clone(), owner.clone())),
            reach: self.reach.clone(),
            clock: self.clock.clone(),
            report: run.report.clone(),
            cancel: run.cancel.clone(),
            idle_limit: STREAM_IDLE,
        }
    }

    /// What changes and watches workloads.
    pub fn hands(&self, run: &Run) -> Hands {
        Hands {
            power: self.power.clone(),
            catalog: self.catalog.clone(),
            clock: self.clock.clone(),
            report: run.report.clone(),
        }
    }
}
