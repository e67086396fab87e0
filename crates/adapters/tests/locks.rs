//! File locks keep every promise of a lock, also the one that one process alone cannot show: they
//! end with the process that held them.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use stillpoint_adapters::lock::FileLocks;
use stillpoint_core::names::Project;
use stillpoint_core::ports::Locks;
use stillpoint_testkit::conformance::locks::Subject;
use stillpoint_testkit::locks_conformance;

const DIR: &str = "STILLPOINT_TEST_LOCK_DIR";

fn subject() -> anyhow::Result<Subject> {
    let dir = tempfile::tempdir()?;
    Ok(Subject::with(FileLocks::new(dir.path().join("locks")), dir))
}

locks_conformance!(subject());

#[test]
fn the_lock_file_is_empty_and_its_directory_private() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let locks = FileLocks::new(dir.path().join("state/locks"));
    let _held = locks.take(&Project::new("a/b"))?;
    let file = dir.path().join("state/locks/a%2Fb.lock");
    assert_eq!(std::fs::read(&file)?, b"");
    let mode = std::fs::metadata(dir.path().join("state/locks"))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    Ok(())
}

#[test]
fn a_directory_that_cannot_be_made_is_named() -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    let taken = FileLocks::new(file.path()).take(&Project::new("acme"));
    let error = taken.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("acme.lock"), "{error}");
    Ok(())
}

#[test]
fn a_killed_process_frees_its_lock() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut holder = Command::new(std::env::current_exe()?)
        .args(["--exact", "holds_until_killed", "--ignored", "--nocapture"])
        .env(DIR, dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = BufReader::new(holder.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.is_ok_and(|line| line.contains("held"))));
    let locks = FileLocks::new(dir.path());
    assert!(
        locks.take(&Project::new("acme"))?.is_none(),
        "held by the other process"
    );
    let now = Timestamp::now();
    assert!(locks.lives(holder.id(), now));
    let earlier = now - Duration::from_hours(1);
    assert!(
        !locks.lives(holder.id(), earlier),
        "another process had this number before"
    );
    holder.kill()?;
    holder.wait()?;
    assert!(!locks.lives(holder.id(), now));
    assert!(locks.take(&Project::new("acme"))?.is_some(), "freed by its death");
    Ok(())
}

/// The other process of the test above.
#[test]
#[ignore = "2026-11-22: no test of its own, started by a_killed_process_frees_its_lock"]
fn holds_until_killed() -> anyhow::Result<()> {
    let Ok(dir) = std::env::var(DIR) else { return Ok(()) };
    let _held = FileLocks::new(dir).take(&Project::new("acme"))?;
    println!("held");
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
