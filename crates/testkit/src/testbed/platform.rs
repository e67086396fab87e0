//! One testbed: a Compose project of its own, brought up, used and taken down by a test or a task.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};

use super::docker::{Docker, LONG};
use super::events::Events;
use super::nats::Nats;
use super::psql::psql;
use super::stores::{self, PASSWORDS, Store};
use super::{
    ContainerState, Status, Truth, beside, containers, dump, milvus, nats, owner, places, reap, seed, truth, wreck,
};
use crate::seaweed;

const STORE: &str = "postgres-main";
pub(super) const WITNESS: &str = "witness";
const OBJECT_STORE: &str = "seaweedfs-s3";

/// How much of `testbed/compose.yaml` is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// All services, the operator's acts included: one is paused, one stopped.
    Full,
    /// The same without Neo4j, whose every start is a start of Java: for tests to which it adds minutes and nothing else.
    Lean,
    /// The same with the stores that were chosen: [`Shape::of`].
    Chosen(Chosen),
    /// All services but the stores that the classic script of the benchmark does not know.
    Classic,
    /// `postgres-main`, `webapp`, `witness`: what a fault test needs, up in a few seconds.
    Mini,
    /// The stores of [`Shape::Classic`], `webapp`, `witness`.
    Few,
    /// `valkey`, `webapp`, `witness`.
    Valkey,
    /// `nats`, `webapp`, `witness`.
    Nats,
    /// `postgres-ferretdb`, `webapp`, `witness`.
    Documentdb,
    /// `neo4j`, `webapp`, `witness`.
    Neo4j,
    /// `clickhouse`, `webapp`, `witness`.
    Clickhouse,
    /// `milvus`, what it stands on (`etcd`, `seaweedfs-s3`), `webapp`, `witness`.
    Milvus,
    /// The stores of [`Shape::Lean`], `webapp`, `witness`.
    Stores,
    /// `postgres-main`, `webapp`, `witness`, and `restless`, which ends and is started again by its policy every few seconds.
    Restless,
}

/// Some stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen(&'static [Store]);

/// The stores of a whole platform. Each kind of store that the product has belongs here.
const ALL: &[Store] = &[
    Store::Postgres,
    Store::Documentdb,
    Store::Valkey,
    Store::Nats,
    Store::Clickhouse,
    Store::Neo4j,
    Store::Milvus,
];

impl Shape {
    /// A platform with these kinds of stores alone.
    pub fn of(kinds: &[String]) -> Result<Self> {
        let known = || ALL.iter().map(|store| store.name()).collect::<Vec<_>>().join(", ");
        let store = |kind: &String| {
            let found = ALL.iter().copied().find(|store| store.name() == kind.trim());
            found.with_context(|| format!("`{kind}` is no kind of store: {}", known()))
        };
        let chosen: Vec<Store> = kinds.iter().map(store).collect::<Result<_>>()?;
        // One for as long as the process lives: a shape is a name.
        Ok(Self::Chosen(Chosen(Vec::leak(chosen))))
    }

    /// What its stores are called.
    pub fn kinds(self) -> Vec<&'static str> {
        self.stores().iter().map(|store| store.name()).collect()
    }

    pub(super) fn stores(self) -> &'static [Store] {
        match self {
            Self::Full => ALL,
            Self::Chosen(Chosen(stores)) => stores,
            Self::Lean | Self::Stores => &[
                Store::Postgres,
                Store::Documentdb,
                Store::Valkey,
                Store::Nats,
                Store::Clickhouse,
            ],
            Self::Classic | Self::Few => &[Store::Postgres, Store::Valkey, Store::Nats],
            Self::Mini | Self::Restless => &[Store::Postgres],
            Self::Valkey => &[Store::Valkey],
            Self::Nats => &[Store::Nats],
            Self::Documentdb => &[Store::Documentdb],
            Self::Neo4j => &[Store::Neo4j],
            Self::Clickhouse => &[Store::Clickhouse],
            Self::Milvus => &[Store::Milvus],
        }
    }

    fn services(self) -> impl Iterator<Item = &'static str> {
        const OTHERS: &[&str] = &[OBJECT_STORE, "etcd", "traefik", "worker-paused", "stubborn", "reports"];
        let others = match self {
            Self::Full | Self::Lean | Self::Classic | Self::Chosen(_) => OTHERS,
            Self::Restless => &["restless"],
            Self::Milvus => &[OBJECT_STORE, "etcd"],
            _ => &[],
        };
        let stores = self.stores().iter().map(|store| store.service());
        stores.chain(["webapp", WITNESS]).chain(others.iter().copied())
    }

    /// What the witness counts in.
    fn witnessed(self) -> String {
        self.kinds().join(" ")
    }
}

