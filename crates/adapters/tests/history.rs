//! The ledger keeps every promise of a history, and the history never gets in the way of the journal beside it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use stillpoint_adapters::ledger::{Ledger, LedgerHistory};
use stillpoint_core::names::Project;
use stillpoint_core::ports::{History, Journal};
use stillpoint_testkit::conformance::claim::intent;
use stillpoint_testkit::conformance::history::{Subject, run};
use stillpoint_testkit::history_conformance;

fn subject() -> anyhow::Result<Subject> {
    let dir = tempfile::tempdir()?;
    Ok(Subject {
        history: Arc::new(LedgerHistory::in_folder(dir.path())),
        another: Arc::new(LedgerHistory::in_folder(dir.path())),
        keep: Box::new(dir),
    })
}

history_conformance!(subject());

fn acme() -> Project {
    Project::new("acme")
}

#[tokio::test]
async fn looking_makes_no_file() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let history = LedgerHistory::in_folder(dir.path().join("state"));
    assert!(history.runs(None, 10).await?.is_empty());
    assert!(!dir.path().join("state").exists());
    Ok(())
}

#[tokio::test]
async fn journal_and_history_are_one_file_and_neither_loses_what_the_other_wrote() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (journal, history) = (Ledger::in_folder(dir.path()), LedgerHistory::in_folder(dir.path()));
    journal.plan(&intent(&acme(), "1")).await?;
    history.note(&run("1", 0)).await?;
    assert_eq!(journal.open_runs(&acme()).await?.len(), 1);
    assert_eq!(history.runs(None, 10).await?.len(), 1);
    assert_eq!(history.place(), journal.path().display().to_string());
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_ledger_is_told_and_left_to_the_journal() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (journal, history) = (Ledger::in_folder(dir.path()), LedgerHistory::in_folder(dir.path()));
    let text = "this is no ledger, and long enough not to be taken for an empty one";
    std::fs::write(journal.path(), text)?;
    let error = history
        .note(&run("1", 0))
        .await
        .err()
        .context("it was written")?
        .to_string();
    assert!(
        error.contains("the history in") && error.contains("ledger.sqlite"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(journal.path())?, text, "it was touched");
    journal.plan(&intent(&acme(), "1")).await?;
    history.note(&run("1", 0)).await?;
    Ok(())
}

/// Whoever holds the file holds up the history for seconds, and it then says so.
#[tokio::test]
async fn a_locked_ledger_is_waited_for_a_while_and_told() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let history = LedgerHistory::in_folder(dir.path());
    history.note(&run("1", 0)).await?;
    let holder = rusqlite::Connection::open(dir.path().join("ledger.sqlite"))?;
    holder.execute_batch("BEGIN IMMEDIATE")?;
    let noted = tokio::time::timeout(Duration::from_mins(1), history.note(&run("2", 0))).await?;
    let error = noted.err().context("it was written")?.to_string();
    assert!(error.contains("locked"), "{error}");
    holder.execute_batch("COMMIT")?;
    history.note(&run("2", 0)).await?;
    assert_eq!(history.runs(None, 10).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_ledger_of_the_version_before_the_history_is_brought_up_to_date() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let journal = Ledger::in_folder(dir.path());
    journal.plan(&intent(&acme(), "1")).await?;
    let file = rusqlite::Connection::open(journal.path())?;
    file.execute_batch("DROP TABLE facts; DROP TABLE runs; DROP TABLE schedules; DROP TABLE sessions; DROP TABLE users; DROP TABLE tokens; \
         DROP TABLE audit; DROP TABLE deliveries; DROP TABLE notices; DROP TABLE channels; PRAGMA user_version = 3")?;
    drop(file);
    LedgerHistory::in_folder(dir.path()).note(&run("1", 0)).await?;
    assert_eq!(Ledger::in_folder(dir.path()).open_runs(&acme()).await?.len(), 1);
    Ok(())
}
