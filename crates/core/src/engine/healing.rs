//! What dead runs have left: whoever takes a platform first brings back what they left down, and ends what they
//! left running or unfinished. A restore that died stays down: clients must not meet data of which half is old.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;

use super::claim::PlatformLock;
use super::errors::Error;
use super::recovery;
use super::restore::{discard, undo};
use super::site::{Run, Site};
use crate::events::Step;
use crate::findings::{Finding, Severity};
use crate::names::Project;
use crate::ports::job::Death;
use crate::ports::journal::{OpenRun, Phase};
use crate::ports::power::Intent;

/// Older than this, what a dead run had stopped may have been left down by its operator on purpose.
const FRESH: Duration = Duration::from_hours(24);

impl Site {
    /// Brings back what a dead backup run left down, and gives its claim free. What a restore
    /// stopped on purpose stays down: its intent is returned. Our lock proves the owner dead only on our own host
    /// and among those who keep their locks where we do: a claim of anybody else is respected.
    pub async fn heal(&self, held: &PlatformLock, run: &Run) -> Result<Option<Intent>, Error> {
        let Some(intent) = self.unfinished(held, run).await? else {
            return Ok(None);
        };
        if self.belongs_to_another_run(&intent) {
            return Err(Error::Held {
                platform: held.platform.clone(),
                by: Some(Box::new(intent)),
            });
        }
        match intent.job.declaration().death {
            Death::StayDown => return Ok(Some(intent)),
            Death::Finish => self.finish_discard(held, run, &intent).await?,
            Death::StartAgain => self.start_again(held, run, &intent).await?,
        }
        Ok(None)
    }

    async fn start_again(&self, held: &PlatformLock, run: &Run, intent: &Intent) -> Result<(), Error> {
        run.report.warn(format!(
            "run {} died and left the platform down: it is brought back first",
            intent.run
        ));
        self.must_be_fresh(run, intent).await?;
        self.bring_back(held, run, intent).await?;
        self.await_stores(held, run).await
    }

