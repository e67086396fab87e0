//! The ledger keeps every promise of a journal, outlives its process, and is never in the way: a file
//! that is no ledger is set aside, one of a newer version is refused.

use std::sync::Arc;

use anyhow::Context;
use stillpoint_adapters::ledger::Ledger;
use stillpoint_core::names::Project;
use stillpoint_core::ports::Journal;
use stillpoint_testkit::conformance::claim::intent;
use stillpoint_testkit::conformance::journal::Subject;
use stillpoint_testkit::journal_conformance;

fn subject() -> anyhow::Result<Subject> {
    let dir = tempfile::tempdir()?;
    Ok(Subject {
        journal: Arc::new(Ledger::in_folder(dir.path())),
        another: Arc::new(Ledger::in_folder(dir.path())),
        keep: Box::new(dir),
    })
}

journal_conformance!(subject());

fn acme() -> Project {
    Project::new("acme")
}

#[tokio::test]
async fn looking_makes_no_file() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let ledger = Ledger::in_folder(dir.path().join("state"));
    assert!(ledger.open_runs(&acme()).await?.is_empty());
    assert!(!dir.path().join("state").exists());
    Ok(())
}

#[tokio::test]
async fn what_is_no_ledger_is_set_aside_and_kept() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let ledger = Ledger::in_folder(dir.path());
    std::fs::write(
        ledger.path(),
        "this is no ledger, and long enough not to be taken for an empty one",
    )?;
    ledger.plan(&intent(&acme(), "1")).await?;
    assert_eq!(ledger.open_runs(&acme()).await?.len(), 1);
    let kept = std::fs::read_to_string(dir.path().join("ledger.sqlite.damaged"))?;
    assert!(kept.starts_with("this is no ledger"));
    Ok(())
}

#[tokio::test]
async fn a_ledger_of_a_newer_version_is_refused_and_not_touched() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    Ledger::in_folder(dir.path()).plan(&intent(&acme(), "1")).await?;
    let file = rusqlite::Connection::open(Ledger::in_folder(dir.path()).path())?;
    file.pragma_update(None, "user_version", 99)?;
    drop(file);
    let ledger = Ledger::in_folder(dir.path());
    let error = ledger
        .open_runs(&acme())
        .await
        .err()
        .context("it was opened")?
        .to_string();
    assert!(
        error.contains("ledger.sqlite") && error.contains("newer version"),
        "{error}"
    );
    assert!(ledger.path().exists());
    Ok(())
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named() -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    let error = Ledger::in_folder(file.path()).plan(&intent(&acme(), "1")).await;
    let error = error.err().context("it was written")?.to_string();
    assert!(
        error.contains("cannot be written") && error.contains("ledger.sqlite"),
        "{error}"
    );
    Ok(())
}
