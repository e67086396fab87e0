//! Holding a platform: the lock says who lives, the claim what is to run again, the journal the same
//! for the case that somebody removed the claim.

use super::limits::{LOOK_EVERY, WATCHDOG};
use super::plan::Plan;
use super::site::{Run, Site};
use crate::engine::errors::Error;
use crate::logins::Passwords;
use crate::names::{BackupId, Project};
use crate::ports::Guard;
use crate::ports::journal::Phase;
use crate::ports::power::{Claim, Intent};
use crate::selection::Selection;

/// A platform that no other process of this host touches until this is dropped.
pub struct PlatformLock {
    pub(super) platform: Project,
    _lock: Box<dyn Guard>,
}

impl Site {
    /// Shuts out the other processes of this host. Fails at once if one of them is at work.
    pub async fn lock(&self, platform: &Project) -> Result<PlatformLock, Error> {
        match self.machine.locks.take(platform)? {
            Some(lock) => Ok(PlatformLock {
                platform: platform.clone(),
                _lock: lock,
            }),
            None => Err(Error::Held {
                platform: platform.clone(),
                // That it is held is known; by whom is a courtesy.
                by: self.machine.power.claimed(platform).await.ok().flatten().map(Box::new),
            }),
        }
    }

    /// The same; the watchdog of a run that died is waited for, as long as it takes to bring a platform back.
    pub async fn lock_after_watchdog(&self, run: &Run, platform: &Project) -> Result<PlatformLock, Error> {
        let began = self.machine.clock.elapsed();
        let mut told = false;
        loop {
            let by = match self.lock(platform).await {
                Err(Error::Held { by, .. }) => by,
                locked => return locked,
            };
            let by = match by {
                Some(by) => Some(by),
                None => self.newest_open(platform).await.map(Box::new),
            };
            let is_dead = |by: &Intent| by.host == self.machine.host && !self.is_at_work(by);
            // Its claim goes a moment before its lock.
            let waits =
                by.as_deref().map_or(told, is_dead) && self.machine.clock.elapsed().saturating_sub(began) < WATCHDOG;
            if !waits {
                let platform = platform.clone();
                return Err(Error::Held { platform, by });
            }
            if let (Some(by), false) = (&by, told) {
                told = true;
                run.report.warn(format!(
                    "run {} of platform {platform} has died (process {}), and its watchdog is at work: waiting for it",
                    by.run, by.process
                ));
            }
            self.machine.clock.sleep(LOOK_EVERY).await;
        }
    }

    async fn newest_open(&self, platform: &Project) -> Option<Intent> {
        let open = self.machine.journal.open_runs(platform).await.ok()?;
        open.into_iter().next_back().map(|open| open.intent)
    }

    /// Whether the process of a run on this host lives. The lock tells of the processes that keep theirs in the same
    /// directory; others have other locks.
    pub fn is_at_work(&self, intent: &Intent) -> bool {
        intent.host == self.machine.host
            && intent.process != self.machine.process
            && self.machine.locks.lives(intent.process, intent.since)
    }

    /// Somebody else's run, on another host or beside us, which nobody may take for dead.
    pub(super) fn belongs_to_another_run(&self, intent: &Intent) -> bool {
        intent.host != self.machine.host || self.is_at_work(intent)
    }

    /// What a run will do.
    pub fn intent(&self, held: &PlatformLock, run: &Run, plan: &Plan, backup: BackupId) -> Intent {
        Intent {
            platform: held.platform.clone(),
            run: run.report.run().clone(),
            job: plan.job,
            backup,
            host: self.machine.host.clone(),
            process: self.machine.process,
            since: run.began,
            workloads: plan.recorded(),
            no_way_back: false,
            passwords: Passwords::default(),
            selection: Selection::default(),
            guest_of: None,
        }
    }

    /// Notes what a run will do, before it does anything that could outlive it.
    pub async fn intend(&self, held: &PlatformLock, run: &Run, plan: &Plan, backup: BackupId) -> Result<Intent, Error> {
        let intent = self.intent(held, run, plan, backup);
        self.machine.journal.plan(&intent).await?;
        Ok(intent)
    }

    /// Takes the platform, so that journal and engine know what is to run again before it is stopped.
    pub async fn claim(&self, run: &Run, intent: &Intent) -> Result<(), Error> {
        match self.make_claim(intent).await {
            Ok(Claim::Ours) => {}
            Ok(Claim::Held(by)) => {
                self.note(run, intent, Phase::Closed).await;
                return Err(Error::Held {
                    platform: intent.platform.clone(),
                    by: Some(by),
                });
            }
            Err(error) => {
                self.disclaim(run, intent).await;
                return Err(error.into());
            }
        }
        if let Err(error) = self.machine.journal.advance(&intent.run, Phase::Acting).await {
            self.release(run, intent).await;
            return Err(error.into());
        }
        Ok(())
    }

    pub(super) async fn make_claim(&self, intent: &Intent) -> Result<Claim, crate::ports::EngineError> {
        // Any image that the engine has will do: the claim's container is never started.
        let workloads = self.machine.catalog.workloads().await?;
        let mine = workloads
            .iter()
            .find(|workload| workload.address.project == intent.platform);
        let any = mine.or(workloads.first());
        let image = any.map_or("", |workload| workload.image_id.as_str());
        self.machine.power.claim(intent, image).await
    }

    /// Makes the claim again if somebody has removed it (`docker container prune`). A claim that
    /// cannot be made again is told: the journal still has the intent.
    pub async fn keep_claim(&self, run: &Run, intent: &Intent) {
        let kept = match self.machine.power.claimed(&intent.platform).await {
            Ok(Some(_)) => return,
            Ok(None) => self.make_claim(intent).await.map(drop),
            Err(error) => Err(error),
        };
        run.report.warn(match kept {
            Ok(()) => "somebody removed this run's claim; it was made again".to_owned(),
            Err(error) => format!("this run's claim is gone and could not be made again: {error}"),
        });
    }

    /// Notes how far a run came on its way back. A journal that fails now must not hinder the way.
    pub async fn note(&self, run: &Run, intent: &Intent, phase: Phase) {
        if let Err(error) = self.machine.journal.advance(&intent.run, phase).await {
            run.report.warn(error.to_string());
        }
    }

    /// Takes back a claim whose answer got lost: the engine may have made it all the same.
    async fn disclaim(&self, run: &Run, intent: &Intent) {
        let claimed = self.machine.power.claimed(&intent.platform).await;
        if claimed.is_ok_and(|holder| holder.is_some_and(|holder| holder.run == intent.run)) {
            self.release(run, intent).await;
        } else {
            self.note(run, intent, Phase::Closed).await;
        }
    }

    /// Gives the platform free. The claim goes last: if we die in between, it is what the next run
    /// finds, and there is nothing left to bring back. A failure is told: the run's outcome does not
    /// depend on it.
    pub async fn release(&self, run: &Run, intent: &Intent) {
        self.note(run, intent, Phase::Closed).await;
        self.release_claim(run, intent).await;
    }

    /// Ends the claim. A run whose journal is still open has left something behind, but nothing down.
    pub async fn release_claim(&self, run: &Run, intent: &Intent) {
        if let Err(error) = self.machine.power.release(&intent.platform).await {
            run.report.warn(format!(
                "the claim on {} could not be removed: {error}",
                intent.platform
            ));
        }
    }
}
