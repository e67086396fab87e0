//! The simulated world: one host with an engine and its containers, one repository, one clock. What
//! a test wants to know of it is asked here; what it wants to go wrong is told to its [`Faults`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use stillpoint_core::backups::Backups;
use stillpoint_core::engine::keep::Keep;
use stillpoint_core::engine::machine::Machine;
use stillpoint_core::engine::site::{Site, StandstillRules};
use stillpoint_core::maintenance::Rules;
use stillpoint_core::names::{Project, WorkloadId};
use stillpoint_core::operations::Local;
use stillpoint_core::ports::power::Intent;
use stillpoint_core::ports::{Clock, EngineError, Guard, Locks, Lost, Neighbour};
use stillpoint_core::retention::Policy;
use stillpoint_core::workload::{State, Workload};
use tokio_util::sync::CancellationToken;

use super::buckets::NoBuckets;
use super::container::{Container, Data};
use super::engine::FakeEngine;
use super::store::{FakeKind, Kept};
use super::tools::FakeTools;
use super::{AtOnce, FakeClock, FakeGateway, FakeJournal, FakeLocks, FakeSpool, MemoryRepository, lock};
use crate::calls::Call;
use crate::faults::Faults;

/// How long a lease lasts in the world.
pub const LEASE: Duration = Duration::from_mins(2);

/// The host of the world, as [`Site`] names it.
pub const HOST: &str = "here";

/// The simulated world. Clones share it.
#[derive(Clone)]
pub struct World {
    /// What goes wrong, and what was called.
    pub faults: Faults,
    /// The repository.
    pub repository: MemoryRepository,
    /// Virtual time.
    pub clock: FakeClock,
    /// The locks of the host.
    pub locks: FakeLocks,
    /// The journal of the host.
    pub journal: FakeJournal,
    /// The gateways of the host.
    pub gateway: FakeGateway,
    /// The host, as [`Site`] names it.
    pub host: String,
    /// How backups keep clients away.
    pub standstill: StandstillRules,
    /// The process that runs are made by, as [`Site`] names it.
    pub process: u32,
    state: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    containers: BTreeMap<String, Container>,
    claims: BTreeMap<String, Intent>,
    violations: Vec<String>,
    /// What runs in containers beside their own process: the container, and the run that began it.
    processes: BTreeMap<u64, (WorkloadId, String)>,
    /// Containers beside others: of which, and the run that made it.
    siblings: BTreeMap<String, (WorkloadId, String)>,
    interrupt: CancellationToken,
    /// Containers that belong to no platform.
    outsiders: Vec<Neighbour>,
    /// What is gone of the host's files and folders.
    missing: BTreeSet<String>,
    /// What is gone of the engine's networks and images, by who was made with it.
    lost: BTreeMap<WorkloadId, Vec<Lost>>,
    /// What the engine says of itself, if not the usual.
    engine_version: Option<String>,
}

impl World {
    /// A world of these containers. To be made inside a runtime whose time is paused.
    pub fn of(containers: impl IntoIterator<Item = Container>) -> Self {
        let world = Self {
            faults: Faults::default(),
            repository: MemoryRepository::default(),
            clock: FakeClock::new(),
            locks: FakeLocks::default(),
            journal: FakeJournal::default(),
            gateway: FakeGateway::default(),
            host: HOST.into(),
            standstill: StandstillRules::default(),
            process: 42,
            state: Arc::default(),
        };
        for container in containers {
            world.add(container);
        }
        world
    }

    /// The same on another host, which shares with `other` its repository and the time, and nothing else.
    #[must_use]
    pub fn beside(self, other: &Self, host: &str) -> Self {
        Self {
            repository: other.repository.clone(),
            clock: other.clock.clone(),
            host: host.into(),
            ..self
        }
    }

    /// The same over a copy of what `other` has in its repository, at the time that it is there: what
    /// happens in one of them from now on, the other never sees.
    #[must_use]
    pub fn branched_from(self, other: &Self) -> Self {
        let clock = other.clock.branch();
        Self {
            repository: other.repository.copy(&clock),
            clock,
            ..self
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.state)
    }

