//! The standstill: what is managed stops in parallel, nothing of it runs until the end, and what ran
//! before runs again. The only holder of [`crate::ports::Power`].
//!
//! A standstill that was begun, wholly or in part, must be ended by [`Standstill::end`] or left on
//! purpose by [`Standstill::leave_stopped`].

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::plan::{Action, Entry, Plan};
use super::site::Run;
use super::start::{Degraded, Hands, Target};
use crate::events::{Kind, Step, millis};
use crate::manifest;
use crate::names::{Address, StoreName};
use crate::ports::power::Stopped;
use crate::ports::{EngineError, Footing, Store};
use crate::workload::{RestartPolicy, State, Workload};

/// A platform that stands still.
pub struct Standstill {
    hands: Hands,
    /// What was stopped, as it was before.
    stopped: Vec<Managed>,
    /// Stores that the run itself has started inside the standstill, as it last left them.
    alone: Mutex<BTreeMap<StoreName, Alone>>,
    stopping: Timestamp,
    began: Timestamp,
    clock: Duration,
    /// Restart policies were set to `no`: what is down must stay down, whatever happens.
    holds_down: bool,
}

/// A store that was started alone, and may have been stopped again.
#[derive(Clone, Copy)]
struct Alone {
    footing: Footing,
    started_at: Option<Timestamp>,
}

struct Managed {
    was: Workload,
    store: Option<StoreName>,
    /// What it gets to stop.
    grace: Duration,
    /// Its last start as seen once it had stopped.
    started_at: Option<Timestamp>,
}

/// Why the platform does not stand still.
#[derive(Debug, thiserror::Error)]
pub enum StandstillError {
    /// A workload did not stop.
    #[error("{workload} could not be stopped: {cause}")]
    NotStopped {
        /// Which.
        workload: Address,
        /// Why.
        cause: EngineError,
    },
    /// A store was killed when its grace was over.
    #[error("{store} did not stop within {} s and was killed: what it holds is what its crash recovery found", grace.as_secs())]
    Killed {
        /// Which.
        store: StoreName,
        /// What it was given.
        grace: Duration,
    },
    /// A store that has to be stopped for a restore is one of those that never are.
    #[error("{store} is kept, and its data can be replaced only while it is stopped")]
    Kept {
        /// Which.
        store: StoreName,
    },
    /// A store could not be started alone.
    #[error("{store} could not be started for its dump: {cause}")]
    NotStarted {
        /// Which.
        store: StoreName,
        /// Why.
        cause: EngineError,
    },
    /// Something ran that should not have: the point in time is void.
    #[error("the point in time is void: {}", .0.join("; "))]
    Void(Vec<String>),
    /// The engine did not tell.
    #[error("the standstill could not be checked: {0}")]
    Unknown(EngineError),
}

/// A standstill that did not come about, and what there is of it: only its caller knows whether what
/// has stopped may run again.
pub struct Broken {
    /// Why.
    pub cause: StandstillError,
    /// What there is of it.
    pub standstill: Standstill,
}

/// How a standstill ended.
#[derive(Debug)]
pub struct Ended {
    /// From when to when.
    pub window: manifest::Standstill,
    /// What did not start.
    pub degraded: Vec<Degraded>,
    /// What was to start, for [`Hands::confirm`].
    pub targets: Vec<Target>,
}

impl Standstill {
    /// Stops everything that the plan says, in parallel.
    pub async fn begin(hands: Hands, plan: &Plan) -> Result<Self, Box<Broken>> {
        let entries: Vec<&Entry> = plan.stopped().collect();
        hands.report.tell(Kind::ClientsGoDown {
            workloads: entries.len(),
        });
        let mut standstill = Self {
            stopped: entries.iter().map(|entry| Managed::of(entry)).collect(),
            alone: Mutex::default(),
            stopping: hands.clock.now(),
            began: hands.clock.now(),
            clock: hands.clock.elapsed(),
            holds_down: plan.job.replaces_data(),
            hands,
        };
        match standstill.stop_all(&entries).await {
            Ok(()) => {
                standstill.began = standstill.hands.clock.now();
                Ok(standstill)
            }
            Err(cause) => Err(Box::new(Broken { cause, standstill })),
        }
    }

    async fn stop_all(&mut self, entries: &[&Entry]) -> Result<(), StandstillError> {
        if self.holds_down {
            self.hold_down().await?;
        }
        let stops = join_all(entries.iter().map(|entry| self.stop(entry))).await;
        stops.into_iter().collect::<Result<(), _>>()?;
        self.look_at_stopped().await
    }