/// The same for every store, side by side; the first failure, after all have ended.
fn in_parallel(stores: &[Store], act: impl Fn(Store) -> Result<()> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let running: Vec<_> = stores.iter().map(|store| scope.spawn(|| act(*store))).collect();
        let ended = running.into_iter().map(std::thread::ScopedJoinHandle::join);
        let outcomes: Vec<_> = ended
            .map(|outcome| outcome.unwrap_or_else(|_| Err(anyhow!("a thread of the testbed panicked"))))
            .collect();
        outcomes.into_iter().collect()
    })
}

/// When the witness ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WitnessMode {
    /// By itself, a tick and then a pause of [`INTERVAL`] seconds; also by [`Testbed::tick`].
    Auto,
    /// Only by [`Testbed::tick`].
    Command,
}

/// The pause of a witness that ticks by itself, in seconds: about as long as a tick, so that half of all moments lie within one.
const INTERVAL: &str = "0.2";

/// A platform under a project name of its own. Everything it makes carries its owner's label; only [`Testbed::down`] removes it.
#[derive(Debug, Clone)]
pub struct Testbed {
    project: String,
    pub(super) shape: Shape,
    witness: WitnessMode,
    owner: String,
}

impl Testbed {
    /// A platform of this process, named `sp-<name>-…` like no other; the witness ticks on command. Nothing is started yet.
    pub fn for_test(name: &str, shape: Shape) -> Result<Self> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("the clock is before 1970")?;
        let project = format!("sp-{name}-{}-{:05x}", std::process::id(), now.subsec_nanos() >> 10);
        Ok(Self {
            project,
            shape,
            witness: WitnessMode::Command,
            owner: owner::this_process()?,
        })
    }

    /// A platform that outlives this process until somebody takes it down; the witness ticks by itself.
    pub fn kept(project: &str, shape: Shape) -> Self {
        Self {
            project: project.to_owned(),
            shape,
            witness: WitnessMode::Auto,
            owner: owner::KEPT.to_owned(),
        }
    }

    /// The same platform with another witness; before [`Testbed::up`].
    #[must_use]
    pub fn with_witness(mut self, mode: WitnessMode) -> Self {
        self.witness = mode;
        self
    }

    /// The same platform with a witness that ticks by itself, as a user's client would; before [`Testbed::up`].
    #[must_use]
    pub fn auto(self) -> Self {
        self.with_witness(WitnessMode::Auto)
    }

    /// The Compose project's name.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Starts the platform with empty stores and waits until every service is healthy or runs.
    /// Removes leftovers of dead runs first, once per process.
    pub fn up(&self) -> Result<()> {
        reap::first()?;
        self.start()
            .with_context(|| format!("cannot bring up {}", self.project))
    }

    /// Starts the platform with data of scale 1 already in its stores, and the witness ready to tick.
    pub fn up_seeded(&self) -> Result<()> {
        in_parallel(self.shape.stores(), |store| {
            let volumes = store.volumes().iter().map(|name| self.create_volume(name));
            seed::copy_into(store, &volumes.collect::<Result<Vec<_>>>()?)
        })?;
        self.up()?;
        self.await_witness()
    }

    /// With Compose's own labels, else it would not take the volume for its own.
    fn create_volume(&self, name: &str) -> Result<String> {
        let labels = [
            format!("--label=com.docker.compose.project={}", self.project),
            format!("--label=com.docker.compose.volume={name}"),
            format!("--label={}={}", owner::LABEL, self.owner),
        ];
        let volume = format!("{}_{name}", self.project);
        Docker::new(["volume", "create"]).args(labels).args([volume]).run()
    }

    /// Fills the empty stores; 1 is a few megabytes in each, 100 about 2 GB in PostgreSQL and 250 MB in each other. Returns when the witness is ready to tick.
    pub fn seed(&self, scale: u32) -> Result<()> {
        in_parallel(self.shape.stores(), |store| {
            seed::seed(store, &self.container(store.service())?, &self.owner, scale)
        })?;
        self.await_witness()
    }

    fn start(&self) -> Result<()> {
        // Compose cannot start what is paused; here it is when the platform was up already.
        for paused in self.containers()?.iter().filter(|c| c.status == Status::Paused) {
            self.docker(&["unpause", &paused.id])?;
        }
        // Whoever waits for a store that this shape lacks waits for the others only, and is labelled so.
        self.compose(["up", "-d", "--wait", "--wait-timeout", "180", "--no-deps"])
            .args(self.shape.services())
            .limit(LONG)
            .run()?;
        if self.shape.services().any(|service| service == OBJECT_STORE) {
            seaweed::make_ready(&self.container(OBJECT_STORE)?)?;
        }
        if self.shape.stores().contains(&Store::Milvus) {
            milvus::claim(&self.container(Store::Milvus.service())?)?;
        }
        if matches!(
            self.shape,
            Shape::Full | Shape::Lean | Shape::Classic | Shape::Chosen(_)
        ) {
            self.play_operator()?;
        }
        Ok(())
    }

    /// `--wait` takes the end of a one-shot for a failure, so it comes by itself; then what an operator has done by hand.
    fn play_operator(&self) -> Result<()> {
        self.compose(["up", "-d", "--no-deps", "oneshot-init"]).run()?;
        self.docker(&["wait", &self.container("oneshot-init")?])?;
        self.docker(&["pause", &self.container("worker-paused")?])?;
        self.docker(&["stop", &self.container("reports")?]).map(drop)
    }

    /// Removes containers, volumes and networks at once. A project that is not there is no error.
    pub fn down(&self) -> Result<()> {
        reap::remove(&self.project).with_context(|| format!("cannot take down {}", self.project))
    }

    /// `docker ARGS…`: its standard output, or an error with what it said.
    pub fn docker(&self, args: &[&str]) -> Result<String> {
        Docker::new(args.iter().copied()).run()
    }

    fn compose<const N: usize>(&self, args: [&str; N]) -> Docker {
        let file = |name: &str| places::testbed().join(name).to_string_lossy().into_owned();
        let images = places::images_env().to_string_lossy().into_owned();
        let mode = match self.witness {
            WitnessMode::Auto => "auto",
            WitnessMode::Command => "command",
        };
        let call = Docker::new(["compose", "-p", &self.project, "--env-file", &images])
            .args(["-f", &file("compose.yaml"), "-f", &file("compose.local.yaml")])
            .args(args)
            .env("STILLPOINT_TESTBED_OWNER", &self.owner)
            .env("WITNESS_MODE", mode)
            .env("WITNESS_INTERVAL", INTERVAL)
            .env("WITNESS_STORES", self.shape.witnessed());
        PASSWORDS
            .into_iter()
            .fold(call, |call, (name, value)| call.env(name, value))
    }

    /// Types a `docker compose …` line that the product printed, as its operator would, with what the testbed's files
    /// want to be told.
    pub fn type_compose(&self, line: &str) -> Result<()> {
        let words = line.strip_prefix("docker ").context("no docker command")?;
        let mut call = self.compose([]);
        call.replace_args(words.split_whitespace());
        call.limit(LONG).run().map(drop)
    }

    /// All containers, as inspect shows them now.
    pub fn containers(&self) -> Result<Vec<ContainerState>> {
        containers::of_project(&self.project)
    }

    /// One service's container, as inspect shows it now.
    pub fn state(&self, service: &str) -> Result<ContainerState> {
        let found = self.containers()?.into_iter().find(|c| c.service == service);
        found.ok_or_else(|| anyhow!("{} has no container of service {service}", self.project))
    }

    /// The id of a service's container.
    pub fn container(&self, service: &str) -> Result<String> {
        let service_filter = format!("label=com.docker.compose.service={service}");
        let filters = [
            "--filter",
            &containers::project_filter(&self.project),
            "--filter",
            &service_filter,
        ];
        let ids = Docker::new(["ps", "-aq", "--no-trunc"]).args(filters).run()?;
        let first = ids.lines().next().map(str::to_owned);
        first.ok_or_else(|| anyhow!("{} has no container of service {service}", self.project))
    }

    /// The names of what the product has put beside this platform's containers, and of no other's: tests
    /// share the engine.
    pub fn siblings(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for one in self.containers()? {
            let filter = format!("label=stillpoint.sibling-of={}", one.id);
            let listed = Docker::new(["ps", "-a", "--format", "{{.Names}}", "--filter", &filter]).run()?;
            names.extend(listed.lines().map(str::to_owned));
        }
        Ok(names)
    }

    /// Runs SQL as the superuser; unaligned output without headings, an error at the first failed statement.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String> {
        psql(&self.container(STORE)?, database, sql)
    }

    /// The same in DocumentDB's server.
    pub fn psql_in_documentdb(&self, sql: &str) -> Result<String> {
        psql(&self.container(Store::Documentdb.service())?, "postgres", sql)
    }

    /// Runs a shell script with the stock client programs beside a service's container, in a throwaway container with the same network:
    /// the service is at 127.0.0.1, `valkey-cli` has Valkey's password, `nats` is the user `app` (`--user other
    /// --password "$NATS_OTHER_PASSWORD"` for the other account), `cypher` is the user `neo4j`, `clickhouse-sql`
    /// the user `clickhouse`, Python's module `milvus` the user `root`. Its standard output; an error unless it exits 0.
    pub fn beside(&self, service: &str, script: &str) -> Result<String> {
        beside::call(&self.container(service)?, &self.owner, &[])?
            .input(script)
            .run()
    }

    /// A connection to NATS as the user `app`.
    pub fn nats(&self) -> Result<Nats> {
        Nats::connect(&self.container(Store::Nats.service())?, "app", stores::NATS_APP.1)
    }

    /// What its operator tells the product: NATS' and Milvus' logins stand in no container.
    pub fn logins(&self) -> Vec<(String, String)> {
        let of = |store: &Store| match store {
            Store::Nats => nats::logins(),
            Store::Milvus => vec![("STILLPOINT_MILVUS_PASSWORD".to_owned(), stores::MILVUS.1.to_owned())],
            _ => Vec::new(),
        };
        self.shape.stores().iter().flat_map(of).collect()
    }

    /// What scripts of an operator's own are told: Valkey's password, a line `<account> <user> <password>` for each of NATS'
    /// accounts, and an image with the stock clients.
    pub fn for_scripts() -> Result<Vec<(&'static str, String)>> {
        let accounts = nats::ACCOUNTS.map(|(account, user, password)| format!("{account} {user} {password}"));
        let (valkey, password) = stores::VALKEY;
        Ok(vec![
            (valkey, password.to_owned()),
            ("NATS_ACCOUNTS", accounts.join("\n")),
            ("CLIENTS", places::image("CLIENTS")?),
        ])
    }

    /// The databases that take connections and are no templates, sorted; `postgres` among them.
    pub fn databases(&self) -> Result<Vec<String>> {
        let names = self.psql(
            "postgres",
            "select datname from pg_database where datallowconn and not datistemplate order by datname",
        )?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Everything of the shape's stores that a restore must bring back; what the witness wrote excepted.
    pub fn truth(&self) -> Result<Truth> {
        let mut truth = Truth::default();
        for store in self.shape.stores() {
            let container = self.container(store.service())?;
            let of_store = match store {
                Store::Postgres => truth::collect(&container, &self.databases()?)?,
                Store::Documentdb => Truth::at(truth::documentdb(&container)?),
                Store::Valkey => Truth::at(truth::valkey(&container)?),
                Store::Nats => Truth::at(truth::nats(&container)?),
                Store::Neo4j => Truth::at(truth::neo4j(&container)?),
                Store::Clickhouse => Truth::at(truth::clickhouse(&container)?),
                Store::Milvus => Truth::at(truth::milvus(&container)?),
            };
            truth.add(of_store);
        }
        Ok(truth)
    }

    /// Destroys everything in the shape's stores and leaves rubbish under some of the old names.
    pub fn wreck(&self) -> Result<()> {
        in_parallel(self.shape.stores(), |store| {
            let container = self.container(store.service())?;
            match store {
                Store::Postgres => wreck::postgres(&container),
                Store::Documentdb => wreck::documentdb(&container),
                Store::Valkey => wreck::valkey(&container),
                Store::Nats => wreck::nats(&container),
                Store::Neo4j => wreck::neo4j(&container),
                Store::Clickhouse => wreck::clickhouse(&container),
                Store::Milvus => wreck::milvus(&container),
            }
        })
        .with_context(|| format!("cannot wreck {}", self.project))
    }

    /// Records what the engine reports about this project, from now on.
    pub fn events_recorder(&self) -> Result<Events> {
        Events::start(&self.project)
    }

    /// Writes inspect and every container's log into a folder, for a look after a failure.
    pub fn dump(&self, folder: &Path) -> Result<()> {
        dump::write(&self.project, folder)
    }

    /// Runs a test on this platform and takes it down if all went well. After an error or a panic the platform stays for a look (the next
    /// run removes it), and everything that [`Testbed::dump`] writes is in a folder that the message names.
    pub fn examined(&self, test: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        match panic::catch_unwind(AssertUnwindSafe(|| test(self))) {
            Ok(Ok(())) => self.down(),
            Ok(Err(error)) => Err(error.context(self.dumped())),
            Err(payload) => {
                say(&self.dumped());
                panic::resume_unwind(payload)
            }
        }
    }

    fn dumped(&self) -> String {
        let folder = places::failures().join(&self.project);
        match self.dump(&folder) {
            Ok(()) => format!("{} stays; its logs are in {}", self.project, folder.display()),
            Err(e) => format!("{} stays, without a dump: {e:#}", self.project),
        }
    }
}

#[expect(clippy::print_stderr, reason = "beside a panic's own message, and only in tests")]
fn say(line: &str) {
    eprintln!("{line}");
}