    /// All ports, decorated with the world's faults.
    pub fn site(&self) -> Site {
        let faults = &self.faults;
        let (world, tools) = (self.clone(), FakeTools { world: self.clone() });
        let (engine, tools) = (Arc::new(FakeEngine { world }), Arc::new(tools));
        let kind = FakeKind { world: self.clone() };
        Site {
            machine: Machine {
                catalog: faults.catalog(engine.clone()),
                power: faults.power(engine),
                shell: faults.shell(tools.clone()),
                reach: faults.reach(tools),
                gateway: faults.gateway(Arc::new(self.gateway.clone())),
                buckets: Arc::new(NoBuckets),
                spool: faults.spool(Arc::new(FakeSpool)),
                clock: Arc::new(self.clock.clone()),
                locks: faults.locks(Arc::new(self.locks.clone())),
                journal: faults.journal(Arc::new(self.journal.clone())),
                host: self.host.clone(),
                process: self.process,
                processors: 2,
                version: "0.0.0-test".into(),
            },
            backups: Backups::new(faults.repository(Arc::new(self.repository.clone())), Arc::new(AtOnce)),
            kinds: vec![faults.kind(Arc::new(kind))],
            keep: Keep::default(),
            retention: Policy::default(),
            lease: LEASE,
            maintenance: Rules::default(),
            standstill: self.standstill,
        }
    }

    /// The use cases in this world.
    pub fn operations(&self) -> Local {
        Local::new(self.site())
    }

    /// What interrupts the runs of this world: cancel it, and the present run ends early.
    pub fn interrupt(&self) -> CancellationToken {
        self.lock().interrupt.clone()
    }

    /// The operator has let go of the keys: later runs are not interrupted.
    pub fn forget_interrupt(&self) {
        self.lock().interrupt = CancellationToken::new();
    }

    /// All calls of ports so far, as text.
    pub fn calls(&self) -> Vec<String> {
        self.faults.calls().iter().map(Call::to_string).collect()
    }

    /// Adds a container.
    pub fn add(&self, container: Container) {
        let id = container.workload.id.to_string();
        self.lock().containers.insert(id, container);
    }

    /// Runs a container that belongs to no platform.
    pub fn add_outsider(&self, outsider: Neighbour) {
        self.lock().outsiders.push(outsider);
    }

    pub(super) fn outsiders(&self) -> Vec<Neighbour> {
        self.lock().outsiders.clone()
    }

    /// Removes a file or folder of the host.
    pub fn remove_from_host(&self, path: &str) {
        self.lock().missing.insert(path.to_owned());
    }

    /// Removes a network or an image of the engine with which the container was made.
    pub fn loses(&self, container: &str, lost: Lost) {
        let mut state = self.lock();
        state.lost.entry(WorkloadId::new(container)).or_default().push(lost);
    }

    pub(super) fn lost(&self) -> BTreeMap<WorkloadId, Vec<Lost>> {
        self.lock().lost.clone()
    }

    /// The engine is another.
    pub fn has_engine(&self, version: &str) {
        self.lock().engine_version = Some(version.to_owned());
    }

    pub(super) fn engine_version(&self) -> String {
        self.lock()
            .engine_version
            .clone()
            .unwrap_or_else(|| "28.3.0".to_owned())
    }

    pub(super) fn missing(&self) -> BTreeSet<String> {
        self.lock().missing.clone()
    }

    /// Its process ends by itself after so long, with success.
    pub fn ends_after(&self, id: &str, span: Duration) {
        let at = self.clock.now() + span;
        if let Some(container) = self.lock().containers.get_mut(id) {
            container.ends = Some((at, 0));
        }
    }

    /// A store knows of a client's work, which lasts so long.
    pub fn works_for(&self, id: &str, work: &str, span: Duration) {
        let until = self.clock.now() + span;
        let mut inner = self.lock();
        if let Some(data) = inner
            .containers
            .get_mut(id)
            .and_then(|container| container.data.as_mut())
        {
            data.work = Some((work.to_owned(), until));
        }
    }

    /// Removes a container, as `docker rm --force` does.
    pub fn remove(&self, id: &str) {
        self.lock().containers.remove(id);
    }

    /// Removes a container and makes another in its place, as `docker compose up` does after a
    /// change. It has been created, not started.
    pub fn recreate(&self, id: &str) {
        let mut inner = self.lock();
        if let Some(mut container) = inner.containers.remove(id) {
            let id = format!("{id}-again");
            container.workload.id = WorkloadId::new(&id);
            container.workload.started_at = None;
            container.workload.state = State::Created;
            inner.containers.insert(id, container);
        }
    }

    /// Somebody (or the engine) starts a container that does not run.
    pub fn revive(&self, id: &str) {
        let now = self.clock.now();
        if let Some(container) = self.lock().containers.get_mut(id) {
            container.begin(now);
        }
    }

    /// A container's process ends by itself, and its restart policy starts it again.
    pub fn revive_by_policy(&self, id: &str) {
        let now = self.clock.now();
        if let Some(container) = self.lock().containers.get_mut(id) {
            let count = container.workload.restart_count + 1;
            container.begin(now);
            container.workload.restart_count = count;
        }
    }

    /// A container's process ends by itself.
    pub fn exits(&self, id: &str, code: i64) {
        if let Some(container) = self.lock().containers.get_mut(id) {
            container.end(code);
        }
    }

