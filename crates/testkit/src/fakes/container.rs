//! One simulated container: what the engine tells of it, and how it behaves when it is stopped,
//! started, dialled, or when its host reboots.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use stillpoint_core::logins::Passwords;
use stillpoint_core::names::{Address, Project, WorkloadId};
use stillpoint_core::stores::Old;
use stillpoint_core::workload::{
    CommandLine, Contents, Environment, Health, Mount, MountSource, RestartPolicy, State, Workload,
};

use super::store::Kept;
use super::tools::to_text;

/// The same for stores that are pinned while they are paused.
pub(super) const FROZEN_IMAGE: &str = "registry.example/frozenstore:1";

/// The image by which the fake kind knows its stores.
pub(super) const STORE_IMAGE: &str = "registry.example/fakestore:1";

/// The same for stores whose data is replaced while they are stopped.
pub(super) const COLD_IMAGE: &str = "registry.example/coldstore:1";

/// The same for stores that write and read their backups by themselves.
pub(super) const WRITING_IMAGE: &str = "registry.example/writingstore:1";

/// The same for stores that keep their data in another workload, and copy it object by object.
pub(super) const PIECEMEAL_IMAGE: &str = "registry.example/piecemealstore:1";

/// The service in which such a store keeps its data.
pub(super) const VAULT: &str = "vault";

/// What the engine does with a container after a reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Nothing.
    No,
    /// Starts it if nobody had stopped it.
    UnlessStopped,
    /// Starts it.
    Always,
}

impl Restart {
    /// As the engine's own words.
    pub(super) fn policy(self) -> RestartPolicy {
        let name = match self {
            Self::No => "no",
            Self::UnlessStopped => "unless-stopped",
            Self::Always => "always",
        };
        RestartPolicy {
            name: name.to_owned(),
            retries: 0,
        }
    }
}

/// A store's data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// How many rows by table.
    pub rows: BTreeMap<String, u64>,
    /// What a load had set aside.
    pub aside: Option<BTreeMap<String, u64>>,
    /// How many hold its point in time.
    pub pins: usize,
    /// The rows at that point in time.
    pub pinned: Option<BTreeMap<String, u64>>,
    /// The runs that have locked it against being changed. A lock outlives its run, and the container.
    pub locks: BTreeSet<String>,
    /// How many of those who hold it need every client down.
    pub holds: usize,
    /// The users whom it does not let in.
    pub locked_out: BTreeSet<String>,
    /// Why it would not start again.
    pub unstartable: Option<String>,
    /// A client's work that it knows of, and until when.
    pub work: Option<(String, Timestamp)>,
    /// It holds what no file has.
    pub unsaved: bool,
    /// The tables that no load can fill.
    pub unloadable: BTreeSet<String>,
    /// A load keeps what it does by itself from beginning.
    pub jobs_held: bool,
    /// What the last load was told to do about passwords, unless that was put back.
    pub passwords: Passwords,
    /// A database of Dagster in it.
    pub dagster: Option<Kept>,
}

impl Data {
    /// What a load had set aside, as the store tells it.
    pub(super) fn old(&self) -> Option<Old> {
        self.aside.as_ref().map(|_| Old {
            what: "its rows".to_owned(),
            is_sole: self.rows.is_empty(),
            replaced_by: Some("its rows of now".to_owned()),
        })
    }
}

/// A container of the simulated world.
#[derive(Clone, Debug)]
pub struct Container {
    /// What the engine told of it last; see [`Container::look`].
    pub(super) workload: Workload,
    pub(super) data: Option<Data>,
    pub(super) stops_in: Duration,
    pub(super) healthy_after: Option<Duration>,
    pub(super) answers_after: Duration,
    /// Its process ends then, with this exit code.
    pub(super) ends: Option<(Timestamp, i64)>,
    /// It has ended already, and the engine does not know.
    pub(super) is_dead: bool,
    pub(super) stopped_by_hand: bool,
    /// What a look inside it shows while it runs.
    pub(super) inside: Contents,
}

impl Container {
    /// A client of platform `acme` that runs.
    pub fn client(service: &str) -> Self {
        Self {
            workload: workload(service),
            data: None,
            stops_in: Duration::from_secs(1),
            healthy_after: None,
            answers_after: Duration::ZERO,
            ends: None,
            is_dead: false,
            stopped_by_hand: false,
            inside: Contents::default(),
        }
    }

