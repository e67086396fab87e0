//! Everything a job works with: the ports of one engine and one repository, and who we are.

use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::limits::STREAM_IDLE;
use super::plan::Plan;
use super::platform::{self, Platform};
use super::recovery;
use super::start::{Degraded, Hands};
use crate::backups::{Backups, Damage};
use crate::errors::Error;
use crate::events::{Reporter, Step};
use crate::manifest::Manifest;
use crate::names::{BackupId, Project};
use crate::ports::power::{Claim, Intent, Job};
use crate::ports::{Catalog, Clock, Cx, Guard, Kind, Locks, Power, Reach, Shell};

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

/// A platform that is ours: no other run touches it until this is released.
pub struct Held {
    platform: Project,
    _lock: Box<dyn Guard>,
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
        Cx {
            shell: self.shell.clone(),
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

    /// Shuts out the other processes of this host. Fails at once if one of them is at work.
    pub async fn lock(&self, platform: &Project) -> Result<Held, Error> {
        match self.locks.take(platform)? {
            Some(lock) => Ok(Held {
                platform: platform.clone(),
                _lock: lock,
            }),
            None => Err(Error::Held {
                platform: platform.clone(),
                // That it is held is known; by whom is a courtesy.
                by: self.power.claimed(platform).await.ok().flatten().map(Box::new),
            }),
        }
    }

    /// Brings back what a dead backup run left down, and gives its claim free. What a restore
    /// stopped on purpose stays down: its intent is returned. Our lock proves the owner dead only
    /// on our own host: a claim made from another one is respected.
    pub async fn heal(&self, held: &Held, run: &Run) -> Result<Option<Intent>, Error> {
        let Some(intent) = self.power.claimed(&held.platform).await? else {
            return Ok(None);
        };
        if intent.host != self.host {
            return Err(Error::Held {
                platform: held.platform.clone(),
                by: Some(Box::new(intent)),
            });
        }
        if intent.job == Job::FullRestoreJob {
            return Ok(Some(intent));
        }
        run.report.warn(format!(
            "run {} died and left the platform down: it is brought back first",
            intent.run
        ));
        let degraded = self.bring_back(held, run, &intent).await?;
        if degraded.is_empty() {
            self.await_stores(held, run).await?;
            Ok(None)
        } else {
            Err(Error::RecoveryIncomplete {
                run: intent.run,
                degraded,
            })
        }
    }

    /// Stores that were only just started do not answer at once. One that never does is not told
    /// here: whoever asks it next will know more.
    async fn await_stores(&self, held: &Held, run: &Run) -> Result<(), Error> {
        let platform = self.platform(Some(&held.platform)).await?;
        let cx = self.cx(run);
        join_all(platform.stores.values().map(|store| store.ready(&cx))).await;
        Ok(())
    }

    /// Starts what the intent's run had stopped, and gives its claim free once all of it runs.
    pub async fn bring_back(&self, held: &Held, run: &Run, intent: &Intent) -> Result<Vec<Degraded>, Error> {
        let degraded = run
            .report
            .step(Step::Start, recovery::recover(&self.hands(run), intent))
            .await?;
        if degraded.is_empty() {
            self.power.release(&held.platform).await?;
        }
        Ok(degraded)
    }

    /// Takes the platform, so that the engine itself knows what is to run again.
    pub async fn claim(&self, held: &Held, run: &Run, plan: &Plan, job: Job, backup: BackupId) -> Result<(), Error> {
        let intent = Intent {
            platform: held.platform.clone(),
            run: run.report.run().clone(),
            job,
            backup,
            host: self.host.clone(),
            process: self.process,
            since: run.began,
            workloads: plan.recorded(),
        };
        // Any image that the engine has will do: the claim's container is never started.
        let image = plan
            .entries
            .first()
            .map_or("", |entry| entry.workload.image_id.as_str());
        match self.power.claim(&intent, image).await {
            Ok(Claim::Ours) => Ok(()),
            Ok(Claim::Held(by)) => Err(Error::Held {
                platform: intent.platform,
                by: Some(by),
            }),
            Err(error) => {
                self.disclaim(held, run).await;
                Err(error.into())
            }
        }
    }

    /// Takes back a claim whose answer got lost: the engine may have made it all the same.
    async fn disclaim(&self, held: &Held, run: &Run) {
        let claimed = self.power.claimed(&held.platform).await;
        if claimed.is_ok_and(|intent| intent.is_some_and(|intent| intent.run == *run.report.run())) {
            self.release(held, run).await;
        }
    }

    /// Gives the platform free. A failure is told: the run's outcome does not depend on it.
    pub async fn release(&self, held: &Held, run: &Run) {
        if let Err(error) = self.power.release(&held.platform).await {
            run.report
                .warn(format!("the claim on {} could not be removed: {error}", held.platform));
        }
    }
}
