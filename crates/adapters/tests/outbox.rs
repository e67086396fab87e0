//! The ledger keeps every promise of an outbox.

use std::sync::Arc;

use stillpoint_adapters::ledger::LedgerOutbox;
use stillpoint_core::ports::Outbox;
use stillpoint_testkit::conformance::outbox::Subject;
use stillpoint_testkit::outbox_conformance;

fn subject() -> anyhow::Result<Subject> {
    let dir = tempfile::tempdir()?;
    Ok(Subject {
        outbox: Arc::new(LedgerOutbox::in_folder(dir.path())),
        another: Arc::new(LedgerOutbox::in_folder(dir.path())),
        keep: Box::new(dir),
    })
}

outbox_conformance!(subject());

#[tokio::test]
async fn looking_makes_no_file() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let outbox = LedgerOutbox::in_folder(dir.path().join("state"));
    assert!(outbox.notices(10).await?.is_empty() && outbox.channels().await?.is_empty());
    assert!(!dir.path().join("state").exists());
    Ok(())
}
