//! Restoring less than everything, and looking before restoring, one behaviour a test.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::restore::Restored;
use stillpoint_core::events::EventKind;
use stillpoint_core::names::{BackupId, StoreName};
use stillpoint_core::selection::Selection;
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::sample::{self, PLATFORM};
use stillpoint_testkit::stage::Told;
use stillpoint_testkit::{Method, World};

/// A world with a backup, whose data has changed since.
async fn backed_up() -> anyhow::Result<(World, BackupId)> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    change(&world);
    world.wait_a_minute().await;
    world.faults.reset();
    Ok((world, id))
}

/// A world in which a backup failed after `db` had been drained, whose data has changed since.
async fn half_backed_up() -> anyhow::Result<(World, BackupId)> {
    let world = sample::world();
    world.faults.on(Method::ProcessFinish).of("queue").fails();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::RunFailed, "{}", told.words());
    let id = world.list().await?.partial[0].0;
    change(&world);
    world.wait_a_minute().await;
    world.faults.reset();
    Ok((world, id))
}

fn change(world: &World) {
    world.change("db", "orders", 99);
    world.change("queue", "messages", 0);
}

fn only(store: &str) -> Selection {
    Selection {
        stores: vec![StoreName::new(store)],
        ..Selection::default()
    }
}

fn partial() -> Selection {
    Selection {
        accept_partial: true,
        ..Selection::default()
    }
}

fn rows(world: &World, store: &str, table: &str) -> Option<u64> {
    world.data().get(store)?.rows.get(table).copied()
}

fn warned(told: &Told<Restored>, words: &str) -> bool {
    let warns = |kind: &EventKind| matches!(kind, EventKind::Warning { message } if message.contains(words));
    told.recorder.count(warns) > 0
}

#[tokio::test(start_paused = true)]
async fn one_store_alone_is_replaced_and_the_others_keep_their_data() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let before = world.picture();
    let told = world.restore_of(id, only("db")).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(rows(&world, "db", "orders"), Some(5));
    assert_eq!(rows(&world, "queue", "messages"), Some(0), "it was not asked for");
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    let stopped = world.faults.calls();
    let stopped = stopped.iter().filter(|call| call.method == Method::PowerStop);
    // And the one that was loaded asked for a new start.
    assert_eq!(
        stopped.count(),
        sample::RESTORED.len() + 1,
        "everything stands still all the same"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn damage_to_what_is_not_wanted_is_no_obstacle() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.repository.put(&format!("{id}/queue/data.dump"), "messages 8\n");
    assert_eq!(world.restore_of(id, only("db")).await.exit(), Exit::Ok);
    let told = world.restore_of(id, only("queue")).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_the_manifest_lost_of_a_wanted_store_blocks_it() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.repository.put(&format!("{id}/db/more.dump"), "x");
    world.repository.put(&format!("{id}/queue/data.dump.old"), "x");
    assert_eq!(world.restore(id).await.exit(), Exit::RestoreRefused);
    assert_eq!(world.restore_of(id, only("queue")).await.exit(), Exit::Ok);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_not_there_is_refused_with_those_that_are() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let told = world.restore_of(id, only("dbb")).await;
    assert_eq!(told.exit(), Exit::RestoreRefused);
    assert!(
        told.words().contains("the platform has no store dbb; it has db, queue"),
        "{}",
        told.words()
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_of_which_there_is_nothing_keeps_its_data_where_that_is_accepted() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.add(Container::store("search", &[("documents", 1)]));
    assert_eq!(world.restore(id).await.exit(), Exit::RestoreRefused);
    let told = world.restore_of(id, partial()).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert!(warned(&told, "nothing of store search (fake): its data stays as it is"));
    assert_eq!(rows(&world, "search", "documents"), Some(1));
    assert_eq!(rows(&world, "db", "orders"), Some(5));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_run_left_is_restored_only_where_that_is_accepted() -> anyhow::Result<()> {
    let (world, id) = half_backed_up().await?;
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    assert!(told.words().contains("--accept-partial"), "{}", told.words());
    let told = world.restore_of(id, partial()).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert!(warned(
        &told,
        "is what a failed run left; it failed because: store queue"
    ));
    assert_eq!(rows(&world, "db", "orders"), Some(5));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn half_a_restore_is_taken_over_by_one_of_the_same_stores_alone() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.faults.on(Method::StoreRestore).of("db").fails();
    assert_eq!(world.restore_of(id, only("db")).await.exit(), Exit::StoppedOnPurpose);
    world.faults.reset();
    world.wait_a_minute().await;
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    assert!(told.words().contains("restore just db"), "{}", told.words());
    assert_eq!(world.restore_of(id, only("db")).await.exit(), Exit::Ok);
    assert_eq!(world.claim(PLATFORM), None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_would_be_done_and_changes_nothing() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let (before, data, keys) = (world.picture(), world.data(), world.repository.keys());
    let told = world.rehearse(id, only("db")).await;
    let rehearsed = told.outcome?;
    assert_eq!(rehearsed.stores.len(), 1);
    assert_eq!(rehearsed.stores[0].store.as_str(), "db");
    let of = |service: &str| {
        let found = rehearsed
            .workloads
            .iter()
            .find(|workload| workload.address.service == service);
        found.map(|workload| (workload.action.clone(), workload.reason.clone()))
    };
    assert_eq!(
        of("queue"),
        Some(("stop".into(), "stopped with the rest, its data stays as it is".into()))
    );
    assert_eq!(
        of("db"),
        Some(("stop".into(), "started alone, its data is replaced".into()))
    );
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    assert_eq!((data, keys), (world.data(), world.repository.keys()));
    assert!(
        !world
            .faults
            .calls()
            .iter()
            .any(|call| call.method.changes_the_platform())
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_refuses_what_a_restore_would() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.repository.put(&format!("{id}/queue/data.dump"), "messages 8\n");
    let told = world.rehearse(id, Selection::default()).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    Ok(())
}
