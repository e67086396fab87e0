//! What a restore does about passwords: the choice reaches every store, and whoever goes on with it keeps to it.

use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::engine::restore::Restored;
use stillpoint_core::logins::Passwords;
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::Terms;
use stillpoint_core::ports::power::Intent;
use stillpoint_core::selection::Selection;
use stillpoint_testkit::stage::Told;
use stillpoint_testkit::{Method, World, sample};

fn with(passwords: Passwords) -> Terms {
    Terms {
        passwords: Some(passwords),
        ..Terms::default()
    }
}

/// What the last load of each store was told.
fn told(world: &World) -> Vec<Passwords> {
    world.data().values().map(|data| data.passwords).collect()
}

/// A restore that was to set the backup's passwords and failed in the middle.
async fn failed_half_way() -> anyhow::Result<(World, BackupId)> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    world.faults.reset();
    world.faults.on(Method::StoreRestore).of("queue").nth(2).fails();
    let told = world.restore_on(id, with(Passwords::Backup)).await;
    assert_eq!(told.exit(), Exit::StoppedOnPurpose);
    world.faults.reset();
    world.wait_a_minute().await;
    Ok((world, id))
}

fn is_refused(told: &Told<Restored>) -> anyhow::Result<()> {
    let Err(Error::RestoreRefused(reasons)) = &told.outcome else {
        anyhow::bail!("it was not refused: {:?}", told.outcome);
    };
    let all: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    let all = all.join("\n");
    assert!(all.contains("goes on with --passwords=backup alone"), "{all}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_choice_reaches_every_store_and_none_means_that_present_ones_stay() -> anyhow::Result<()> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    let before = world.data();
    world.restore_on(id, with(Passwords::Backup)).await.outcome?;
    assert_eq!(told(&world), [Passwords::Backup; 2]);
    world.wait_a_minute().await;
    world.undo().await.outcome?;
    assert_eq!(world.data(), before);
    world.wait_a_minute().await;
    world.restore(id).await.outcome?;
    assert_eq!(told(&world), [Passwords::Keep; 2]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_is_gone_on_with_keeps_to_its_choice_even_without_the_journal() -> anyhow::Result<()> {
    for lost in [false, true] {
        let (world, id) = failed_half_way().await?;
        if lost {
            world.journal.lose();
        }
        is_refused(&world.resume_on(with(Passwords::Keep)).await)?;
        is_refused(&world.restore_on(id, with(Passwords::Keep)).await)?;
        world.resume().await.outcome?;
        assert_eq!(told(&world), [Passwords::Backup; 2], "lost: {lost}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn so_does_one_that_takes_it_over_and_a_rehearsal_tells() -> anyhow::Result<()> {
    let (world, id) = failed_half_way().await?;
    let said = world.rehearse(id, Selection::default()).await.outcome?;
    assert!(
        said.stores
            .iter()
            .all(|store| store.passwords.as_deref() == Some("backup"))
    );
    world.restore(id).await.outcome?;
    assert_eq!(told(&world), [Passwords::Backup; 2]);
    world.wait_a_minute().await;
    world.discard_old().await.outcome?;
    world.wait_a_minute().await;
    let said = world.rehearse(id, Selection::default()).await.outcome?;
    assert!(
        said.stores
            .iter()
            .all(|store| store.passwords.as_deref() == Some("keep"))
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn another_choice_is_free_once_it_was_undone() -> anyhow::Result<()> {
    let (world, id) = failed_half_way().await?;
    world.undo().await.outcome?;
    world.wait_a_minute().await;
    world.restore_on(id, with(Passwords::Keep)).await.outcome?;
    assert_eq!(told(&world), [Passwords::Keep; 2]);
    Ok(())
}

#[test]
fn an_intent_of_before_there_was_a_choice_is_read() -> anyhow::Result<()> {
    let text = r#"{"platform":"acme","run":"1-host-1","job":"full_restore_job","backup":"2026-02-17_00-00-00",
        "host":"host","process":1,"since":"2026-02-17T00:00:00Z","workloads":[]}"#;
    let old: Intent = serde_json::from_str(text)?;
    assert_eq!(old.passwords, Passwords::Keep);
    assert!(!serde_json::to_string(&old)?.contains("passwords"));
    let new = Intent {
        passwords: Passwords::Backup,
        ..old
    };
    assert_eq!(serde_json::from_str::<Intent>(&serde_json::to_string(&new)?)?, new);
    Ok(())
}
