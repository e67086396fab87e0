//! The platform under measurement: what it is, and that it is the same before every run. Never measures anything.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use stillpoint_testkit::testbed::{ContainerState, Status, Testbed};

use super::Arguments;

/// The store whose container could write beside its volumes: the dumps are made in it.
const POSTGRES: &str = "postgres-main";
/// Stopped and started alone by both tools, and no clients.
const STORES: [&str; 3] = [POSTGRES, "valkey", "nats"];
/// What both tools leave running, by the beginning of the service's name.
const KEPT: [&str; 5] = ["backup-", "seaweedfs-", "etcd", "traefik", "oauth2proxy-"];
/// After a restart PostgreSQL is healthy within seconds; more means that it does not come back.
const SETTLE_LIMIT: Duration = Duration::from_mins(3);

/// What the figures depend on.
pub(super) struct Setting {
    pub(super) scale: u32,
    pub(super) rounds: u32,
    pub(super) restores: u32,
    pub(super) database_bytes: u64,
    pub(super) databases: usize,
    pub(super) valkey_bytes: u64,
    pub(super) nats_bytes: u64,
    pub(super) cores: usize,
    pub(super) versions: Vec<String>,
}

impl Setting {
    pub(super) fn of(testbed: &Testbed, arguments: &Arguments, program: &Path) -> Result<Self> {
        let bytes = testbed.psql("postgres", "select sum(pg_database_size(oid)) from pg_database")?;
        let engine = testbed.docker(&["version", "--format", "{{.Server.Version}}, client {{.Client.Version}}"])?;
        Ok(Self {
            scale: arguments.scale,
            rounds: arguments.rounds,
            restores: arguments.restores,
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

    /// All ticks are there, the same everywhere: what was restored is from one point in time.
    pub(super) fn must_be_whole(&self) -> Result<()> {
        for (place, state) in self.testbed.witness()? {
            ensure!(
                state.is_whole(),
                "after a restore the witness in {place} is not whole: {state:?}"
            );
        }
        Ok(())
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
