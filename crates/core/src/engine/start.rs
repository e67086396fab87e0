//! Bringing workloads back to what they were: in waves, each awaited as far as the next needs it,
//! failures collected so that one that does not come back never keeps another down.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;

use super::limits::{ENGINE_BACK, ENGINE_LOOK, HEALTHY_AGAIN, LOOK_EVERY, START_AGAIN};
use super::waves::start_waves;
use crate::events::{EventKind, Reporter};
use crate::names::{Address, WorkloadId};
use crate::ports::power::{Compose, Intent, RecordedWorkload};
use crate::ports::{Catalog, Clock, EngineError, Power, within};
use crate::workload::{Health, State, Workload};

/// What is needed to change what runs, and to see that it did.
#[derive(Clone)]
pub struct PowerControl {
    /// Stops and starts.
    pub power: Arc<dyn Power>,
    /// Looks.
    pub catalog: Arc<dyn Catalog>,
    /// Waits.
    pub clock: Arc<dyn Clock>,
    /// Tells.
    pub report: Reporter,
}

/// A workload that is to be as it was.
#[derive(Clone, Debug)]
pub struct Target {
    /// As it was before the run.
    pub was: Workload,
    /// The run has changed its restart policy, which is to be put back.
    pub policy_changed: bool,
    /// The run was never to stop it, and it ran when it was looked at: that it runs is no news.
    pub stood: bool,
}

impl Target {
    /// What a workload is to be again, as it was recorded.
    pub(super) fn of(entry: &RecordedWorkload, now: &Workload, policy_changed: bool) -> Self {
        Self {
            policy_changed,
            stood: entry.grace.is_none() && now.state.is_up(),
            was: Workload {
                state: entry.state,
                restart: entry.restart.clone(),
                health: entry.healthy.then_some(Health::Healthy),
                ..now.clone()
            },
        }
    }

    /// How long it may take to become healthy: as long as its own health check gives it, if that is longer than we do.
    fn patience(&self) -> Duration {
        let own = self.was.health_takes;
        own.map_or(HEALTHY_AGAIN, |takes| takes.max(HEALTHY_AGAIN))
    }
}

/// A workload that did not come back as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Degraded {
    /// Which.
    pub workload: Address,
    /// What is the case instead.
    pub cause: String,
}

impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.workload, self.cause)
    }
}

/// Why a container that is gone does not run, and how it comes back.
pub(super) fn removed(address: &Address, compose: Option<&Compose>) -> String {
    let up = match compose {
        Some(compose) => format!("`{}`", compose.up(address)),
        None => format!("`docker compose up -d {}` in the project's directory", address.service),
    };
    format!("was removed since; {up} makes it again")
}

/// A workload that did not start is not healthy either: its first cause is the one that tells.
pub(super) fn once_each(mut degraded: Vec<Degraded>) -> Vec<Degraded> {
    let mut seen = BTreeSet::new();
    degraded.retain(|entry| seen.insert(entry.workload.clone()));
    degraded
}

/// What is not as it was once everything was confirmed. A start that failed and was made up for since is none of it.
pub(super) fn settled(started: Vec<Degraded>, confirmed: Vec<Degraded>) -> Vec<Degraded> {
    let mut first = started;
    first.retain(|entry| confirmed.iter().any(|other| other.workload == entry.workload));
    once_each([first, confirmed].concat())
}

impl PowerControl {
    /// Starts the targets, pauses again what was paused, and returns those that failed. Returns when
    /// every process runs; [`PowerControl::confirm`] awaits their health.
    pub async fn start(&self, targets: &[Target]) -> Vec<Degraded> {
        self.start_and(targets, || {}).await
    }

    /// The same; `then` is called when the first wave was started, before anybody's health is awaited.
    pub async fn start_and(&self, targets: &[Target], then: impl FnOnce()) -> Vec<Degraded> {
        let mut then = Some(then);
        let workloads: Vec<&Workload> = targets.iter().map(|target| &target.was).collect();
        let mut degraded = Vec::new();
        for wave in start_waves(&workloads) {
            let started = join_all(wave.members.iter().map(|&i| self.start_one(&targets[i]))).await;
            if let Some(then) = then.take() {
                then();
            }
            let awaited = join_all(wave.awaited.iter().map(|&i| self.healthy(&targets[i]))).await;
            degraded.extend(started.into_iter().chain(awaited).filter_map(Result::err));
        }
        degraded
    }