    /// Nothing was stopped, so nothing is brought back; but what was begun has no way back.
    pub async fn finish_discard(&self, held: &PlatformLock, run: &Run, intent: &Intent) -> Result<(), Error> {
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
    async fn await_stores(&self, held: &PlatformLock, run: &Run) -> Result<(), Error> {
        let platform = match self.platform(Some(&held.platform)).await {
            Ok(platform) => platform,
            Err(Error::Platform(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let cx = self.cx(run);
        join_all(platform.stores.values().map(|store| store.ready(&cx))).await;
        Ok(())
    }

    /// The platforms on which a run has left something, as claims and journal say: no container of theirs needs to be
    /// there, and no store to be recognised.
    pub async fn left(&self, run: &Run) -> Result<BTreeSet<Project>, Error> {
        let mut left: BTreeSet<Project> = self.machine.power.held().await?.into_iter().collect();
        match self.machine.journal.platforms().await {
            Ok(platforms) => left.extend(platforms),
            Err(error) if left.is_empty() => return Err(error.into()),
            Err(error) => run
                .report
                .warn(format!("{error}; what is left to do is told by the engine alone")),
        }
        Ok(left)
    }

    /// The intent of a run that did not come to its end: from the claim, or from the journal where
    /// somebody removed the claim. A restore's claim is then made again: it says what is down on purpose.
    pub async fn unfinished(&self, held: &PlatformLock, run: &Run) -> Result<Option<Intent>, Error> {
        let claimed = self.machine.power.claimed(&held.platform).await?;
        let open = match (self.machine.journal.open_runs(&held.platform).await, &claimed) {
            (Ok(open), _) => open,
            // Without either nobody knows whether what is down was stopped by a run or by its operator.
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some(_)) => {
                run.report
                    .warn(format!("{error}; what is left to do is told by the engine alone"));
                Vec::new()
            }
        };
        if claimed
            .as_ref()
            .is_some_and(|intent| self.belongs_to_another_run(intent))
        {
            return Ok(claimed);
        }
        let by_journal = claimed.is_none();
        let found = claimed.or_else(|| newest_that_acted(&open));
        self.close_others(run, &open, found.as_ref()).await;
        match found {
            Some(intent) if by_journal && intent.job.replaces_data() => {
                let removed = format!("the claim of run {} was removed by somebody", intent.run);
                run.report.warn(match self.make_claim(&intent).await {
                    Ok(_) => format!("{removed}; it is made again"),
                    // The journal still has the intent: what it says is done all the same.
                    Err(error) => format!("{removed}, and could not be made again: {error}"),
                });
                Ok(Some(intent))
            }
            found => Ok(found),
        }
    }

    /// What a run has left of a platform that is nobody's work now, in words, with what can be done. Changes nothing: whoever
    /// looks holds no lock.
    pub async fn left_behind(&self, platform: &Project) -> Option<Finding> {
        let claimed = self.machine.power.claimed(platform).await.ok()?;
        let intent = match claimed {
            Some(intent) => intent,
            None => newest_that_acted(&self.machine.journal.open_runs(platform).await.ok()?)?,
        };
        if self.belongs_to_another_run(&intent) || intent.process == self.machine.process {
            return None;
        }
        Some(match intent.job.declaration().death {
            Death::StayDown => {
                let error = Error::RestoreUnfinished(Box::new(intent));
                Finding::refuses(error.to_string(), error.class().hint)
            }
            Death::StartAgain | Death::Finish => Finding {
                severity: Severity::Warns,
                what: format!(
                    "{} (run {}) died on {}: what it has stopped may be down",
                    intent.described(),
                    intent.run,
                    intent.host
                ),
                remedy: Some("`stillpoint containers recover` brings it back; so does the next run".to_owned()),
            },
        })
    }

    /// Of dead runs that stopped nothing, or whose work was seen to be back, only leftovers remain.
    async fn close_others(&self, run: &Run, open: &[OpenRun], found: Option<&Intent>) {
        for OpenRun { intent, phase, .. } in open {
            let other = found.is_none_or(|found| found.run != intent.run);
            if !other || !self.reap(run, intent).await {
                continue;
            }
            let undone = intent.job.declaration().uses_up_a_copy && *phase == Phase::Verified;
            if !undone || undo::forget_later(self, run, intent).await {
                self.note(run, intent, Phase::Closed).await;
            }
        }
    }

    /// An old intent is acted upon only if nobody has touched anything since.
    async fn must_be_fresh(&self, run: &Run, intent: &Intent) -> Result<(), Error> {
        let age = run.began.duration_since(intent.since);
        if age.unsigned_abs() <= FRESH {
            return Ok(());
        }
        let touched = recovery::touched(&self.control(run), intent).await?;
        if touched.is_empty() {
            return Ok(());
        }
        Err(Error::RecoveryIncomplete {
            run: intent.run.clone(),
            degraded: touched,
        })
    }

    /// Starts what the intent's run had stopped, and ends its claim once all of it runs that is still there. What
    /// somebody has removed is remembered.
    pub async fn bring_back(&self, held: &PlatformLock, run: &Run, intent: &Intent) -> Result<(), Error> {
        let control = self.control(run);
        recovery::thaw(&control, intent).await?;
        let reaped = self.reap(run, intent).await;
        let back = run.report.step(Step::Start, recovery::recover(&control, intent));
        let mut recovered = back.await?;
        if intent.job.replaces_data() {
            // Each store is waited for until it answers, which may take minutes: what is not back is told before.
            for degraded in recovered.degraded.iter().chain(&recovered.gone) {
                run.report.warn(degraded.to_string());
            }
            let held_off = self.resume_jobs(run, intent, &recovered.stood).await?;
            recovered.degraded.extend(held_off);
        }
        if !recovered.degraded.is_empty() {
            return Err(Error::RecoveryIncomplete {
                run: intent.run.clone(),
                degraded: recovered.all(),
            });
        }
        self.remember(intent, &recovered.gone).await?;
        self.note(run, intent, Phase::Verified).await;
        // What could not be reaped keeps the run open: the next one tries again.
        if reaped {
            self.note(run, intent, Phase::Closed).await;
        }
        Ok(self.machine.power.release(&held.platform).await?)
    }
}

/// Of one that only planned nothing is down; of one that was seen to be back nothing is left to do.
fn newest_that_acted(open: &[OpenRun]) -> Option<Intent> {
    let acted = |open: &&OpenRun| (Phase::Acting..Phase::Verified).contains(&open.phase);
    open.iter().rfind(acted).map(|open| open.intent.clone())
}
