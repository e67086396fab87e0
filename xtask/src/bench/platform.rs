//! The platform under measurement: what it is, and that it is the same before every run. Never measures anything.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use stillpoint_testkit::testbed::{ContainerState, Status, Testbed};

use super::Course;
use super::downtime::downtime;

/// The store whose container could write beside its volumes: the dumps are made in it.
const POSTGRES: &str = "postgres-main";
/// No clients. The scripts stop them, Stillpoint does not.
const STORES: [&str; 3] = [POSTGRES, "valkey", "nats"];
/// What both tools leave running, by the beginning of the service's name.
const KEPT: [&str; 5] = ["backup-", "seaweedfs-", "etcd", "traefik", "oauth2proxy-"];
/// After a restart PostgreSQL is healthy within seconds; more means that it does not come back.
const SETTLE_LIMIT: Duration = Duration::from_mins(3);

/// What the figures depend on.
pub(super) struct Setting {
    pub(super) course: Course,
    pub(super) database_bytes: u64,
    pub(super) databases: usize,
    pub(super) valkey_bytes: u64,
    pub(super) nats_bytes: u64,
    pub(super) cores: usize,
    pub(super) versions: Vec<String>,
}

impl Setting {
    pub(super) fn of(testbed: &Testbed, course: Course, program: &Path) -> Result<Self> {
        let bytes = testbed.psql("postgres", "select sum(pg_database_size(oid)) from pg_database")?;
        let engine = testbed.docker(&["version", "--format", "{{.Server.Version}}, client {{.Client.Version}}"])?;
        Ok(Self {
            course,
            database_bytes: bytes.parse().context("a server's size is no number")?,
            databases: testbed.databases()?.len(),
            valkey_bytes: in_volume(testbed, "valkey-data")?,
            nats_bytes: in_volume(testbed, "nats-data")?,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            versions: vec![
                first_line(Command::new(program).arg("version"))?,
                format!("PostgreSQL {}", testbed.psql("postgres", "show server_version")?),
                format!("Docker Engine {engine}"),
                format!("Linux {}", first_line(Command::new("uname").arg("-r"))?),
            ],
        })
    }
}

/// Bytes of the files in one of the platform's volumes; 0 where the engine keeps them out of sight.
fn in_volume(testbed: &Testbed, volume: &str) -> Result<u64> {
    let name = format!("{}_{volume}", testbed.project());
    let place = testbed.docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &name])?;
    Ok(super::usage::content(Path::new(&place)))
}

fn first_line(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The platform as it was before the first run, which is how every run must find and leave it.
pub(super) struct Platform<'a> {
    pub(super) testbed: &'a Testbed,
    before: Vec<ContainerState>,
    /// The services that a standstill stops, the stores excepted.
    pub(super) clients: BTreeSet<String>,
}

impl<'a> Platform<'a> {
    pub(super) fn new(testbed: &'a Testbed) -> Result<Self> {
        let before = testbed.containers()?;
        let kept = |service: &str| KEPT.iter().any(|prefix| service.starts_with(prefix));
        let clients = before
            .iter()
            .filter(|c| c.status == Status::Running && !STORES.contains(&c.service.as_str()) && !kept(&c.service))
            .map(|c| c.service.clone())
            .collect();
        Ok(Self {
            testbed,
            before,
            clients,
        })
    }

    /// Everything is as it was, and no earlier run's writes are left for the next to wait for.
    pub(super) fn settle(&self) -> Result<()> {
        self.await_as_before()?;
        self.testbed.psql("postgres", "checkpoint")?;
        first_line(&mut Command::new("sync")).map(drop)
    }

    fn await_as_before(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let different = self.differences()?;
            if different.is_empty() {
                return Ok(());
            }
            if begun.elapsed() > SETTLE_LIMIT {
                bail!(
                    "after {} s the platform is not as it was: {}",
                    SETTLE_LIMIT.as_secs(),
                    different.join(", ")
                );
            }
            sleep(Duration::from_millis(200));
        }
    }

    fn differences(&self) -> Result<Vec<String>> {
        let now = self.testbed.containers()?;
        let same = |was: &&ContainerState| {
            now.iter()
                .any(|c| c.id == was.id && c.status == was.status && c.health == was.health)
        };
        let different = self.before.iter().filter(|was| !same(was));
        Ok(different.map(|was| was.service.clone()).collect())
    }

    /// The tick after which the witness was last stopped.
    pub(super) fn stopped_after(&self) -> Result<u64> {
        let stop = self.testbed.witness_log_last_stop()?;
        stop.context("the witness was never stopped in good order")
    }

    /// What was restored is that tick, in every store, and every tick before it.
    pub(super) fn must_show(&self, tick: u64) -> Result<()> {
        self.testbed.rest()?;
        self.testbed.one_tick()?;
        let resumed = self.testbed.witness_log_last_resume()?;
        ensure!(
            resumed == Some(tick),
            "after a restore the witness resumed after tick {resumed:?}, and the backup is of {tick}"
        );
        self.testbed.go_on()
    }

    /// Stops the clients and starts them again, all at once and with nothing between: nobody can do that faster.
    pub(super) fn floor(&self) -> Result<Duration> {
        self.settle()?;
        let events = self.testbed.events_recorder()?;
        let ids: Vec<_> = self
            .before
            .iter()
            .filter(|c| self.clients.contains(&c.service))
            .collect();
        let ids: Vec<&str> = ids.into_iter().map(|c| c.id.as_str()).collect();
        self.testbed.docker(&[&["stop"], &ids[..]].concat())?;
        std::thread::scope(|scope| {
            let start = |id: &str| self.testbed.docker(&["start", id]);
            let starting: Vec<_> = ids.iter().map(|id| scope.spawn(move || start(id))).collect();
            starting.into_iter().try_for_each(|one| match one.join() {
                Ok(started) => started.map(drop),
                Err(_) => bail!("a thread that started a client panicked"),
            })
        })?;
        downtime(&events.stop()?, &self.clients)
    }

    /// The directory that takes what the store's container writes outside its volumes; none where the engine does not tell.
    pub(super) fn writable_layer(&self) -> Result<Option<std::path::PathBuf>> {
        let container = self.testbed.container(POSTGRES)?;
        let format = "--format={{with .GraphDriver.Data}}{{index . \"UpperDir\"}}{{end}}";
        let upper = self.testbed.docker(&["inspect", format, &container])?;
        let path = std::path::PathBuf::from(upper);
        Ok(path.is_dir().then_some(path))
    }
}