    async fn start_one(&self, target: &Target) -> Result<(), Degraded> {
        let address = &target.was.address;
        if let Err(error) = self.put_back_and_start_patiently(target).await {
            return Err(Degraded {
                workload: address.clone(),
                cause: self.why_not_started(&target.was, &error).await,
            });
        }
        if !target.stood {
            self.report.tell(EventKind::Started {
                workload: address.clone(),
            });
        }
        Ok(())
    }

    /// A network or a volume may be gone, too: only a container can be made again by its service.
    async fn why_not_started(&self, was: &Workload, error: &EngineError) -> String {
        let gone = error.is_gone() && self.resolve(&was.address).await.is_err_and(|error| error.is_gone());
        if gone {
            removed(&was.address, Compose::of(&was.labels).as_ref())
        } else {
            format!("could not be started: {error}")
        }
    }

    /// An engine that is being restarted is waited for: giving up would leave everything down.
    async fn put_back_and_start_patiently(&self, target: &Target) -> Result<(), EngineError> {
        let began = self.clock.elapsed();
        loop {
            match self.put_back_and_start(target).await {
                Err(EngineError::Unreachable { .. }) if self.clock.elapsed().saturating_sub(began) < ENGINE_BACK => {
                    self.clock.sleep(ENGINE_LOOK).await;
                }
                started => return started,
            }
        }
    }

    /// The policy first: a process that dies in between leaves a workload that the engine itself
    /// would start, never one that stays down for ever.
    async fn put_back_and_start(&self, target: &Target) -> Result<(), EngineError> {
        self.put_policy_back(target).await?;
        self.start_found(target).await
    }

    async fn put_policy_back(&self, target: &Target) -> Result<(), EngineError> {
        if target.policy_changed {
            let id = self.look_up(target).await?.id;
            self.power.set_restart(&id, &target.was.restart).await?;
        }
        Ok(())
    }

    /// Puts the restart policies back of what somebody else has started: the change was ours.
    pub async fn put_policies_back(&self, targets: &[Target]) -> Vec<Degraded> {
        let put = join_all(targets.iter().map(|target| self.put_policy_back(target))).await;
        let failed = targets.iter().zip(put).filter_map(|(target, put)| {
            put.err().map(|error| Degraded {
                workload: target.was.address.clone(),
                cause: format!("its restart policy could not be put back: {error}"),
            })
        });
        failed.collect()
    }

    async fn start_found(&self, target: &Target) -> Result<(), EngineError> {
        // A start would thaw what is frozen, and it would run until it is frozen again.
        if target.was.state == State::Paused && self.look(target).await.is_ok_and(|now| now.state == State::Paused) {
            return Ok(());
        }
        let id = match self.power.start(&target.was.id).await {
            Err(error) if error.is_gone() => {
                let id = self.resolve(&target.was.address).await?;
                self.power.start(&id).await?;
                id
            }
            started => started.map(|()| target.was.id.clone())?,
        };
        if target.was.state == State::Paused {
            self.power.pause(&id).await
        } else {
            Ok(())
        }
    }

    /// The container that now stands at this address: an id dies with a recreation, an address does not.
    pub async fn resolve(&self, address: &Address) -> Result<WorkloadId, EngineError> {
        let workloads = self.catalog.workloads().await?;
        workloads
            .into_iter()
            .find(|workload| workload.address == *address)
            .map(|workload| workload.id)
            .ok_or_else(|| EngineError::Gone {
                what: format!("the container of {address}"),
            })
    }

    async fn healthy(&self, target: &Target) -> Result<(), Degraded> {
        let awaited = self.until(target, |now| now.health != Some(Health::Starting));
        let what = format!("{} becoming healthy", target.was.address);
        within(&*self.clock, target.patience(), &what, awaited)
            .await
            .unwrap_or_else(|overdue| Err(overdue.to_string()))
            .map_err(|cause| Degraded {
                workload: target.was.address.clone(),
                cause,
            })
    }

    /// Looks until `good` holds. A process that was just dying when it was started (its store was
    /// killed a moment ago) ends after the engine has said that it runs: it is started again.
    async fn until(&self, target: &Target, good: impl Fn(&Workload) -> bool + Sync) -> Result<(), String> {
        let mut starts = 0;
        loop {
            let now = self.look(target).await?;
            let policy_is_back = !target.policy_changed || now.restart == target.was.restart;
            let is_back = now.state == target.was.state && policy_is_back;
            if is_back && good(&now) {
                return Ok(());
            }
            if !is_back {
                if starts == START_AGAIN {
                    return Err(format!("is {}{}, was {}", now.state, exit_code(&now), target.was.state));
                }
                starts += 1;
                // The first start may have failed before the policy was put back.
                self.put_back_and_start(target)
                    .await
                    .map_err(|error| error.to_string())?;
            }
            self.clock.sleep(LOOK_EVERY).await;
        }
    }

