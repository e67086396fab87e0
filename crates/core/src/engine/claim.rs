//! Holding a platform: the lock says who lives, the claim what is to run again, the journal the same
//! for the case that somebody removed the claim. Whoever takes a platform first brings back what a
//! dead run left down.

use std::time::Duration;

use futures::future::join_all;

use super::plan::Plan;
use super::platform;
use super::recovery;
use super::restore::{discard, undo};
use super::site::{Run, Site};
use super::start::Degraded;
use crate::errors::Error;
use crate::events::Step;
use crate::logins::Passwords;
use crate::names::{BackupId, Project};
use crate::ports::Guard;
use crate::ports::journal::{OpenRun, Phase};
use crate::ports::power::{Claim, Intent, Job};

/// Older than this, what a dead run had stopped may have been left down by its operator on purpose.
const FRESH: Duration = Duration::from_hours(24);

/// A platform that no other process of this host touches until this is dropped.
pub struct Held {
    platform: Project,
    _lock: Box<dyn Guard>,
}

impl Site {
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
        let Some(intent) = self.unfinished(held, run).await? else {
            return Ok(None);
        };
        if intent.host != self.host {
            return Err(Error::Held {
                platform: held.platform.clone(),
                by: Some(Box::new(intent)),
            });
        }
        if intent.job.replaces_data() {
            return Ok(Some(intent));
        }
        if intent.job == Job::DiscardJob {
            self.finish_discard(held, run, &intent).await?;
            return Ok(None);
        }
        let dead = &intent.run;
        run.report.warn(format!(
            "run {dead} died and left the platform down: it is brought back first"
        ));
        self.must_be_fresh(run, &intent).await?;
        self.bring_back(held, run, &intent).await?;
        self.await_stores(held, run).await?;
        Ok(None)
    }

    /// Nothing was stopped, so nothing is brought back; but what was begun has no way back.
    pub async fn finish_discard(&self, held: &Held, run: &Run, intent: &Intent) -> Result<(), Error> {
        let platform = self.platform(Some(&held.platform)).await?;
        if self.reap(run, intent).await {
            discard::finish(self, run, &platform, intent).await
        } else {
            let left = format!("what run {} has left behind could not be ended", intent.run);
            Err(Error::NotDiscarded(vec![left]))
        }
    }

    /// Stores that were only just started do not answer at once. One that never does is not told
    /// here: whoever asks it next will know more.
    async fn await_stores(&self, held: &Held, run: &Run) -> Result<(), Error> {
        let workloads = self.catalog.workloads().await?;
        let mine = workloads
            .into_iter()
            .filter(|workload| workload.address.project == held.platform);
        let Ok(platform) = platform::find(mine.collect(), &self.kinds, &self.keep, None) else {
            return Ok(());
        };
        let cx = self.cx(run);
        join_all(platform.stores.values().map(|store| store.ready(&cx))).await;
        Ok(())
    }

    /// The intent of a run that did not come to its end: from the claim, or from the journal where
    /// somebody removed the claim. A restore's claim is then made again: it says what is down on purpose.
    pub async fn unfinished(&self, held: &Held, run: &Run) -> Result<Option<Intent>, Error> {
        let claimed = self.power.claimed(&held.platform).await?;
        let open = match (self.journal.open_runs(&held.platform).await, &claimed) {
            (Ok(open), _) => open,
            // Without either nobody knows whether what is down was stopped by a run or by its operator.
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some(_)) => {
                run.report
                    .warn(format!("{error}; what is left to do is told by the engine alone"));
                Vec::new()
            }
        };
        if claimed.as_ref().is_some_and(|intent| intent.host != self.host) {
            return Ok(claimed);
        }
        let by_journal = claimed.is_none();
        let found = claimed.or_else(|| newest_that_acted(&open));
        self.close_others(run, &open, found.as_ref()).await;
        match found {
            Some(intent) if by_journal && intent.job.replaces_data() => {
                run.report.warn(format!(
                    "the claim of run {} was removed by somebody; it is made again",
                    intent.run
                ));
                self.make_claim(&intent).await?;
                Ok(Some(intent))
            }
            found => Ok(found),
        }
    }

    /// Of dead runs that stopped nothing, or whose work was seen to be back, only leftovers remain.
    async fn close_others(&self, run: &Run, open: &[OpenRun], found: Option<&Intent>) {
        for OpenRun { intent, phase, .. } in open {
            let other = found.is_none_or(|found| found.run != intent.run);
            if !other || !self.reap(run, intent).await {
                continue;
            }
            let undone = intent.job == Job::UndoJob && *phase == Phase::Verified;
            if !undone || undo::forget_later(self, run, intent).await {
                self.note(run, intent, Phase::Closed).await;
            }
        }
    }

    /// Ends what a dead run has left running or unfinished; returns whether nothing of it is left.
    pub async fn reap(&self, run: &Run, intent: &Intent) -> bool {
        recovery::reap(&self.hands(run), &*self.shell, &self.backups, intent).await
    }

    /// An old intent is acted upon only if nobody has touched anything since.
    async fn must_be_fresh(&self, run: &Run, intent: &Intent) -> Result<(), Error> {
        let age = run.began.duration_since(intent.since);
        if age.unsigned_abs() <= FRESH {
            return Ok(());
        }
        let touched = recovery::touched(&self.hands(run), intent).await?;
        if touched.is_empty() {
            return Ok(());
        }
        Err(Error::RecoveryIncomplete {
            run: intent.run.clone(),
            degraded: touched,
        })
    }

    /// Starts what the intent's run had stopped, and ends its claim once all of it runs.
    pub async fn bring_back(&self, held: &Held, run: &Run, intent: &Intent) -> Result<(), Error> {
        let hands = self.hands(run);
        let reaped = self.reap(run, intent).await;
        let back = run.report.step(Step::Start, recovery::recover(&hands, intent));
        let degraded: Vec<Degraded> = back.await?;
        if !degraded.is_empty() {
            return Err(Error::RecoveryIncomplete {
                run: intent.run.clone(),
                degraded,
            });
        }
        self.note(run, intent, Phase::Verified).await;
        // What could not be reaped keeps the run open: the next one tries again.
        if reaped {
            self.note(run, intent, Phase::Closed).await;
        }
        Ok(self.power.release(&held.platform).await?)
    }

    /// What a run will do.
    pub fn intent(&self, held: &Held, run: &Run, plan: &Plan, backup: BackupId) -> Intent {
        Intent {
            platform: held.platform.clone(),
            run: run.report.run().clone(),
            job: plan.job,
            backup,
            host: self.host.clone(),
            process: self.process,
            since: run.began,
            workloads: plan.recorded(),
            no_way_back: false,
            passwords: Passwords::default(),
        }
    }

    /// Notes what a run will do, before it does anything that could outlive it.
    pub async fn intend(&self, held: &Held, run: &Run, plan: &Plan, backup: BackupId) -> Result<Intent, Error> {
        let intent = self.intent(held, run, plan, backup);
        self.journal.plan(&intent).await?;
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
        if let Err(error) = self.journal.advance(&intent.run, Phase::Acting).await {
            self.release(run, intent).await;
            return Err(error.into());
        }
        Ok(())
    }

    async fn make_claim(&self, intent: &Intent) -> Result<Claim, crate::ports::EngineError> {
        // Any image that the engine has will do: the claim's container is never started.
        let workloads = self.catalog.workloads().await?;
        let mine = workloads
            .iter()
            .find(|workload| workload.address.project == intent.platform);
        let image = mine.map_or("", |workload| workload.image_id.as_str());
        self.power.claim(intent, image).await
    }

    /// Makes the claim again if somebody has removed it (`docker container prune`). A claim that
    /// cannot be made again is told: the journal still has the intent.
    pub async fn keep_claim(&self, run: &Run, intent: &Intent) {
        let kept = match self.power.claimed(&intent.platform).await {
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
        if let Err(error) = self.journal.advance(&intent.run, phase).await {
            run.report.warn(error.to_string());
        }
    }

    /// Takes back a claim whose answer got lost: the engine may have made it all the same.
    async fn disclaim(&self, run: &Run, intent: &Intent) {
        let claimed = self.power.claimed(&intent.platform).await;
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
        if let Err(error) = self.power.release(&intent.platform).await {
            run.report.warn(format!(
                "the claim on {} could not be removed: {error}",
                intent.platform
            ));
        }
    }
}

/// Of one that only planned nothing is down; of one that was seen to be back nothing is left to do.
fn newest_that_acted(open: &[OpenRun]) -> Option<Intent> {
    let acted = |open: &&OpenRun| (Phase::Acting..Phase::Verified).contains(&open.phase);
    open.iter().rfind(acted).map(|open| open.intent.clone())
}
