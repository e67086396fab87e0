//! Restoring some databases alone, and going on without what cannot be loaded, one behaviour a test. The fake store's
//! databases are its tables.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::restore::Gap;
use stillpoint_core::names::{BackupId, StoreName};
use stillpoint_core::operations::Terms;
use stillpoint_core::selection::Selection;
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::sample;
use stillpoint_testkit::{Method, World};

/// A world with a backup, whose data has changed since.
async fn backed_up() -> anyhow::Result<(World, BackupId)> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.change("db", "orders", 99);
    world.change("db", "public.users", 98);
    world.change("queue", "messages", 0);
    world.wait_a_minute().await;
    Ok((world, id))
}

fn databases(names: &[&str]) -> Selection {
    Selection {
        databases: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Selection::default()
    }
}

fn accepting(names: &[&str]) -> Terms {
    Terms {
        accept: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Terms::default()
    }
}

/// Orders, users and messages.
fn rows(world: &World) -> [Option<u64>; 3] {
    let data = world.data();
    let of = |store: &str, table: &str| data.get(store)?.rows.get(table).copied();
    [of("db", "orders"), of("db", "public.users"), of("queue", "messages")]
}

#[tokio::test(start_paused = true)]
async fn one_database_alone_is_replaced_told_and_undone() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let rehearsed = world.rehearse(id, databases(&["orders"])).await.outcome?;
    assert_eq!(rehearsed.stores.len(), 1);
    assert_eq!(rehearsed.stores[0].databases, ["orders"]);
    let told = world.restore_of(id, databases(&["orders"])).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(told.outcome?.databases, ["orders"]);
    assert_eq!(rows(&world), [Some(5), Some(98), Some(0)]);
    world.wait_a_minute().await;
    assert_eq!(world.undo().await.exit(), Exit::Ok);
    assert_eq!(rows(&world), [Some(99), Some(98), Some(0)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn names_that_the_backup_does_not_know_or_knows_twice_are_refused() -> anyhow::Result<()> {
    let world = sample::world();
    world.add(Container::store("second", &[("orders", 1)]));
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    let of = |store: &str| Selection {
        stores: vec![StoreName::new(store)],
        ..databases(&["public.users"])
    };
    for (selection, words) in [
        (
            databases(&["users"]),
            "the backup has no database users; there are orders, public.users",
        ),
        (
            databases(&["orders"]),
            "database orders is in the stores db, second: say of which (--store)",
        ),
        (
            of("second"),
            "the backup has no database public.users; there are orders",
        ),
    ] {
        let told = world.restore_of(id, selection).await;
        assert_eq!(told.exit(), Exit::RestoreRefused, "{words}: {}", told.words());
        assert!(told.words().contains(words), "{words}: {}", told.words());
    }
    let told = world.restore_on(id, accepting(&["order"])).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    assert!(
        told.words().contains("--accept order: no such database"),
        "{}",
        told.words()
    );
    let told = world.restore_of(id, of("db")).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    Ok(())
}

fn no_orders() -> Vec<Gap> {
    vec![Gap {
        store: StoreName::new("db"),
        part: "orders".into(),
        missing: vec!["orders: 5 in the backup, missing after the restore".into()],
    }]
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_loaded_names_the_way_on_and_the_way_on_ends_degraded_and_closed() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.cannot_load("db", "orders");
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::StoppedOnPurpose, "{}", told.words());
    let way_on = "`stillpoint restore resume --accept orders`";
    assert!(told.words().contains(way_on), "{}", told.words());
    world.wait_a_minute().await;
    let told = world.resume().await;
    assert!(told.words().contains(way_on), "it fails for ever: {}", told.words());
    let told = world.resume_on(accepting(&["nothing"])).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    world.wait_a_minute().await;
    let told = world.resume_on(accepting(&["orders"])).await;
    assert_eq!(told.exit(), Exit::Degraded, "{}", told.words());
    assert_eq!(told.outcome?.gaps, no_orders());
    assert_eq!(rows(&world), [None, Some(3), Some(7)]);
    world.wait_a_minute().await;
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(world.undo().await.exit(), Exit::Ok);
    assert_eq!(rows(&world), [Some(99), Some(98), Some(0)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_accepted_from_the_start_is_told_and_what_was_loaded_all_the_same_is_no_gap() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let told = world.restore_on(id, accepting(&["orders"])).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    world.wait_a_minute().await;
    world.discard_old().await.outcome?;
    world.cannot_load("db", "orders");
    let told = world.restore_on(id, accepting(&["public.users"])).await;
    assert_eq!(
        told.exit(),
        Exit::StoppedOnPurpose,
        "only what is named is accepted: {}",
        told.words()
    );
    world.wait_a_minute().await;
    // What was accepted before need not be said again.
    world.faults.on(Method::StoreInventory).of("queue").fails();
    assert_eq!(
        world.resume_on(accepting(&["orders"])).await.exit(),
        Exit::StoppedOnPurpose
    );
    world.faults.reset();
    world.wait_a_minute().await;
    let told = world.resume().await;
    assert_eq!(told.exit(), Exit::Degraded, "{}", told.words());
    assert_eq!(told.outcome?.gaps, no_orders());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn old_data_is_not_freed_where_something_is_missing() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.cannot_load("db", "orders");
    let terms = Terms {
        discard_old: true,
        ..accepting(&["orders"])
    };
    let told = world.restore_on(id, terms).await;
    assert_eq!(told.exit(), Exit::Degraded, "{}", told.words());
    assert_eq!(world.data()["db"].aside.as_ref().map(|old| old["orders"]), Some(99));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn half_a_restore_is_taken_over_by_one_of_no_fewer_databases_alone() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.faults.on(Method::StoreRestore).of("db").fails();
    let told = world.restore_of(id, databases(&["orders"])).await;
    assert_eq!(told.exit(), Exit::StoppedOnPurpose, "{}", told.words());
    world.faults.reset();
    world.wait_a_minute().await;
    let told = world.restore_of(id, databases(&["public.users"])).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    assert!(
        told.words().contains("databases orders (restore at least these)"),
        "{}",
        told.words()
    );
    let told = world.resume().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(told.outcome?.databases, ["orders"], "it goes on with what was chosen");
    assert_eq!(rows(&world), [Some(5), Some(98), Some(0)]);
    world.wait_a_minute().await;
    world.discard_old().await.outcome?;
    world.faults.on(Method::StoreRestore).of("db").fails();
    assert_eq!(world.restore(id).await.exit(), Exit::StoppedOnPurpose);
    world.faults.reset();
    world.wait_a_minute().await;
    let told = world.restore_of(id, databases(&["orders"])).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    assert!(
        told.words().contains("restore it without --database"),
        "{}",
        told.words()
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn damage_to_what_is_not_chosen_is_no_obstacle() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.repository.put(&format!("{id}/queue/data.dump"), "messages 8\n");
    let told = world.restore_of(id, databases(&["orders"])).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    Ok(())
}
