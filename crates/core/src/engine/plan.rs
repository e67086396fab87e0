//! What a run will do with each workload, and why. Pure: the same platform always gives the same
//! plan, and the plan is shown, journaled and recorded before anything is done.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::keep::{self, Keep};
use crate::engine::limits::{CLIENT_STOP_GRACE, STORE_STOP_GRACE};
use crate::engine::one_shots::{OneShot, one_shot};
use crate::engine::platform::Platform;
use crate::engine::start::Degraded;
use crate::engine::strangers;
use crate::engine::unprotected;
use crate::engine::waves;
use crate::findings::Finding;
use crate::manifest::{Artifact, LeftOut, Mode, StoreRecord, Took, WorkloadRecord};
use crate::names::{Project, StoreName};
use crate::ports::Neighbour;
use crate::ports::job::{Declaration, Stops};
use crate::ports::power::{Compose, Job, RecordedWorkload};
use crate::stores::Footing;
use crate::workload::{Health, State, Workload};

/// A plan for one platform.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The platform.
    pub platform: Project,
    /// What is planned.
    pub job: Job,
    /// One entry for each workload, in order of their addresses.
    pub entries: Vec<Entry>,
    /// What is never stopped, also if it appears later.
    pub keep: Keep,
    /// How a backup keeps the clients away, for every store that says nothing itself.
    pub mode: Mode,
    /// What earlier runs did not bring back and has no container.
    pub missing: Vec<Degraded>,
    /// What else the operator should know, one sentence each.
    pub remarks: Vec<String>,
    /// What a backup would find before it stops anything.
    pub findings: Vec<Finding>,
}

/// The plan for one workload.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The workload, as it was when the plan was made.
    pub workload: Workload,
    /// What it is to the platform.
    pub role: Role,
    /// What is done with it.
    pub action: Action,
    /// Why.
    pub reason: String,
    /// The run works on it: a store that is pinned, loaded, or put back.
    pub worked_on: bool,
    /// It is a store to which a kill does no harm.
    pub outlives_kill: bool,
    /// How a backup takes it, if it is a store.
    pub capture: Option<Capture>,
    /// What it keeps that a backup does not hold; none for a store.
    pub left_out: Option<Vec<LeftOut>>,
}

/// How a backup takes one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Whether the clients wait until it is drained.
    pub mode: Mode,
    /// In which state it is pinned.
    pub footing: Footing,
    /// How long it took the last time; none if nobody knows.
    pub expected: Option<Took>,
    /// How many bytes it had the last time; none if nobody knows.
    pub last_bytes: Option<u64>,
}

/// What a workload is to the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its data is backed up.
    Store(StoreName),
    /// It may write to stores.
    Client,
    /// Never stopped.
    Kept,
}

/// What is done with a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stopped, with this grace, and brought back to what it was.
    Stop(Duration),
    /// Left as it is.
    Leave,
}

impl Plan {
    /// The plan of a backup of the platform in this mode.
    pub fn of_backup(platform: &Platform, mode: Mode) -> Self {
        let mut plan = Self::new(platform, Job::BackupJob);
        plan.mode = mode;
        for entry in &mut plan.entries {
            let store = platform.stores.get(&entry.workload.address);
            entry.capture = store.map(|store| Capture {
                mode: platform.mode(&entry.workload.address).unwrap_or(mode),
                footing: store.pin_footing(),
                expected: None,
                last_bytes: None,
            });
            if let (Some(capture), Action::Leave, State::Running) = (&entry.capture, entry.action, entry.workload.state)
            {
                entry.reason = capture.to_string();
            }
        }
        plan
    }