    /// An engine that is being restarted is waited for here too: what it took down is to run again.
    async fn look(&self, target: &Target) -> Result<Workload, String> {
        let began = self.clock.elapsed();
        loop {
            match self.look_up(target).await {
                Err(EngineError::Unreachable { .. } | EngineError::Cut { .. })
                    if self.clock.elapsed().saturating_sub(began) < ENGINE_BACK =>
                {
                    self.clock.sleep(ENGINE_LOOK).await;
                }
                looked => return looked.map_err(|error| error.to_string()),
            }
        }
    }

    async fn look_up(&self, target: &Target) -> Result<Workload, EngineError> {
        match self.catalog.inspect(&target.was.id).await {
            Err(error) if error.is_gone() => {
                let id = self.resolve(&target.was.address).await?;
                self.catalog.inspect(&id).await
            }
            found => found,
        }
    }

    /// Awaits that every target is what it was: running, or paused; not restarted since by the
    /// engine; healthy if it was healthy. Returns those that are not.
    pub async fn confirm(&self, targets: &[Target]) -> Vec<Degraded> {
        let confirmed = join_all(targets.iter().map(|target| self.confirm_one(target))).await;
        let mut degraded: Vec<Degraded> = confirmed.into_iter().filter_map(Result::err).collect();
        degraded.extend(self.cut_off(targets).await);
        degraded
    }

    /// Containers that live in the network of one that was started again after them: they have lost it. Whether there
    /// are any is a courtesy where the engine does not tell.
    async fn cut_off(&self, targets: &[Target]) -> Vec<Degraded> {
        let around = self.catalog.neighbours().await.unwrap_or_default();
        let mut cut_off = Vec::new();
        for neighbour in around.iter().filter(|neighbour| neighbour.network_of.is_some()) {
            let lives_in = |target: &&Target| neighbour.lives_in_network_of(&target.was);
            let Some(target) = targets.iter().find(lives_in) else {
                continue;
            };
            let lender = self.look_up(target).await.ok().and_then(|lender| lender.started_at);
            if neighbour.started_at < lender {
                cut_off.push(Degraded {
                    workload: neighbour.as_address(&target.was.address.project),
                    cause: format!(
                        "uses the network of {}, which was stopped and started: it has none until `docker restart {}`",
                        target.was.address, neighbour.container
                    ),
                });
            }
        }
        cut_off
    }

    async fn confirm_one(&self, target: &Target) -> Result<(), Degraded> {
        let was_healthy = target.was.health == Some(Health::Healthy) && target.was.state == State::Running;
        let began = self.clock.elapsed();
        let is_given_up = || self.clock.elapsed().saturating_sub(began) > HEALTHY_AGAIN;
        let look = async {
            let restarts = self.look(target).await?.restart_count;
            self.until(target, |now| match now.health {
                Some(Health::Healthy) => true,
                Some(Health::Unhealthy) => !was_healthy || is_given_up(),
                Some(Health::Starting) | None => !was_healthy,
            })
            .await?;
            let now = self.look(target).await?;
            if now.restart_count != restarts {
                Err("the engine keeps restarting it".to_owned())
            } else if was_healthy && now.health == Some(Health::Unhealthy) {
                Err("is unhealthy, was healthy".to_owned())
            } else {
                Ok(())
            }
        };
        let what = format!("{} becoming healthy", target.was.address);
        within(&*self.clock, target.patience(), &what, look)
            .await
            .unwrap_or_else(|overdue| Err(overdue.to_string()))
            .map_err(|cause| Degraded {
                workload: target.was.address.clone(),
                cause,
            })
    }
}

fn exit_code(workload: &Workload) -> String {
    workload
        .exit_code
        .filter(|_| !workload.state.is_up())
        .map(|code| format!(" (exit code {code})"))
        .unwrap_or_default()
}

/// The targets that an intent recorded, as far as their containers still exist.
pub fn targets(intent: &Intent, now: &[Workload]) -> Vec<Target> {
    let targets = intent.workloads.iter().filter_map(|entry| {
        let workload = now.iter().find(|workload| workload.address == entry.address)?;
        let policy_changed = intent.job.replaces_data() && workload.restart != entry.restart;
        Some(Target::of(entry, workload, policy_changed))
    });
    targets.collect()
}
