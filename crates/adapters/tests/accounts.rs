//! The ledger keeps every promise of accounts, outlives whoever writes it, and never harms the journal beside it.

use std::sync::Arc;

use anyhow::Context;
use stillpoint_adapters::ledger::{Ledger, LedgerAccounts};
use stillpoint_core::names::Project;
use stillpoint_core::ports::accounts::{AUDIT_KEPT, Audited, Outcome, Role};
use stillpoint_core::ports::{Accounts, Journal};
use stillpoint_testkit::accounts_conformance;
use stillpoint_testkit::conformance::accounts::{Subject, hash, session, user};
use stillpoint_testkit::conformance::claim::intent;

fn subject() -> anyhow::Result<Subject> {
    let dir = tempfile::tempdir()?;
    Ok(Subject {
        accounts: Arc::new(LedgerAccounts::in_folder(dir.path())),
        another: Arc::new(LedgerAccounts::in_folder(dir.path())),
        keep: Box::new(dir),
    })
}

accounts_conformance!(subject());

fn acme() -> Project {
    Project::new("acme")
}

#[tokio::test]
async fn looking_makes_no_file() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let accounts = LedgerAccounts::in_folder(dir.path().join("state"));
    assert!(accounts.users().await?.is_empty() && accounts.tokens().await?.is_empty());
    assert!(!dir.path().join("state").exists());
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_ledger_is_told_and_left_to_the_journal() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (journal, accounts) = (Ledger::in_folder(dir.path()), LedgerAccounts::in_folder(dir.path()));
    let text = "this is no ledger, and long enough not to be taken for an empty one";
    std::fs::write(journal.path(), text)?;
    let error = accounts.users().await.err().context("it was read")?.to_string();
    assert!(
        error.contains("the accounts in") && error.contains("ledger.sqlite"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(journal.path())?, text, "it was touched");
    journal.plan(&intent(&acme(), "1")).await?;
    assert!(accounts.users().await?.is_empty());
    Ok(())
}

/// Whoever dies in the middle of a change has not made it: the next one sees what was before.
#[tokio::test]
async fn a_change_that_was_cut_off_was_not_made() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let accounts = LedgerAccounts::in_folder(dir.path());
    accounts.add_user(&user("anna", Role::Operator), &hash("p")).await?;
    accounts.begin_session(&session("1", "anna", 0)).await?;
    let dies = rusqlite::Connection::open(dir.path().join("ledger.sqlite"))?;
    dies.execute_batch("BEGIN IMMEDIATE; DELETE FROM sessions; UPDATE users SET password = 'q'")?;
    // Its locks go with its connection, as with its process.
    drop(dies);
    let another = LedgerAccounts::in_folder(dir.path());
    assert!(
        another
            .session(&hash("1"), session("1", "anna", 0).since)
            .await?
            .is_some()
    );
    assert!(another.user("anna").await?.is_some_and(|(_, kept)| kept == hash("p")));
    assert!(another.set_password("anna", &hash("r")).await?);
    Ok(())
}

#[tokio::test]
async fn a_ledger_of_the_version_before_accounts_is_brought_up_to_date() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let journal = Ledger::in_folder(dir.path());
    journal.plan(&intent(&acme(), "1")).await?;
    let file = rusqlite::Connection::open(journal.path())?;
    file.execute_batch(
        "DROP TABLE sessions; DROP TABLE users; DROP TABLE tokens; DROP TABLE audit; DROP TABLE deliveries; DROP TABLE notices; DROP TABLE channels; PRAGMA user_version = 6",
    )?;
    drop(file);
    let accounts = LedgerAccounts::in_folder(dir.path());
    assert!(accounts.add_first_user(&user("anna", Role::Admin), &hash("p")).await?);
    assert_eq!(Ledger::in_folder(dir.path()).open_runs(&acme()).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_audit_is_bounded_and_no_number_is_given_twice() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let accounts = LedgerAccounts::in_folder(dir.path());
    let audited = Audited {
        at: session("1", "anna", 0).since,
        who: "anna".to_owned(),
        from: "local".to_owned(),
        what: "the first".to_owned(),
        outcome: Outcome::Done,
        detail: None,
    };
    accounts.note(&audited).await?;
    let file = rusqlite::Connection::open(dir.path().join("ledger.sqlite"))?;
    // As if so many had been written since.
    file.execute(
        "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'audit'",
        [AUDIT_KEPT.cast_signed()],
    )?;
    accounts.note(&audited).await?;
    let numbers: Vec<u64> = accounts
        .audit(None, 10)
        .await?
        .iter()
        .map(|entry| entry.number)
        .collect();
    assert_eq!(numbers, [AUDIT_KEPT + 1]);
    Ok(())
}