    /// The plan of `job` for the platform.
    pub fn new(platform: &Platform, job: Job) -> Self {
        let entries = platform
            .workloads
            .iter()
            .map(|workload| entry(platform, workload, job))
            .collect();
        Self {
            platform: platform.name.clone(),
            job,
            entries,
            keep: platform.keep.clone(),
            mode: Mode::default(),
            missing: Vec::new(),
            remarks: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Notes how long each store took in an earlier backup, and how large it was.
    pub fn expect(&mut self, earlier: &[StoreRecord]) {
        for entry in &mut self.entries {
            let Role::Store(name) = &entry.role else { continue };
            let record = earlier.iter().find(|record| record.name == *name);
            if let (Some(capture), Some(record)) = (&mut entry.capture, record) {
                capture.expected = record.took;
                capture.last_bytes = Some(record.artifacts.iter().map(Artifact::bytes).sum());
            }
        }
    }

    /// Who is stopped after whom: each wave when the one before has stopped.
    pub fn stop_order(&self) -> Vec<Vec<&Entry>> {
        let stopped: Vec<&Entry> = self.stopped().collect();
        let workloads: Vec<&Workload> = stopped.iter().map(|entry| &entry.workload).collect();
        let waves = waves::stop_waves(&workloads).into_iter();
        waves
            .map(|wave| wave.into_iter().map(|index| stopped[index]).collect())
            .collect()
    }

    /// Notes what earlier runs did not bring back: nobody has stopped it on purpose.
    pub fn note_missing(&mut self, missing: Vec<Degraded>) {
        for missing in missing {
            let mut entries = self.entries.iter_mut();
            match entries.find(|entry| entry.workload.address == missing.workload) {
                Some(entry) => entry.reason = missing.cause,
                None => self.missing.push(missing),
            }
        }
    }

    /// Whether the workload is a store.
    pub fn is_store(&self, workload: &Workload) -> bool {
        let mut stores = self.entries.iter().filter(|entry| entry.store().is_some());
        stores.any(|entry| entry.workload.id == workload.id)
    }

    /// Notes how large what a backup does not hold was in an earlier backup: to measure it takes time.
    pub fn measure_as(&mut self, earlier: &[WorkloadRecord]) {
        let all = self.entries.iter_mut();
        let all = all.flat_map(|entry| entry.left_out.iter_mut().flatten());
        unprotected::measure(all, &unprotected::sizes(earlier));
    }

    /// Whether a store's clients wait until it is drained.
    pub fn holds(&self, store: &StoreName) -> bool {
        let entry = self.entries.iter().find(|entry| entry.store() == Some(store));
        let capture = entry.and_then(|entry| entry.capture);
        capture.is_some_and(|capture| capture.mode == Mode::Hold)
    }

    /// Whether the clients wait for any store's drain.
    pub fn holds_any(&self) -> bool {
        let mut captures = self.entries.iter().filter_map(|entry| entry.capture);
        captures.any(|capture| capture.mode == Mode::Hold)
    }

    /// The same, with these stores alone worked on: the others are stopped with the rest.
    #[must_use]
    pub fn replacing(mut self, stores: &BTreeSet<StoreName>) -> Self {
        for entry in &mut self.entries {
            let left_out = entry.store().is_some_and(|store| !stores.contains(store));
            if left_out && entry.worked_on {
                entry.worked_on = false;
                "stopped with the rest, its data stays as it is".clone_into(&mut entry.reason);
            }
        }
        self
    }

    /// The entries that will be stopped.
    pub fn stopped(&self) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(|entry| matches!(entry.action, Action::Stop(_)))
    }

    /// Notes which containers outside the platform lose their network by the plan.
    pub fn note_neighbours(&mut self, around: &[Neighbour]) {
        let is_planned = |one: &Neighbour| self.entries.iter().any(|entry| entry.workload.id == one.id);
        let outside = around.iter().filter(|one| !is_planned(one));
        let cut_off = outside.filter_map(|one| {
            let lender = self.stopped().find(|entry| one.lives_in_network_of(&entry.workload))?;
            Some(format!(
                "{} is outside the platform and uses the network of {}, which is stopped: it loses it, and has to be \
                 restarted afterwards",
                strangers::name(one),
                lender.workload.address
            ))
        });
        self.remarks = cut_off.collect();
    }

    /// What the operator should know: what the backup will not hold, what is missing, and whom it concerns outside the
    /// platform.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let missing = self.missing.iter().map(ToString::to_string);
        self.not_held().chain(missing).chain(self.remarks.iter().cloned())
    }

    /// The databases that a backup will not hold, one sentence each.
    pub fn not_held(&self) -> impl Iterator<Item = String> {
        let clients = self.entries.iter().filter(|entry| entry.role == Role::Client);
        clients.flat_map(|entry| {
            let left_out = entry.left_out.iter().flatten();
            left_out.filter_map(|one| unprotected::warning(&entry.workload.address, one))
        })
    }

    /// What is to be as it was afterwards: everything that has a process now, but for what the engine
    /// removes when it ends.
    pub fn recorded(&self) -> Vec<RecordedWorkload> {
        self.entries
            .iter()
            .filter(|entry| entry.workload.state.is_up() && !entry.workload.auto_remove)
            .map(Entry::recorded)
            .collect()
    }

    /// The plan as the manifest records it.
    pub fn records(&self) -> Vec<WorkloadRecord> {
        self.entries.iter().map(Entry::record).collect()
    }
}

impl Entry {
    /// The store's name, if it is one.
    pub fn store(&self) -> Option<&StoreName> {
        match &self.role {
            Role::Store(name) => Some(name),
            Role::Client | Role::Kept => None,
        }
    }

    /// What it gets to stop, whether or not it is stopped with the others.
    pub fn grace(&self) -> Duration {
        match self.action {
            Action::Stop(grace) => grace,
            Action::Leave => grace(&self.workload, self.store().is_some()),
        }
    }