    /// A store of platform `acme` that runs and holds these rows.
    pub fn store(service: &str, rows: &[(&str, u64)]) -> Self {
        let mut store = Self::client(service);
        store.workload.image = STORE_IMAGE.into();
        store.data = Some(Data {
            rows: rows
                .iter()
                .map(|(table, count)| ((*table).to_owned(), *count))
                .collect(),
            ..Data::default()
        });
        store.stops_in = Duration::from_secs(5);
        store.answers_after = Duration::from_millis(300);
        store.with_volume("data", "/data")
    }

    /// A store like [`Container::store`] whose data is replaced while it is stopped, in a sibling.
    pub fn cold_store(service: &str, rows: &[(&str, u64)]) -> Self {
        let mut store = Self::store(service, rows);
        store.workload.image = COLD_IMAGE.into();
        store
    }

    /// A store like [`Container::store`] that is paused for its pin.
    pub fn frozen_store(service: &str, rows: &[(&str, u64)]) -> Self {
        let mut store = Self::store(service, rows);
        store.workload.image = FROZEN_IMAGE.into();
        store
    }

    /// A store like [`Container::store`] that writes its backup by itself, an object for each table.
    pub fn writing_store(service: &str, rows: &[(&str, u64)]) -> Self {
        let mut store = Self::store(service, rows);
        store.workload.image = WRITING_IMAGE.into();
        store
    }

    /// A store like [`Container::cold_store`] that copies its data object by object, needs the service `vault`, and outlives a kill.
    pub fn piecemeal_store(service: &str, rows: &[(&str, u64)]) -> Self {
        let mut store = Self::store(service, rows);
        store.workload.image = PIECEMEAL_IMAGE.into();
        store
    }

    /// With the network of another container in place of one of its own.
    #[must_use]
    pub fn in_network_of(mut self, service: &str) -> Self {
        self.workload.network_of = Some(service.to_owned());
        self
    }

    /// The same in another state.
    #[must_use]
    pub fn that_is(mut self, state: State) -> Self {
        self.workload.state = state;
        self.stopped_by_hand = state == State::Exited;
        if state == State::Created {
            self.workload.started_at = None;
        }
        self
    }

    /// The same in another Compose project.
    #[must_use]
    pub fn of(mut self, project: &str) -> Self {
        self.workload.address.project = Project::new(project);
        self.workload.container = format!("{project}-{}-1", self.workload.address.service);
        self.workload.id = WorkloadId::new(format!("{project}.{}", self.workload.address.service));
        self
    }

    /// With a health check that gives it so long to become healthy.
    #[must_use]
    pub fn gives_health(mut self, span: Duration) -> Self {
        self.workload.health_takes = Some(span);
        self
    }

    /// With a health check that is made so long after a start for the first time.
    #[must_use]
    pub fn first_checked_after(mut self, span: Duration) -> Self {
        self.workload.health_first = Some(span);
        self
    }

    /// With a health check that passes so long after the start.
    #[must_use]
    pub fn healthy_after(mut self, span: Duration) -> Self {
        self.healthy_after = Some(span);
        self
    }

    /// That starts after these: `db:service_healthy:true,api:service_started:true`.
    #[must_use]
    pub fn depends_on(self, services: &str) -> Self {
        self.labelled("com.docker.compose.depends_on", services)
    }

    /// With this label.
    #[must_use]
    pub fn labelled(mut self, label: &str, value: &str) -> Self {
        self.workload.labels.insert(label.to_owned(), value.to_owned());
        self
    }

    /// With these variables in its environment: `NAME=value`.
    #[must_use]
    pub fn told(mut self, variables: &[&str]) -> Self {
        let variables = variables.iter().map(|variable| (*variable).to_owned());
        self.workload.environment = Environment::parse(variables);
        self
    }

