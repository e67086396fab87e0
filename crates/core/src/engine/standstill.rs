//! The standstill: clients stop, dependants first; nothing of them runs until the end, and what ran before runs again.
//! A restore stops the stores too, after the clients. The only holder of [`crate::ports::Power`].
//!
//! A standstill that was begun, wholly or in part, must be ended by [`Standstill::end`] or left on
//! purpose by [`Standstill::leave_stopped`].

mod check;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::plan::{Action, Entry, Plan};
use super::start::{Degraded, PowerControl, Target};
use super::waves::stop_waves;
use crate::events::{EventKind, Step, millis};
use crate::manifest;
use crate::names::{Address, StoreName};
use crate::ports::EngineError;
use crate::ports::power::Stopped;
use crate::stores::{Footing, Store};
use crate::workload::{RestartPolicy, Workload};

/// A platform that stands still.
pub struct Standstill {
    control: PowerControl,
    /// What was stopped, as it was before.
    stopped: Vec<Managed>,
    /// Every store of the plan, as it was before.
    stores: BTreeMap<StoreName, Managed>,
    /// Stores that the run itself has started, stopped or paused, as it last left them.
    moved: Mutex<BTreeMap<StoreName, Moved>>,
    /// Jobs that ended by themselves before they were stopped.
    ended: Mutex<BTreeSet<Address>>,
    stopping: Timestamp,
    began: Timestamp,
    clock: Duration,
    /// Restart policies were set to `no`: what is down must stay down, whatever happens.
    holds_down: bool,
}

/// A store whose state the run has changed.
#[derive(Clone, Copy)]
struct Moved {
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
        #[source]
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
    /// A store could not be brought into the state in which it is worked on.
    #[error("{store} could not be {doing}: {cause}")]
    NotBrought {
        /// Which.
        store: StoreName,
        /// `started` or `paused`.
        doing: &'static str,
        /// Why.
        #[source]
        cause: EngineError,
    },
    /// Something ran that should not have: the point in time is void.
    #[error("the point in time is void: {}", .0.join("; "))]
    Void(Vec<String>),
    /// It took longer than it may.
    #[error("the standstill has lasted {} s, its limit: the clients were started again before every store was pinned", .0.as_secs())]
    TooLong(Duration),
    /// The engine did not tell.
    #[error("the standstill could not be checked: {0}")]
    Unknown(#[source] EngineError),
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
    /// What was to start, for [`PowerControl::confirm`].
    pub targets: Vec<Target>,
}

impl Standstill {
    /// Stops everything that the plan says: clients before stores, in each what depends on others first.
    pub async fn begin(control: PowerControl, plan: &Plan) -> Result<Self, Box<Broken>> {
        let entries: Vec<&Entry> = plan.stopped().collect();
        control.report.tell(EventKind::ClientsGoDown {
            workloads: entries.len(),
        });
        let stores = plan.entries.iter().filter_map(|entry| {
            let store = entry.store()?.clone();
            Some((store, Managed::of(entry)))
        });
        let mut standstill = Self {
            stopped: entries.iter().map(|entry| Managed::of(entry)).collect(),
            stores: stores.collect(),
            moved: Mutex::default(),
            ended: Mutex::default(),
            stopping: control.clock.now(),
            began: control.clock.now(),
            clock: control.clock.elapsed(),
            holds_down: plan.job.replaces_data(),
            control,
        };
        match standstill.stop_all(&entries).await {
            Ok(()) => {
                standstill.began = standstill.control.clock.now();
                Ok(standstill)
            }
            Err(cause) => Err(Box::new(Broken { cause, standstill })),
        }
    }

    async fn stop_all(&mut self, entries: &[&Entry]) -> Result<(), StandstillError> {
        if self.holds_down {
            self.hold_down().await?;
        }
        let (stores, clients): (Vec<&Entry>, Vec<&Entry>) =
            entries.iter().copied().partition(|entry| entry.store().is_some());
        for entries in [clients, stores] {
            self.stop_in_waves(&entries).await?;
        }
        self.look_at_stopped().await
    }

