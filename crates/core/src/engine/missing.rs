//! What ran before a run and was not brought back: somebody removed it meanwhile (`docker system prune`), or it did not
//! start. It is remembered until it runs again or its operator lets it go: no claim waits for it, and no later run
//! takes it for stopped on purpose.

use super::errors::Error;
use super::site::{Run, Site};
use super::start::{Degraded, Target, once_each, removed};
use crate::events::Step;
use crate::names::{Address, Project};
use crate::ports::journal::{JournalError, Missing};
use crate::ports::power::Intent;
use crate::workload::{RestartPolicy, Workload};

impl Site {
    /// Remembers what a run did not bring back, before anything of it is closed.
    pub(super) async fn remember(&self, intent: &Intent, degraded: &[Degraded]) -> Result<(), JournalError> {
        let since = self.machine.clock.now();
        let missing = degraded.iter().filter_map(|degraded| {
            let recorded = intent.workloads.iter();
            let was = recorded.clone().find(|entry| entry.address == degraded.workload)?;
            Some(Missing {
                was: was.clone(),
                run: intent.run.clone(),
                since,
                cause: degraded.cause.clone(),
            })
        });
        let missing: Vec<Missing> = missing.collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.machine.journal.note_missing(&missing).await
    }

    /// The same at the end of a run, which a journal that fails now must not hinder.
    pub(super) async fn remember_or_warn(&self, run: &Run, intent: &Intent, degraded: &[Degraded]) {
        if let Err(error) = self.remember(intent, degraded).await {
            run.report
                .warn(format!("{error}: no later run will know what did not come back"));
        }
    }

    /// What earlier runs did not bring back and does not run now, among these workloads. Changes nothing.
    pub async fn missing(&self, platform: &Project, now: &[Workload]) -> Result<Vec<Degraded>, Error> {
        let noted = self.machine.journal.missing(platform).await?;
        let missing = noted.iter().filter(|missing| !is_back(missing, here(missing, now)));
        Ok(missing.map(|missing| told(missing, here(missing, now))).collect())
    }

    /// The same; what runs again is forgotten. The caller holds the lock.
    pub async fn still_missing(&self, platform: &Project) -> Result<Vec<Degraded>, Error> {
        let noted = self.machine.journal.missing(platform).await?;
        if noted.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.machine.catalog.workloads().await?;
        let (back, missing): (Vec<Missing>, Vec<Missing>) = noted
            .into_iter()
            .partition(|missing| is_back(missing, here(missing, &now)));
        self.forget(platform, &back).await?;
        let missing = missing.iter().map(|missing| told(missing, here(missing, &now)));
        Ok(missing.collect())
    }

    /// What a run has yielded, and with it what earlier runs did not bring back.
    pub async fn with_missing<T>(
        &self,
        run: &Run,
        platform: &Project,
        outcome: Result<T, Error>,
        degraded: impl FnOnce(&mut T) -> &mut Vec<Degraded>,
    ) -> Result<T, Error> {
        let missing = self.still_missing(platform).await.unwrap_or_else(|error| {
            run.report
                .warn(format!("what earlier runs did not bring back is not known: {error}"));
            Vec::new()
        });
        let add = |own: &mut Vec<Degraded>| *own = once_each([std::mem::take(own), missing].concat());
        match outcome {
            Ok(mut done) => {
                add(degraded(&mut done));
                Ok(done)
            }
            Err(Error::Run { cause, mut degraded }) => {
                add(&mut degraded);
                Err(Error::Run { cause, degraded })
            }
            failed => failed,
        }
    }

    /// Fails as long as something is missing.
    pub async fn must_be_whole(&self, platform: &Project) -> Result<(), Error> {
        let degraded = self.still_missing(platform).await?;
        if degraded.is_empty() {
            return Ok(());
        }
        let platform = platform.clone();
        Err(Error::StillMissing { platform, degraded })
    }

    /// Starts what is missing and still there.
    pub async fn start_missing(&self, run: &Run, platform: &Project) -> Result<(), Error> {
        let noted = self.machine.journal.missing(platform).await?;
        if noted.is_empty() {
            return Ok(());
        }
        let now = self.machine.catalog.workloads().await?;
        let targets = noted.iter().filter_map(|missing| {
            let now = here(missing, &now).filter(|now| !is_back(missing, Some(now)))?;
            // Only a restore changes a policy, and only to this one.
            let policy_changed = now.restart == RestartPolicy::never() && now.restart != missing.was.restart;
            Some(Target::of(&missing.was, now, policy_changed))
        });
        let targets: Vec<Target> = targets.collect();
        let control = self.control(run);
        let start = async {
            // What does not start is told by whoever looks next.
            control.start(&targets).await;
            control.confirm(&targets).await;
            Ok::<_, Error>(())
        };
        run.report.step(Step::Start, start).await
    }

    /// The operator's word: what is missing is not to come back.
    pub async fn forget_missing(&self, platform: &Project) -> Result<(), Error> {
        let noted = self.machine.journal.missing(platform).await?;
        Ok(self.forget(platform, &noted).await?)
    }

    async fn forget(&self, platform: &Project, missing: &[Missing]) -> Result<(), JournalError> {
        if missing.is_empty() {
            return Ok(());
        }
        let addresses: Vec<Address> = missing.iter().map(|missing| missing.was.address.clone()).collect();
        self.machine.journal.forget_missing(platform, &addresses).await
    }
}

fn here<'a>(missing: &Missing, now: &'a [Workload]) -> Option<&'a Workload> {
    now.iter().find(|workload| workload.address == missing.was.address)
}

/// It runs, or somebody has started it since: if it is down now, that is somebody's wish.
fn is_back(missing: &Missing, now: Option<&Workload>) -> bool {
    now.is_some_and(|now| now.state.is_up() || now.started_at.is_some_and(|at| at > missing.since))
}

fn told(missing: &Missing, now: Option<&Workload>) -> Degraded {
    let Missing { was, run, since, cause } = missing;
    Degraded {
        workload: was.address.clone(),
        cause: match now {
            None => removed(&was.address, was.compose.as_ref()),
            Some(now) => format!(
                "is {} since run {run} did not bring it back ({since}: {cause}); `stillpoint containers start` starts it",
                now.state
            ),
        },
    }
}
