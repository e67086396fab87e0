//! Data for the databases: always the same for the same scale. Seeding once and copying the volume is what makes fast tests fast.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::docker::{Docker, LONG};
use super::{places, stores};

const TEMPLATE_LABEL: &str = "stillpoint.testbed.seed";
const READY_LIMIT: Duration = Duration::from_mins(1);

/// Everything in `testbed/seed/*.sql`, in order, as one script: the connections are switched inside it.
fn script() -> Result<String> {
    let folder = places::testbed().join("seed");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == "sql"));
    files.sort();
    let texts = files
        .iter()
        .map(|path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display())));
    texts.collect()
}

/// Seeds the fresh server in a container. A second time fails: the roles are there.
pub(super) fn seed(container: &str, scale: u32) -> Result<()> {
    Docker::new([
        "exec",
        "-i",
        "-u",
        "postgres",
        container,
        "psql",
        "-XqAt",
        "-v",
        "ON_ERROR_STOP=1",
        "-v",
    ])
    .args([format!("scale={scale}")])
    .input(script()?)
    .limit(LONG)
    .run()
    .map(drop)
    .with_context(|| format!("cannot seed at scale {scale} (a server can be seeded once)"))
}

/// Fills a project's PostgreSQL volume from the template of this seed, which is made first where it is missing.
pub(super) fn copy_into(volume: &str) -> Result<()> {
    let template = template_name()?;
    if copy(&template, volume)? {
        return Ok(());
    }
    let lock = places::cache().join("seed.lock");
    let lock = File::create(&lock).with_context(|| format!("cannot create {}", lock.display()))?;
    lock.lock().context("cannot lock the making of seeded volumes")?;
    // Another test may have made it while this one waited.
    if copy(&template, volume)? {
        return Ok(());
    }
    make_template(&template)?;
    ensure!(
        copy(&template, volume)?,
        "the volume {template} vanished while it was being copied"
    );
    Ok(())
}

/// The volume's name tells what it was made of.
fn template_name() -> Result<String> {
    let mut hasher = DefaultHasher::new();
    (script()?, places::image("POSTGRES")?).hash(&mut hasher);
    Ok(format!("stillpoint-seed-{:016x}", hasher.finish()))
}

/// Whether the template was there and whole: its last file says so.
fn copy(template: &str, volume: &str) -> Result<bool> {
    Docker::new(["volume", "create", "--label", TEMPLATE_LABEL, template]).run()?;
    let copy = "test -e /from/whole || exit 9; cp -a /from/data/. /to/";
    let call = helper(&[format!("{template}:/from:ro"), format!("{volume}:/to")], copy)?;
    match call.output()?.status.code() {
        Some(0) => Ok(true),
        Some(9) => Ok(false),
        _ => bail!("{call}: cannot copy the seeded volume"),
    }
}

/// A container that runs one shell line on volumes and is gone.
fn helper(volumes: &[String], line: &str) -> Result<Docker> {
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

/// The caller holds the lock. Seeds a server of its own, stops it cleanly, and only then marks the volume as whole.
fn make_template(template: &str) -> Result<()> {
    let builder = format!("{template}-builder");
    Docker::new(["rm", "--force", "--volumes", &builder]).output()?;
    drop_templates()?;
    Docker::new(["volume", "create", "--label", TEMPLATE_LABEL, template]).run()?;
    let mount = format!("{template}:/seed");
    // What an earlier maker left half done, where somebody who looks into the volume kept it from being dropped.
    helper(std::slice::from_ref(&mount), "rm -rf /seed/data /seed/whole")?.run()?;
    let (variable, value) = stores::POSTGRES;
    let password = format!("{variable}={value}");
    Docker::new([
        "run",
        "-d",
        "--name",
        &builder,
        "--network=none",
        "-e",
        &password,
        "-e",
        "PGDATA=/seed/data",
        "-v",
        &mount,
    ])
    .args([places::image("POSTGRES")?])
    // Few WAL files: each is 16 MB in every copy. Durability is what the clean stop is for.
    .args([
        "postgres",
        "-c",
        "fsync=off",
        "-c",
        "max_wal_size=32MB",
        "-c",
        "min_wal_size=32MB",
    ])
    .run()?;
    await_ready(&builder)?;
    seed(&builder, 1)?;
    Docker::new(["stop", "--time=60", &builder]).run()?;
    let code = Docker::new(["inspect", "--format={{.State.ExitCode}}", &builder]).run()?;
    ensure!(code == "0", "the seeded server did not stop cleanly: exit code {code}");
    Docker::new(["rm", "--volumes", &builder]).run()?;
    helper(&[mount], "sync; touch /seed/whole")?.run().map(drop)
}

/// Templates of other seeds are of no more use; one that somebody still reads stays.
fn drop_templates() -> Result<()> {
    let all = Docker::new(["volume", "ls", "-q", "--filter", &format!("label={TEMPLATE_LABEL}")]).run()?;
    for name in all.lines() {
        Docker::new(["volume", "rm", name]).output()?;
    }
    Ok(())
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
