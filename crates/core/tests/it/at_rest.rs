//! What the stop of a restore would lose, one behaviour a test.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::names::{BackupId, StoreName};
use stillpoint_core::selection::Selection;
use stillpoint_testkit::World;
use stillpoint_testkit::fakes::{Container, Restart};
use stillpoint_testkit::sample;

/// A world with a backup; its database keeps its files in memory.
async fn in_memory() -> anyhow::Result<(World, BackupId)> {
    let world = sample::world();
    let db = Container::store("db", &[("orders", 5), ("public.users", 3)]).restarts(Restart::Always);
    world.add(db.with_memory("/data/pg").with_memory("/"));
    world.add(Container::client("cache").with_memory("/data"));
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    Ok((world, id))
}

fn only(store: &str) -> Selection {
    Selection {
        stores: vec![StoreName::new(store)],
        ..Selection::default()
    }
}

/// Refused with these words by the restore and by its dry run, and nothing was touched.
async fn is_refused(world: &World, id: BackupId, selection: Selection, words: &str) {
    let before = world.picture();
    let rehearsed = world.rehearse(id, selection.clone()).await;
    assert_eq!(rehearsed.exit(), Exit::RestoreRefused, "{}", rehearsed.words());
    let told = world.restore_of(id, selection).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    assert!(told.words().contains(words), "{}", told.words());
    assert_eq!(before.touched(&world.picture()), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_store_in_memory_is_not_stopped_by_a_restore_whichever_is_restored() -> anyhow::Result<()> {
    let world = sample::world();
    let db = Container::store("db", &[("orders", 5)]).with_memory("/data");
    world.add(db.restarts(Restart::Always));
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    let words = "store db: its folder /data lies in memory (tmpfs): the stop of a restore would lose that";
    for selection in [Selection::default(), only("db"), only("queue")] {
        is_refused(&world, id, selection, words).await;
    }
    let told = world.restore_for_good(id).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn memory_elsewhere_and_that_of_clients_is_no_obstacle() -> anyhow::Result<()> {
    let (world, id) = in_memory().await?;
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_nowhere_but_in_a_store_s_memory_is_told() -> anyhow::Result<()> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    world.does_not_save("queue");
    is_refused(
        &world,
        id,
        only("db"),
        "store queue: it has not saved: the stop of a restore",
    )
    .await;
    assert_eq!(world.restore_for_good(id).await.exit(), Exit::Ok);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_would_not_start_again_is_stopped_neither_by_a_restore_nor_by_its_undoing() -> anyhow::Result<()> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    world.cannot_start_again("queue", Some("a line of its file"));
    let words = "store queue would not start again as it runs now: a line of its file";
    is_refused(&world, id, only("db"), words).await;
    let told = world.restore_for_good(id).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());

    world.cannot_start_again("queue", None);
    world.restore(id).await.outcome?;
    world.wait_a_minute().await;
    world.cannot_start_again("db", Some("a line of its file"));
    let before = world.picture();
    let told = world.undo().await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    assert!(
        told.words().contains("store db would not start again"),
        "{}",
        told.words()
    );
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    world.cannot_start_again("db", None);
    assert_eq!(world.undo().await.exit(), Exit::Ok);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_undoing_loses_what_was_written_where_it_puts_back_and_nothing_else() -> anyhow::Result<()> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    world.restore_of(id, only("db")).await.outcome?;
    world.wait_a_minute().await;
    world.does_not_save("db");
    world.does_not_save("queue");
    let told = world.undo().await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    assert!(
        told.words().contains("store queue: it has not saved"),
        "{}",
        told.words()
    );
    assert!(!told.words().contains("store db"), "{}", told.words());
    Ok(())
}