    /// A container's process ends by itself, and the engine calls it running for so long still.
    pub fn exits_unseen(&self, id: &str, code: i64, span: Duration) {
        let seen = self.clock.now() + span;
        if let Some(container) = self.lock().containers.get_mut(id) {
            container.is_dead = true;
            container.ends = Some((seen, code));
        }
    }

    /// Its health check fails from now on.
    pub fn never_healthy_again(&self, id: &str) {
        if let Some(container) = self.lock().containers.get_mut(id) {
            container.healthy_after = Some(Duration::from_hours(24));
        }
    }

    /// The host goes down and comes up: what has a restart policy is started, the rest is down, and
    /// what was not on a disk is lost.
    pub fn reboot(&self) {
        self.journal.crash();
        self.repository.crash();
        let now = self.clock.now();
        let mut inner = self.lock();
        inner.processes.clear();
        inner.siblings.clear();
        inner.containers.retain(|_, container| !container.workload.auto_remove);
        for container in inner.containers.values_mut() {
            let was_up = container.look(now).state.is_up();
            if was_up {
                container.end(255);
            }
            let made = container.workload.started_at.is_some();
            let starts = match container.workload.restart.name.as_str() {
                "always" => made,
                "unless-stopped" => was_up && !container.stopped_by_hand,
                _ => false,
            };
            if starts {
                container.begin(now);
            }
        }
    }

    /// Changes a store's data behind everybody's back.
    pub fn change(&self, store: &str, table: &str, count: u64) {
        self.with_rows(store, |rows| {
            rows.insert(table.to_owned(), count);
        });
    }

    /// Drops all of a store's data behind everybody's back, but for what is set aside.
    pub fn lose(&self, store: &str) {
        self.with_rows(store, BTreeMap::clear);
    }

    fn with_rows(&self, store: &str, act: impl FnOnce(&mut BTreeMap<String, u64>)) {
        if let Some(data) = self
            .lock()
            .containers
            .get_mut(store)
            .and_then(|found| found.data.as_mut())
        {
            act(&mut data.rows);
        }
    }

    /// A store would not start again, or would.
    pub fn cannot_start_again(&self, store: &str, why: Option<&str>) {
        let mut inner = self.lock();
        if let Some(data) = inner.containers.get_mut(store).and_then(|found| found.data.as_mut()) {
            data.unstartable = why.map(str::to_owned);
        }
    }

    /// A store holds what no file has.
    pub fn does_not_save(&self, store: &str) {
        let mut inner = self.lock();
        if let Some(data) = inner.containers.get_mut(store).and_then(|found| found.data.as_mut()) {
            data.unsaved = true;
        }
    }

    /// A store holds a database of Dagster.
    pub fn keeps_dagster(&self, store: &str, kept: Kept) {
        let mut inner = self.lock();
        if let Some(data) = inner.containers.get_mut(store).and_then(|found| found.data.as_mut()) {
            data.dagster = Some(kept);
        }
    }

    /// No load can fill this table.
    pub fn cannot_load(&self, store: &str, table: &str) {
        let mut inner = self.lock();
        if let Some(data) = inner.containers.get_mut(store).and_then(|found| found.data.as_mut()) {
            data.unloadable.insert(table.to_owned());
        }
    }

    /// A store lets a user in no more, or again.
    pub fn locks_out(&self, store: &str, user: &str, out: bool) {
        let mut inner = self.lock();
        let Some(data) = inner.containers.get_mut(store).and_then(|found| found.data.as_mut()) else {
            return;
        };
        if out {
            data.locked_out.insert(user.to_owned());
        } else {
            data.locked_out.remove(user);
        }
    }

    /// What the engine tells of a container now.
    pub fn workload(&self, id: &str) -> Option<Workload> {
        self.with(&WorkloadId::new(id), Container::look).ok()
    }

    /// What the engine tells of all containers now.
    pub fn workloads(&self) -> Vec<Workload> {
        let now = self.clock.now();
        let mut inner = self.lock();
        inner
            .containers
            .values_mut()
            .map(|container| container.look(now))
            .collect()
    }

    /// The state of every container now, by id.
    pub fn states(&self) -> BTreeMap<String, State> {
        let state = |workload: Workload| (workload.id.to_string(), workload.state);
        self.workloads().into_iter().map(state).collect()
    }

    /// The restart policy of every container now, by id.
    pub fn policies(&self) -> BTreeMap<String, String> {
        let policy = |workload: Workload| (workload.id.to_string(), workload.restart.name);
        self.workloads().into_iter().map(policy).collect()
    }