    /// Made of this image.
    #[must_use]
    pub fn of_image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.workload.image);
        self
    }

    /// That has this folder in memory.
    #[must_use]
    pub fn with_memory(self, at: &str) -> Self {
        self.with_mount(MountSource::Memory, at)
    }

    /// That writes to this volume of the engine.
    #[must_use]
    pub fn with_volume(self, name: &str, at: &str) -> Self {
        self.with_mount(MountSource::Volume(name.to_owned()), at)
    }

    /// That writes to this folder of the host.
    #[must_use]
    pub fn with_folder(self, path: &str, at: &str) -> Self {
        self.with_mount(MountSource::Host(path.to_owned()), at)
    }

    fn with_mount(mut self, source: MountSource, at: &str) -> Self {
        self.workload.mounts.push(Mount {
            source,
            at: at.to_owned(),
            writable: true,
        });
        self
    }

    /// In which these command lines run.
    #[must_use]
    pub fn runs(mut self, processes: &[&str]) -> Self {
        let line = |text: &&str| CommandLine::new(text.split(' ').map(ToOwned::to_owned));
        self.inside.processes = Some(processes.iter().map(line).collect());
        self
    }

    /// That was started then.
    #[must_use]
    pub fn that_began(mut self, at: Timestamp) -> Self {
        self.workload.started_at = Some(at);
        self
    }

    /// That needs so long to stop by itself.
    #[must_use]
    pub fn stops_in(mut self, span: Duration) -> Self {
        self.stops_in = span;
        self
    }

    /// Whose operator lets it take so long to stop.
    #[must_use]
    pub fn asks_to_stop_within(mut self, span: Duration) -> Self {
        self.workload.stop_grace = Some(span);
        self
    }

    /// The further replica of this number.
    #[must_use]
    pub fn replica(mut self, number: u32) -> Self {
        self.workload.address.number = number;
        self.workload.id = WorkloadId::new(format!("{}-{number}", self.workload.id));
        self
    }

    /// That the engine treats so after a reboot.
    #[must_use]
    pub fn restarts(mut self, restart: Restart) -> Self {
        self.workload.restart = restart.policy();
        self
    }

    /// That the engine removes when it ends.
    #[must_use]
    pub fn auto_removed(mut self) -> Self {
        self.workload.auto_remove = true;
        self
    }

    /// Makes a pending end come true, and tells what the engine would tell now.
    pub(super) fn look(&mut self, now: Timestamp) -> Workload {
        if let Some((at, code)) = self.ends
            && at <= now
        {
            self.end(code);
        }
        self.workload.health = self.health(now);
        self.workload.clone()
    }

    /// Like the Docker Engine, which calls a container unhealthy once it has ended.
    fn health(&self, now: Timestamp) -> Option<Health> {
        let after = self.healthy_after?;
        let since = self.workload.started_at.filter(|_| self.workload.state.is_up());
        Some(match since {
            None => Health::Unhealthy,
            Some(since) if since + after <= now => Health::Healthy,
            Some(_) => Health::Starting,
        })
    }

    pub(super) fn end(&mut self, code: i64) {
        self.ends = None;
        self.workload.state = State::Exited;
        self.workload.exit_code = Some(code);
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.ends = None;
        self.is_dead = false;
        self.stopped_by_hand = false;
        self.workload.state = State::Running;
        self.workload.started_at = Some(now);
        // Like the Docker Engine, which counts what its policy does since the last start by hand.
        self.workload.restart_count = 0;
    }

    /// Its rows at the point in time that somebody holds.
    pub(super) fn pinned_rows(&self) -> Option<String> {
        self.data.as_ref()?.pinned.as_ref().map(to_text)
    }

    /// Its server takes connections.
    pub(super) fn answers(&self, now: Timestamp) -> bool {
        let since = self.workload.started_at;
        self.workload.state == State::Running
            && !self.is_dead
            && since.is_some_and(|since| since + self.answers_after <= now)
    }
}

fn workload(service: &str) -> Workload {
    Workload {
        address: Address {
            project: Project::new("acme"),
            service: service.into(),
            number: 1,
        },
        id: WorkloadId::new(service),
        container: format!("acme-{service}-1"),
        image: format!("registry.example/{service}:1"),
        image_id: format!("sha256:{service}"),
        state: State::Running,
        started_at: Some(Timestamp::constant(1_771_200_000, 0)),
        health: None,
        restart: Restart::UnlessStopped.policy(),
        restart_count: 0,
        exit_code: None,
        stop_grace: None,
        auto_remove: false,
        network_of: None,
        aliases: Vec::new(),
        joined: Vec::new(),
        health_takes: None,
        health_first: None,
        ports: BTreeSet::new(),
        mounts: Vec::new(),
        contents: Contents::default(),
        labels: BTreeMap::new(),
        environment: Environment::default(),
        command: CommandLine::default(),
    }
}
