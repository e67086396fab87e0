//! Volumes with data of scale 1 in them, kept between runs: made once for each content, copied for each test.
//! A template is used only when the file `whole` is in it, which its maker writes last.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{neighbours, script, seed};
use crate::testbed::docker::{Docker, LONG, words};
use crate::testbed::stores::Store;
use crate::testbed::{clickhouse, owner, places, stores};

const TEMPLATE_LABEL: &str = "stillpoint.testbed.seed";
const READY_LIMIT: Duration = Duration::from_mins(1);

/// Fills a project's volumes of a store from the template of its seed, which is made first where it is missing.
pub(in crate::testbed) fn copy_into(store: Store, volumes: &[String]) -> Result<()> {
    let template = Template::of(store)?;
    if template.copy(volumes)? {
        return Ok(());
    }
    let lock = places::cache().join("seed.lock");
    let lock = File::create(&lock).with_context(|| format!("cannot create {}", lock.display()))?;
    lock.lock().context("cannot lock the making of seeded volumes")?;
    // Another test may have made it while this one waited.
    if template.copy(volumes)? {
        return Ok(());
    }
    template.make()?;
    ensure!(
        template.copy(volumes)?,
        "the volume {} vanished while it was being copied",
        template.volume
    );
    Ok(())
}

struct Template {
    store: Store,
    volume: String,
}

impl Template {
    /// The volume's name tells what it was made of.
    fn of(store: Store) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        (script(store)?, places::image(store.image())?).hash(&mut hasher);
        for image in neighbours::of(store) {
            places::image(image)?.hash(&mut hasher);
        }
        let volume = format!("stillpoint-seed-{}-{:016x}", store.name(), hasher.finish());
        Ok(Self { store, volume })
    }

    fn label(&self) -> String {
        format!("{TEMPLATE_LABEL}={}", self.store.name())
    }

    fn create(&self) -> Result<()> {
        let create = ["volume", "create", "--label", &self.label(), &self.volume];
        Docker::new(create).run().map(drop)
    }

    /// Whether the template was there and whole: its last file says so.
    fn copy(&self, volumes: &[String]) -> Result<bool> {
        self.create()?;
        let folders = [&[recipe(self.store).data], neighbours::FOLDERS].concat();
        let mut lines = vec!["test -e /from/whole || exit 9".to_owned()];
        let mut mounts = vec![format!("{}:/from:ro", self.volume)];
        for (n, (folder, volume)) in folders.iter().zip(volumes).enumerate() {
            lines.push(format!("cp -a /from/{folder} /to{n}/ && rm -f /to{n}/whole || exit 1"));
            mounts.push(format!("{volume}:/to{n}"));
        }
        let call = helper(&mounts, &lines.join("; "))?;
        match call.output()?.status.code() {
            Some(0) => Ok(true),
            Some(9) => Ok(false),
            _ => bail!("{call}: cannot copy the seeded volume"),
        }
    }

    /// The caller holds the lock. Seeds a server of its own, stops it cleanly, and only then marks the volume as whole.
    fn make(&self) -> Result<()> {
        let builder = format!("{}-builder", self.volume);
        Docker::new(["rm", "--force", "--volumes", &builder]).output()?;
        self.drop_others()?;
        self.create()?;
        let mount = format!("{}:/seed", self.volume);
        // What an earlier maker left half done, where somebody who looks into the volume kept it from being dropped.
        helper(std::slice::from_ref(&mount), "rm -rf /seed/*")?.run()?;
        self.start(&builder)?;
        neighbours::start(self.store, &builder, &self.volume)?;
        seed(self.store, &builder, &owner::this_process()?, 1)?;
        if neighbours::of(self.store).is_empty() {
            stop(&builder)?;
        } else {
            neighbours::stop(self.store, &builder)?;
        }
        helper(&[mount], "sync; touch /seed/whole")?.run().map(drop)
    }

    fn start(&self, builder: &str) -> Result<()> {
        let recipe = recipe(self.store);
        let mount = format!("{}:{}", self.volume, recipe.mounted);
        Docker::new(["run", "-d", "--name", builder, "-v", &mount])
            .args(recipe.options)
            .args([places::image(self.store.image())?])
            .args(recipe.command)
            .run()?;
        if matches!(self.store, Store::Postgres | Store::Documentdb) {
            await_ready(builder)?;
        }
        Ok(())
    }

    /// Templates of the store's other seeds are of no more use; one that somebody still reads stays.
    fn drop_others(&self) -> Result<()> {
        let all = Docker::new(["volume", "ls", "-q", "--filter", &format!("label={}", self.label())]).run()?;
        for name in all.lines() {
            Docker::new(["volume", "rm", name]).output()?;
        }
        Ok(())
    }
}