    /// The data of every store now, by container.
    pub fn data(&self) -> BTreeMap<String, Data> {
        let inner = self.lock();
        let data = |(id, container): (&String, &Container)| Some((id.clone(), container.data.clone()?));
        inner.containers.iter().filter_map(data).collect()
    }

    /// Who holds a platform.
    pub fn claim(&self, platform: &str) -> Option<Intent> {
        self.lock().claims.get(platform).cloned()
    }

    /// The platforms that are held.
    pub(super) fn claims(&self) -> Vec<String> {
        self.lock().claims.keys().cloned().collect()
    }

    /// Makes the claim of another run, if there is none yet; returns the one that there is.
    pub fn take_claim(&self, intent: &Intent) -> Option<Intent> {
        let mut inner = self.lock();
        let platform = intent.platform.to_string();
        if let Some(held) = inner.claims.get(&platform) {
            return Some(held.clone());
        }
        inner.claims.insert(platform, intent.clone());
        None
    }

    /// Removes a claim.
    pub fn drop_claim(&self, platform: &Project) {
        self.lock().claims.remove(platform.as_str());
    }

    /// Another process of this host takes the platform's lock, until the guard is dropped.
    pub fn locked_by_another(&self, platform: &str) -> Option<Box<dyn Guard>> {
        self.locks.take(&Project::new(platform)).ok().flatten()
    }

    /// A tool begins to run in a container for a run.
    pub(super) fn begin_process(&self, workload: &WorkloadId, run: &str) -> u64 {
        let mut inner = self.lock();
        let id = inner.processes.keys().next_back().map_or(1, |last| last + 1);
        inner.processes.insert(id, (workload.clone(), run.to_owned()));
        id
    }

    /// A tool ends.
    pub(super) fn end_process(&self, id: u64) {
        self.lock().processes.remove(&id);
    }

    /// Every tool of this run in this container ends, and every sibling of it.
    pub(super) fn end_processes(&self, workload: &WorkloadId, run: &str) {
        let ours = |of: &(WorkloadId, String)| of.0 == *workload && of.1 == run;
        let mut inner = self.lock();
        inner.processes.retain(|_, of| !ours(of));
        inner.siblings.retain(|_, of| !ours(of));
    }

    /// The containers in which a tool still runs: its container runs, and nobody ended it.
    pub fn processes(&self) -> Vec<String> {
        let up = self.states();
        let inner = self.lock();
        let of = inner.processes.values().map(|(workload, _)| workload.to_string());
        let runs = |id: &String| up.get(id).is_some_and(|state| state.is_up()) || inner.siblings.contains_key(id);
        of.filter(runs).collect()
    }

    /// A container begins beside another.
    pub(super) fn begin_sibling(&self, of: &WorkloadId, run: &str) -> WorkloadId {
        let mut inner = self.lock();
        let id = format!("{of}+{}", inner.siblings.len() + 1);
        inner.siblings.insert(id.clone(), (of.clone(), run.to_owned()));
        WorkloadId::new(id)
    }

    /// It ends, with what runs in it.
    pub(super) fn end_sibling(&self, sibling: &WorkloadId) {
        let mut inner = self.lock();
        inner.siblings.remove(sibling.as_str());
        inner.processes.retain(|_, (workload, _)| workload != sibling);
    }

    /// The container whose files are seen in this one: itself, or the one that it is a sibling of.
    pub(super) fn origin(&self, id: &WorkloadId) -> Option<WorkloadId> {
        self.lock().siblings.get(id.as_str()).map(|(of, _)| of.clone())
    }

    /// The containers that stand beside others now.
    pub fn siblings(&self) -> Vec<String> {
        self.lock().siblings.keys().cloned().collect()
    }

    /// What must never happen and did: a client started while a store was pinned, a pin that leaked.
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    pub(super) fn violated(&self, what: String) {
        self.lock().violations.push(what);
    }

    pub(super) fn watch_start(&self, id: &WorkloadId) {
        let mut inner = self.lock();
        let is_store = |container: &Container| container.data.is_some();
        let holds = |container: &Container| container.data.as_ref().is_some_and(|data| data.holds > 0);
        let client = inner
            .containers
            .get(id.as_str())
            .is_some_and(|started| !is_store(started));
        if client && inner.containers.values().any(holds) {
            inner
                .violations
                .push(format!("{id} was started while a store needed it down"));
        }
    }

    pub(super) fn with<T>(
        &self,
        id: &WorkloadId,
        act: impl FnOnce(&mut Container, Timestamp) -> T,
    ) -> Result<T, EngineError> {
        let now = self.clock.now();
        match self.lock().containers.get_mut(id.as_str()) {
            Some(container) => Ok(act(container, now)),
            None => Err(EngineError::Gone {
                what: format!("container {id}"),
            }),
        }
    }
}