    /// A reboot must not start clients on data that is half replaced: from now on nothing but a
    /// command starts them.
    async fn hold_down(&self) -> Result<(), StandstillError> {
        let never = RestartPolicy::never();
        let held = join_all(self.stopped.iter().map(async |managed| {
            let (workload, id) = (managed.was.address.clone(), &managed.was.id);
            let set = self.hands.power.set_restart(id, &never).await;
            set.map_err(|cause| StandstillError::NotStopped { workload, cause })
        }));
        held.await.into_iter().collect()
    }

    async fn stop(&self, entry: &Entry) -> Result<(), StandstillError> {
        let Action::Stop(grace) = entry.action else {
            return Ok(());
        };
        let workload = &entry.workload;
        let stopped =
            self.hands
                .power
                .stop(&workload.id, grace)
                .await
                .map_err(|cause| StandstillError::NotStopped {
                    workload: workload.address.clone(),
                    cause,
                })?;
        let killed = stopped == Stopped::Killed;
        self.hands.report.tell(Kind::Stopped {
            workload: workload.address.clone(),
            killed,
        });
        match entry.store().filter(|_| killed) {
            Some(store) => Err(StandstillError::Killed {
                store: store.clone(),
                grace,
            }),
            None => Ok(()),
        }
    }

    /// Notes each workload's last start once all have stopped: one that a restart policy revived
    /// between our plan and our stop must not count as revived inside the standstill. One that runs
    /// again by now would go unseen later, if it ended before the last look.
    async fn look_at_stopped(&mut self) -> Result<(), StandstillError> {
        let looks = join_all(
            self.stopped
                .iter()
                .map(|managed| self.hands.catalog.inspect(&managed.was.id)),
        )
        .await;
        let mut revived = Vec::new();
        for (managed, look) in self.stopped.iter_mut().zip(looks) {
            let now = look.map_err(StandstillError::Unknown)?;
            managed.started_at = now.started_at;
            if now.state.is_up() {
                revived.push(format!("{} runs again after its stop", now.address));
            }
        }
        if revived.is_empty() {
            Ok(())
        } else {
            Err(StandstillError::Void(revived))
        }
    }

    /// Brings one store into the state in which it is to be worked on. What was started so stays up until
    /// the end, or until it is brought down again.
    pub async fn bring(&self, store: &dyn Store, footing: Footing) -> Result<(), StandstillError> {
        match footing {
            Footing::Running => self.start_alone(store).await,
            Footing::Stopped => self.stop_again(store).await,
        }
    }

    async fn start_alone(&self, store: &dyn Store) -> Result<(), StandstillError> {
        let failed = |cause| StandstillError::NotStarted {
            store: store.name().clone(),
            cause,
        };
        self.hands.power.start(store.workload()).await.map_err(failed)?;
        let now = self.hands.catalog.inspect(store.workload()).await.map_err(failed)?;
        self.note(store, Footing::Running, now.started_at);
        Ok(())
    }

    async fn stop_again(&self, store: &dyn Store) -> Result<(), StandstillError> {
        let name = store.name();
        let Some(managed) = self.stopped.iter().find(|managed| managed.store.as_ref() == Some(name)) else {
            return Err(StandstillError::Kept { store: name.clone() });
        };
        if !self.lock().contains_key(name) {
            // It has not been started since everything was stopped.
            return Ok(());
        }
        let failed = |cause| StandstillError::NotStopped {
            workload: managed.was.address.clone(),
            cause,
        };
        let stopped = self
            .hands
            .power
            .stop(store.workload(), managed.grace)
            .await
            .map_err(failed)?;
        let now = self.hands.catalog.inspect(store.workload()).await.map_err(failed)?;
        self.note(store, Footing::Stopped, now.started_at);
        match stopped {
            Stopped::Cleanly => Ok(()),
            Stopped::Killed => Err(StandstillError::Killed {
                store: name.clone(),
                grace: managed.grace,
            }),
        }
    }