    fn recorded(&self) -> RecordedWorkload {
        RecordedWorkload {
            address: self.workload.address.clone(),
            id: self.workload.id.clone(),
            state: self.workload.state,
            started_at: self.workload.started_at,
            restart: self.workload.restart.clone(),
            healthy: self.workload.health == Some(Health::Healthy),
            grace: match self.action {
                Action::Stop(grace) => Some(grace.as_secs()),
                Action::Leave => None,
            },
            worked_on: self.worked_on,
            restart_count: Some(self.workload.restart_count),
            compose: Compose::of(&self.workload.labels),
        }
    }

    fn record(&self) -> WorkloadRecord {
        let workload = &self.workload;
        WorkloadRecord {
            address: workload.address.clone(),
            image: workload.image.clone(),
            image_id: workload.image_id.clone(),
            state: workload.state,
            role: self.role.to_string(),
            action: self.action.to_string(),
            reason: self.reason.clone(),
            left_out: self.left_out.clone(),
        }
    }
}

impl std::fmt::Display for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pinned = match self.footing {
            Footing::Running => "pinned while it runs",
            Footing::Frozen => "paused for its pin",
            Footing::Stopped => "stopped alone for its pin",
        };
        let drained = match self.mode {
            Mode::Pin => "copied while the clients run again",
            Mode::Hold => "copied before the clients start",
        };
        write!(f, "a store: {pinned}, {drained}")?;
        match self.expected {
            Some(Took { pin, drain }) => write!(f, " (last time {} and {})", seconds(pin), seconds(drain)),
            None => Ok(()),
        }
    }
}

fn seconds(millis: u64) -> String {
    let tenths = millis.div_ceil(100);
    format!("{}.{} s", tenths / 10, tenths % 10)
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Store(_) => "store",
            Self::Client => "client",
            Self::Kept => "kept",
        })
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Stop(_) => "stop",
            Self::Leave => "leave",
        })
    }
}

fn entry(platform: &Platform, workload: &Workload, job: Job) -> Entry {
    let store = platform.stores.get(&workload.address).map(|store| store.name().clone());
    // A store that another one needs is worked on all the same.
    let kept = platform.keep.reason(workload).filter(|_| store.is_none());
    let role = match (&store, &kept) {
        (Some(name), _) => Role::Store(name.clone()),
        (None, Some(_)) => Role::Kept,
        (None, None) => Role::Client,
    };
    let worked_on = store.is_some();
    let outlives_kill = platform
        .stores
        .get(&workload.address)
        .is_some_and(|store| store.outlives_kill());
    let follows = platform.followers.contains(&workload.address);
    let left_out = || platform.left_out(workload);
    let left_out = (store.is_none() && !follows && !keep::is_own(workload)).then(left_out);
    let (action, reason) = match kept {
        Some(reason) => (Action::Leave, reason),
        None => managed(workload, &platform.workloads, store.is_some(), job),
    };
    let reason = match action {
        Action::Stop(_) if follows => FOLLOWS.to_owned(),
        _ => reason,
    };
    Entry {
        workload: workload.clone(),
        role,
        action,
        reason,
        worked_on,
        outlives_kill,
        capture: None,
        left_out,
    }
}

/// What is said of a copy that a store keeps up.
const FOLLOWS: &str = "a standby: it follows a store, which is backed up; it is stopped and started like a client";

fn managed(workload: &Workload, all: &[Workload], is_store: bool, job: Job) -> (Action, String) {
    let Declaration { stops, with_store, .. } = job.declaration();
    let left = |why: &str| (Action::Leave, why.to_owned());
    match (stops, workload.state) {
        (Stops::Nothing, _) => left(with_store),
        (_, State::Created | State::Exited) => left("does not run"),
        (Stops::Clients, _) if is_store => left(with_store),
        // A stop would lose the memory for whose sake somebody froze it.
        (Stops::Clients, State::Paused) => left("paused: frozen, it cannot write"),
        (Stops::Clients | Stops::Everything, State::Running | State::Paused) => {
            let once = one_shot(workload, all).filter(|_| *stops == Stops::Clients);
            let why = match once {
                _ if is_store => with_store,
                Some(once) => of_job(once),
                None => "a client: it may write to stores",
            };
            (Action::Stop(grace(workload, is_store)), why.to_owned())
        }
    }
}

fn grace(workload: &Workload, is_store: bool) -> Duration {
    let own = workload.stop_grace.unwrap_or(CLIENT_STOP_GRACE);
    if is_store { own.max(STORE_STOP_GRACE) } else { own }
}

fn of_job(once: OneShot) -> &'static str {
    match once {
        OneShot::Surely => "a job that runs once: its end is waited for, it is not begun again",
        OneShot::Perhaps => {
            "a client: it may write to stores; nothing restarts it, so it may be a job that runs once: its end is waited \
             for, then it is stopped and begun again"
        }
    }
}
