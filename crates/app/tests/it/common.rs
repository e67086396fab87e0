//! What the tests of the program share. Every test has a platform, a repository and a state
//! directory of its own; a platform whose test failed stays for a look.

use std::path::Path;

use anyhow::{Context, Result, bail};
use stillpoint_testkit::disks::SmallDisk;
pub(crate) use stillpoint_testkit::patience::until;
use stillpoint_testkit::product::{Product, Running};
use stillpoint_testkit::testbed::{ContainerState, Event, Shape, Status, Testbed};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_stillpoint");

/// Runs a test on a small platform with data in it.
pub(crate) fn on_mini(name: &str, test: impl FnOnce(&Testbed, &Product) -> Result<()>) -> Result<()> {
    on(name, Shape::Mini, test)
}

/// Runs a test on a platform with data in it. On one with all stores the witness ticks by itself, as a user's client would.
pub(crate) fn on(name: &str, shape: Shape, test: impl FnOnce(&Testbed, &Product) -> Result<()>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let testbed = Testbed::for_test(name, shape)?;
    let testbed = match shape {
        Shape::Full | Shape::Lean | Shape::Stores => testbed.auto(),
        _ => testbed,
    };
    testbed.examined(|testbed| {
        testbed.up_seeded()?;
        test(testbed, &Product::of(PROGRAM, folder.path(), testbed))
    })
}

/// Service, status and restart count: what must be the same before and after a run.
pub(crate) fn standing(testbed: &Testbed) -> Result<Vec<(String, Status, u64)>> {
    let all = testbed.containers()?;
    Ok(all
        .into_iter()
        .map(|one: ContainerState| (one.service, one.status, one.restart_count))
        .collect())
}

/// Fails unless every container is as it was before, and no claim is left.
pub(crate) fn is_back(testbed: &Testbed, before: &[(String, Status, u64)]) -> Result<()> {
    let now = standing(testbed)?;
    if now != before {
        bail!("the platform is not as it was\nbefore {before:?}\nnow    {now:?}");
    }
    if has_claim(testbed)? {
        bail!("the claim is still there");
    }
    Ok(())
}

/// Whether a run holds the platform.
pub(crate) fn has_claim(testbed: &Testbed) -> Result<bool> {
    let name = format!("name=^/stillpoint-{}$", testbed.project());
    Ok(!testbed.docker(&["ps", "-aq", "--filter", &name])?.is_empty())
}

/// The powers that were used on a service, in order.
pub(crate) fn powers<'a>(events: &'a [Event], service: &str) -> Vec<&'a str> {
    let powers = ["start", "die", "pause", "unpause", "destroy"];
    let of_service = events.iter().filter(|event| event.service == service);
    of_service
        .map(|event| event.action.as_str())
        .filter(|action| powers.contains(action))
        .collect()
}

/// Puts a program before the stock one of the same name in the store's container. It survives stops and starts.
/// What its predecessor said is forgotten: tools run side by side, and the last of them may have said that it
/// is half-way after anybody looked.
pub(crate) fn replace_tool(testbed: &Testbed, tool: &str, script: &str) -> Result<()> {
    replace_tool_in(testbed, "postgres-main", tool, script)
}

/// The same in the container of this service.
pub(crate) fn replace_tool_in(testbed: &Testbed, service: &str, tool: &str, script: &str) -> Result<()> {
    let store = testbed.container(service)?;
    if testbed.state(service)?.status == Status::Running {
        testbed.docker(&["exec", &store, "rm", "-f", "/tmp/go", "/tmp/half-way"])?;
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(tool);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
    make_executable(&path)?;
    let target = format!("{store}:/usr/local/bin/{tool}");
    testbed.docker(&["cp", &path.to_string_lossy(), &target]).map(drop)
}

/// Lets a file be run.
pub(crate) fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
}

/// A disk of so many MiB of its own.
pub(crate) fn disk(mebibytes: u64) -> Result<SmallDisk> {
    SmallDisk::mount(mebibytes << 20)?.context("these tests mount disks: run them as root")
}

/// The stock `pg_dump` for the probe before the standstill; for the dump itself, real bytes first.
pub(crate) const HALF_A_DUMP: &str = "case \"$*\" in *--schema-only*) exec /usr/bin/pg_dump \"$@\";; esac
/usr/bin/pg_dump \"$@\" | head -c 20000
touch /tmp/half-way";

/// The stock `pg_restore`, in the place of one that a test has put before it.
pub(crate) const STOCK_RESTORE: &str = "exec /usr/bin/pg_restore \"$@\"";

/// A backup, the clients of which run again while its stores are drained.
pub(crate) const PIN: [&str; 3] = ["backup", "--mode", "pin"];

/// A backup, the clients of which stay down until its stores are drained.
pub(crate) const HOLD: [&str; 3] = ["backup", "--mode", "hold"];

/// Starts a backup that never gets past its first dump, and waits until it is in there.
pub(crate) fn stuck_in_a_dump(testbed: &Testbed, product: &Product, backup: &[&str]) -> Result<Running> {
    replace_tool(testbed, "pg_dump", &format!("{HALF_A_DUMP}\nsleep 3600"))?;
    let mut running = product.start(backup)?;
    half_way(testbed, &mut running)?;
    Ok(running)
}

/// Waits until a tool of the store says that it is half-way, as long as the run lives.
pub(crate) fn half_way(testbed: &Testbed, running: &mut Running) -> Result<()> {
    let store = testbed.container("postgres-main")?;
    until("a tool is half-way", || {
        if let Some(said) = running.has_ended()? {
            bail!("the run ended before: {said}");
        }
        Ok(testbed.docker(&["exec", &store, "rm", "/tmp/half-way"]).is_ok())
    })
}

/// No tool of ours runs in the store, and no server process works for one.
pub(crate) fn nothing_runs(testbed: &Testbed) -> Result<()> {
    let store = testbed.container("postgres-main")?;
    let running = testbed.docker(&["top", &store, "-eo", "pid,args"])?;
    assert!(
        !running.contains("pg_dump") && !running.contains("sleep 3600"),
        "still running:\n{running}"
    );
    // Ending a tool must not be taken by the server for the crash of one of its own processes.
    let log = testbed.docker(&["logs", &store])?;
    assert!(
        !log.contains("terminating any other active server processes"),
        "the server crashed:\n{log}"
    );
    let ours = "select count(*) from pg_stat_activity where application_name in ('pg_dump', 'stillpoint')";
    until("the server has let go of the dump", || {
        Ok(testbed.psql("postgres", ours)? == "0")
    })
}

/// A `pg_dump` that says when it is at its work, and waits there for [`let_go`].
pub(crate) fn hold_dumps(testbed: &Testbed) -> Result<()> {
    let held = "case \"$*\" in *--schema-only*) exec /usr/bin/pg_dump \"$@\";; esac
touch /tmp/half-way; until [ -e /tmp/go ]; do sleep 0.1; done; exec /usr/bin/pg_dump \"$@\"";
    replace_tool(testbed, "pg_dump", held)
}

/// From now on no dump waits.
pub(crate) fn let_go(testbed: &Testbed) -> Result<()> {
    let store = testbed.container("postgres-main")?;
    testbed.docker(&["exec", &store, "touch", "/tmp/go"]).map(drop)
}
