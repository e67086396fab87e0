//! A store that keeps its data in another workload and is copied object by object: that workload always runs, and what was copied
//! comes back, from a backup as from the copy that a restore makes first.

use anyhow::Context as _;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::plan::{Action, Role};
use stillpoint_core::manifest::Lists;
use stillpoint_core::operations::Operations;
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::{Method, World};

use std::time::Duration;

fn world() -> World {
    World::of([
        Container::piecemeal_store("lake", &[("events", 7), ("odd \"name\"%", 1)]),
        Container::client("vault").depends_on("disk:service_started:false"),
        Container::client("disk"),
        Container::client("api").depends_on("lake:service_started:false"),
    ])
}

fn stopped(world: &World) -> Vec<String> {
    let calls = world.faults.calls().into_iter();
    let stops = calls.filter(|call| call.method == Method::PowerStop);
    stops.map(|call| call.subject).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_store_needs_is_never_stopped() -> anyhow::Result<()> {
    let world = world();
    let plan = world.operations().plan(None).await?;
    for service in ["vault", "disk"] {
        let entry = plan
            .entries
            .iter()
            .find(|entry| entry.workload.address.service == service);
        let entry = entry.context("it is not planned")?;
        assert_eq!((&entry.role, entry.action), (&Role::Kept, Action::Leave), "{service}");
        assert!(entry.reason.contains("lake"), "{}", entry.reason);
    }
    let id = world.backup().await.outcome?.manifest.id;
    assert_eq!(stopped(&world), ["api"]);
    world.wait_a_minute().await;
    world.restore(id).await.outcome?;
    let stopped = stopped(&world);
    assert!(stopped.contains(&"lake".to_owned()), "{stopped:?}");
    assert!(
        !stopped.iter().any(|name| name == "vault" || name == "disk"),
        "{stopped:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn its_objects_come_back_and_so_does_what_they_replace() -> anyhow::Result<()> {
    let world = world();
    let manifest = world.backup().await.outcome?.manifest;
    let list = manifest.artifacts().find_map(|(_, artifact)| artifact.lists);
    assert_eq!(list, Some(Lists { objects: 2, bytes: 2 }));
    let before = world.data();
    world.wait_a_minute().await;
    world.change("lake", "events", 99);
    let changed = world.data();
    assert_eq!(world.verify(manifest.id).await?, []);
    world.restore(manifest.id).await.outcome?;
    assert_eq!(world.data()["lake"].rows, before["lake"].rows);
    world.wait_a_minute().await;
    world.undo().await.outcome?;
    assert_eq!(world.data()["lake"].rows, changed["lake"].rows);
    Ok(())
}

/// Else the old data would be neither in the store nor in its copy.
#[tokio::test(start_paused = true)]
async fn a_copy_of_which_an_object_is_damaged_replaces_nothing() -> anyhow::Result<()> {
    let world = world();
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    world.restore(id).await.outcome?;
    let copied = |key: &String| key.contains("lake/backup/events") && !key.starts_with(&id.to_string());
    let key = world.repository.keys().into_iter().find(copied).context("no copy")?;
    world.repository.put(&key, "8");
    let data = world.data();
    let told = world.undo().await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    assert_eq!(world.data(), data);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_to_which_a_kill_does_no_harm_may_be_killed_for_a_restore() -> anyhow::Result<()> {
    for (harmless, exit) in [(true, Exit::Ok), (false, Exit::RunFailed)] {
        let lake = if harmless {
            Container::piecemeal_store
        } else {
            Container::cold_store
        };
        let world = World::of([lake("lake", &[("events", 7)]).stops_in(Duration::from_hours(1))]);
        let id = world.backup().await.outcome?.manifest.id;
        world.wait_a_minute().await;
        let told = world.restore(id).await;
        assert_eq!(told.exit(), exit, "{}", told.words());
    }
    Ok(())
}