/// In good order, and removed.
pub(super) fn stop(container: &str) -> Result<()> {
    Docker::new(["stop", "--time=60", container]).run()?;
    let code = Docker::new(["inspect", "--format={{.State.ExitCode}}", container]).run()?;
    ensure!(code == "0", "{container} did not stop cleanly: exit code {code}");
    Docker::new(["rm", "--volumes", container]).run().map(drop)
}

/// How a store is started to be seeded.
pub(super) struct Recipe {
    /// Where the template is mounted.
    pub(super) mounted: &'static str,
    /// What of the template belongs into a store's volume.
    pub(super) data: &'static str,
    /// Of `docker run`.
    pub(super) options: Vec<String>,
    pub(super) command: Vec<String>,
}

fn recipe(store: Store) -> Recipe {
    match store {
        // Few WAL files: each is 16 MB in every copy. Durability is what the clean stop is for.
        Store::Postgres => Recipe {
            mounted: "/seed",
            data: "data/.",
            options: [
                vec![ALONE.to_owned()],
                variables([stores::POSTGRES, ("PGDATA", "/seed/data")]),
            ]
            .concat(),
            command: words("postgres -c fsync=off -c max_wal_size=32MB -c min_wal_size=32MB"),
        },
        Store::Documentdb => Recipe {
            mounted: "/seed",
            data: "data/.",
            options: [
                "PGDATA=/seed/data",
                &format!("POSTGRES_PASSWORD={}", stores::DOCUMENTDB.1),
            ]
            .into_iter()
            .flat_map(|variable| ["-e".to_owned(), variable.to_owned()])
            .collect(),
            command: words("postgres -c fsync=off -c max_wal_size=32MB -c min_wal_size=32MB"),
        },
        Store::Valkey => Recipe {
            mounted: "/seed",
            data: "data/.",
            options: vec![ALONE.to_owned(), "--workdir=/seed/data".to_owned()],
            command: words(&format!(
                "--requirepass {} --appendonly yes --save 3600 1",
                stores::VALKEY.1
            )),
        },
        // Its folder stands in its configuration, and may not stand in its command too.
        Store::Nats => Recipe {
            mounted: "/data",
            data: "jetstream",
            options: [
                vec![ALONE.to_owned(), "-v".to_owned(), nats_configuration()],
                variables(stores::OF_NATS),
            ]
            .concat(),
            command: words("-c /etc/nats/nats.conf"),
        },
        // It ends at once where it has no network. What compose.local.yaml says of its logs is true here too.
        Store::Neo4j => Recipe {
            mounted: "/data",
            data: ".",
            options: variables([
                ("NEO4J_AUTH", &format!("neo4j/{}", stores::NEO4J.1)),
                ("NEO4J_server_memory_heap_max__size", "256m"),
                ("NEO4J_server_memory_pagecache_size", "64m"),
                ("NEO4J_dbms_usage__report_enabled", "false"),
                ("NEO4J_db_tx__log_preallocate", "false"),
            ]),
            command: words("neo4j"),
        },
        Store::Clickhouse => Recipe {
            mounted: "/var/lib/clickhouse",
            data: ".",
            options: [
                vec![ALONE.to_owned()],
                variables([("CLICKHOUSE_USER", clickhouse::USER), stores::CLICKHOUSE]),
            ]
            .concat(),
            command: words("--"),
        },
        Store::Milvus => neighbours::milvus(),
    }
}

pub(super) const ALONE: &str = "--network=none";

pub(super) fn variables<const N: usize>(variables: [(&str, &str); N]) -> Vec<String> {
    let options = variables
        .into_iter()
        .map(|(name, value)| ["-e".to_owned(), format!("{name}={value}")]);
    options.flatten().collect()
}

fn nats_configuration() -> String {
    let file = places::testbed().join("config/nats.conf");
    format!("{}:/etc/nats/nats.conf:ro", file.display())
}

/// A container that runs one shell line on volumes and is gone.
pub(super) fn helper(volumes: &[String], line: &str) -> Result<Docker> {
    let mounts = volumes.iter().flat_map(|v| ["-v".to_owned(), v.clone()]);
    let call = Docker::new(["run", "--rm", "--network=none", "--log-driver=none"]).args(mounts);
    Ok(call
        .args([
            places::image("IDLE")?,
            "sh".to_owned(),
            "-c".to_owned(),
            line.to_owned(),
        ])
        .limit(LONG))
}

/// Over TCP: the private server of the first start does not listen there.
fn await_ready(container: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let probe = Docker::new(["exec", container, "pg_isready", "-q", "-h", "127.0.0.1"]).output()?;
        if probe.status.success() {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < READY_LIMIT,
            "{container} accepts no connection within {} s",
            READY_LIMIT.as_secs()
        );
        sleep(Duration::from_millis(100));
    }
}