    fn note(&self, store: &dyn Store, footing: Footing, started_at: Option<Timestamp>) {
        self.lock().insert(store.name().clone(), Alone { footing, started_at });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StoreName, Alone>> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that since the begin nothing ran but the stores that we started. To be called after
    /// the last byte was read: an engine restart revives `restart: always` containers silently.
    pub async fn unbroken(&self, plan: &Plan) -> Result<(), StandstillError> {
        let now = self.hands.catalog.workloads().await.map_err(StandstillError::Unknown)?;
        let mine = now.iter().filter(|workload| workload.address.project == plan.platform);
        let breaches: Vec<String> = mine.filter_map(|workload| self.breach(plan, workload)).collect();
        let breaches: Vec<String> = breaches.into_iter().chain(self.vanished(&now)).collect();
        if breaches.is_empty() {
            Ok(())
        } else {
            Err(StandstillError::Void(breaches))
        }
    }

    /// Whoever removes a container inside the standstill may have run it before.
    fn vanished(&self, now: &[Workload]) -> Vec<String> {
        let is_there = |managed: &&Managed| now.iter().any(|workload| workload.address == managed.was.address);
        let gone = self.stopped.iter().filter(|managed| !is_there(managed));
        gone.map(|managed| format!("{} vanished inside the standstill", managed.was.address))
            .collect()
    }

    fn breach(&self, plan: &Plan, now: &Workload) -> Option<String> {
        let address = &now.address;
        if let Some(managed) = self.stopped.iter().find(|managed| managed.was.address == *address) {
            return managed.breach(now, &self.lock());
        }
        let planned = plan.entries.iter().find(|entry| entry.workload.address == *address);
        match planned {
            Some(entry) if entry.role == super::plan::Role::Kept => None,
            Some(entry) if entry.workload.started_at == now.started_at && !(now.state == State::Running) => None,
            Some(_) => Some(format!("{address} was started by somebody inside the standstill")),
            None if plan.keep.reason(now).is_some() => None,
            None if now.state == State::Created => None,
            None => Some(format!("{address} appeared inside the standstill")),
        }
    }

    /// Ends the standstill: what ran runs again, what was paused is paused again.
    pub async fn end(self) -> Ended {
        let ended = self.hands.clock.now();
        let targets: Vec<Target> = self
            .stopped
            .into_iter()
            .map(|managed| Target {
                policy_changed: self.holds_down && managed.was.restart != RestartPolicy::never(),
                was: managed.was,
            })
            .collect();
        let degraded = self.hands.start(&targets).await;
        let down = self.hands.clock.elapsed().saturating_sub(self.clock);
        self.hands.report.tell(Kind::ClientsAreBack { millis: millis(down) });
        let window = manifest::Standstill {
            stopping: self.stopping,
            began: self.began,
            ended,
        };
        Ended {
            window,
            degraded,
            targets,
        }
    }

    /// Ends the standstill as a step of the run.
    pub async fn end_as_step(self, run: &Run) -> Ended {
        let step = run.report.step(Step::Start, async { Ok(self.end().await) });
        let Ok::<_, Infallible>(ended) = step.await;
        ended
    }

    /// Leaves the platform down on purpose: also the stores that were started alone are stopped.
    /// Returns what could not be stopped.
    pub async fn leave_stopped(self, plan: &Plan) -> Vec<String> {
        let entries: Vec<&Entry> = plan.stopped().collect();
        let stops = join_all(entries.iter().map(|entry| self.stop(entry))).await;
        stops
            .into_iter()
            .filter_map(Result::err)
            .filter(|error| !matches!(error, StandstillError::Killed { .. }))
            .map(|error| error.to_string())
            .collect()
    }
}

impl Managed {
    fn of(entry: &Entry) -> Self {
        Self {
            was: entry.workload.clone(),
            store: entry.store().cloned(),
            grace: match entry.action {
                Action::Stop(grace) => grace,
                Action::Leave => Duration::ZERO,
            },
            started_at: entry.workload.started_at,
        }
    }

    fn breach(&self, now: &Workload, alone: &BTreeMap<StoreName, Alone>) -> Option<String> {
        let ours = self.store.as_ref().and_then(|store| alone.get(store));
        let address = &self.was.address;
        match ours {
            Some(alone) if alone.is_met(now) => None,
            Some(_) => Some(format!(
                "{address} was started or stopped by somebody while it was worked on"
            )),
            None if !now.state.is_up() && now.started_at == self.started_at && now.id == self.was.id => None,
            None => Some(format!("{address} ran inside the standstill")),
        }
    }
}

impl Alone {
    /// Nobody else has started or stopped it since.
    fn is_met(self, now: &Workload) -> bool {
        let as_left = match self.footing {
            Footing::Running => now.state == State::Running,
            Footing::Stopped => !now.state.is_up(),
        };
        as_left && now.started_at == self.started_at
    }
}