    /// Each wave stops side by side, and the next begins when all of it has stopped. The first that fails ends it.
    async fn stop_in_waves(&self, entries: &[&Entry]) -> Result<(), StandstillError> {
        let workloads: Vec<&Workload> = entries.iter().map(|entry| &entry.workload).collect();
        for wave in stop_waves(&workloads) {
            let stops = join_all(wave.into_iter().map(|index| self.stop(entries[index]))).await;
            stops.into_iter().collect::<Result<(), _>>()?;
        }
        Ok(())
    }

    /// A reboot must not start clients on data that is half replaced: from now on nothing but a
    /// command starts them.
    async fn hold_down(&self) -> Result<(), StandstillError> {
        let never = RestartPolicy::never();
        let held = join_all(self.stopped.iter().map(async |managed| {
            let (workload, id) = (managed.was.address.clone(), &managed.was.id);
            let set = self.control.power.set_restart(id, &never).await;
            set.map_err(|cause| StandstillError::NotStopped { workload, cause })
        }));
        held.await.into_iter().collect()
    }

    async fn stop(&self, entry: &Entry) -> Result<(), StandstillError> {
        let Action::Stop(grace) = entry.action else {
            return Ok(());
        };
        let workload = &entry.workload;
        if self.has_ended(entry).await {
            return Ok(());
        }
        let stopped =
            self.control
                .power
                .stop(&workload.id, grace)
                .await
                .map_err(|cause| StandstillError::NotStopped {
                    workload: workload.address.clone(),
                    cause,
                })?;
        let killed = stopped == Stopped::Killed;
        self.control.report.tell(EventKind::Stopped {
            workload: workload.address.clone(),
            killed,
        });
        match entry.store().filter(|_| killed && !entry.outlives_kill) {
            Some(store) => Err(StandstillError::Killed {
                store: store.clone(),
                grace,
            }),
            None => Ok(()),
        }
    }

    /// What nothing restarts and has ended by itself since it was planned has done its work: it is not begun again.
    async fn has_ended(&self, entry: &Entry) -> bool {
        let workload = &entry.workload;
        if self.holds_down || entry.store().is_some() || workload.restart != RestartPolicy::never() {
            return false;
        }
        let now = self.control.catalog.inspect(&workload.id).await;
        let has_ended = now.is_ok_and(|now| !now.state.is_up() && now.started_at == workload.started_at);
        if has_ended {
            let address = workload.address.clone();
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.insert(address);
        }
        has_ended
    }

    /// Notes each workload's last start once all have stopped: one that a restart policy revived
    /// between our plan and our stop must not count as revived inside the standstill. One that runs
    /// again by now would go unseen later, if it ended before the last look.
    async fn look_at_stopped(&mut self) -> Result<(), StandstillError> {
        let looks = join_all(
            self.stopped
                .iter()
                .map(|managed| self.control.catalog.inspect(&managed.was.id)),
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

    /// How long it has lasted, from the first stop.
    pub fn lasted(&self) -> Duration {
        self.control.clock.elapsed().saturating_sub(self.clock)
    }

    /// Brings one store into the state in which it is to be worked on. It stays there until it is brought elsewhere, or
    /// until the end.
    pub async fn bring(&self, store: &dyn Store, footing: Footing) -> Result<(), StandstillError> {
        match footing {
            Footing::Running => self.start_alone(store).await,
            Footing::Frozen => self.freeze(store).await,
            Footing::Stopped => self.stop_alone(store).await,
        }
    }

    async fn start_alone(&self, store: &dyn Store) -> Result<(), StandstillError> {
        let failed = |cause| StandstillError::NotBrought {
            store: store.name().clone(),
            doing: "started",
            cause,
        };
        self.control.power.start(store.workload()).await.map_err(failed)?;
        let now = self.control.catalog.inspect(store.workload()).await.map_err(failed)?;
        self.note(store, Footing::Running, now.started_at);
        Ok(())
    }

    /// What it was noted as before the pause is what it is brought back to after a death in between.
    async fn freeze(&self, store: &dyn Store) -> Result<(), StandstillError> {
        let failed = |cause| StandstillError::NotBrought {
            store: store.name().clone(),
            doing: "paused",
            cause,
        };
        self.control.power.pause(store.workload()).await.map_err(failed)?;
        let now = self.control.catalog.inspect(store.workload()).await.map_err(failed)?;
        self.note(store, Footing::Frozen, now.started_at);
        Ok(())
    }

    async fn stop_alone(&self, store: &dyn Store) -> Result<(), StandstillError> {
        let name = store.name();
        let (Some(managed), false) = (self.stores.get(name), self.is_kept(name)) else {
            return Err(StandstillError::Kept { store: name.clone() });
        };
        let is_stopped = self.stopped.iter().any(|stopped| stopped.store.as_ref() == Some(name));
        if is_stopped && !self.lock().contains_key(name) {
            // It has not been started since everything was stopped.
            return Ok(());
        }
        let failed = |cause| StandstillError::NotStopped {
            workload: managed.was.address.clone(),
            cause,
        };
        let stopped = self.control.power.stop(store.workload(), managed.grace).await;
        let stopped = stopped.map_err(failed)?;
        let now = self.control.catalog.inspect(store.workload()).await.map_err(failed)?;
        self.note(store, Footing::Stopped, now.started_at);
        match stopped {
            Stopped::Cleanly => Ok(()),
            Stopped::Killed if store.outlives_kill() => Ok(()),
            Stopped::Killed => Err(StandstillError::Killed {
                store: name.clone(),
                grace: managed.grace,
            }),
        }
    }

    /// A restore finds a store that it may not stop only now.
    fn is_kept(&self, name: &StoreName) -> bool {
        self.holds_down && !self.stopped.iter().any(|managed| managed.store.as_ref() == Some(name))
    }

    fn note(&self, store: &dyn Store, footing: Footing, started_at: Option<Timestamp>) {
        self.lock().insert(store.name().clone(), Moved { footing, started_at });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StoreName, Moved>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the standstill: what ran runs again, what was paused is paused again. `then` is called when the first wave was
    /// started: a client that waits for a store to be drained must not keep the others waiting for its health.
    pub async fn end(self, then: impl FnOnce()) -> Ended {
        let ended = self.control.clock.now();
        let targets = self.targets();
        let degraded = self.control.start_and(&targets, then).await;
        let back = self.control.clock.now();
        self.control.report.tell(EventKind::ClientsAreBack {
            millis: millis(self.lasted()),
        });
        let window = manifest::Standstill {
            stopping: self.stopping,
            began: self.began,
            ended,
            back: Some(back),
        };
        Ended {
            window,
            degraded,
            targets,
        }
    }

    /// What was stopped, and what the run has brought elsewhere and not back.
    fn targets(&self) -> Vec<Target> {
        let moved = self.lock().clone();
        let stopped = |name: &StoreName| self.stopped.iter().any(|managed| managed.store.as_ref() == Some(name));
        let away = |name: &StoreName| moved.get(name).is_some_and(|moved| moved.footing != Footing::Running);
        let stores = self.stores.iter().filter(|(name, _)| !stopped(name) && away(name));
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let all = self.stopped.iter().chain(stores.map(|(_, managed)| managed));
        let all = all.filter(|managed| !ended.contains(&managed.was.address));
        all.map(|managed| Target {
            stood: false,
            policy_changed: self.holds_down && managed.was.restart != RestartPolicy::never(),
            was: managed.was.clone(),
        })
        .collect()
    }

    /// Ends the standstill as a step of the run.
    pub async fn end_as_step(self, then: impl FnOnce()) -> Ended {
        let report = self.control.report.clone();
        let step = report.step(Step::Start, async { Ok(self.end(then).await) });
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
            grace: entry.grace(),
            started_at: entry.workload.started_at,
        }
    }
}
