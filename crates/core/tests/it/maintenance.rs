//! Upkeep of Dagster's databases, as far as it is a run like any other: never beside one, never on a platform that is down on purpose.

mod faults;

use std::sync::Arc;

use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::maintenance::CleanupWish;
use stillpoint_core::operations::{Operations, RunRequest};
use stillpoint_testkit::sample::{self, PLATFORM};
use stillpoint_testkit::{Method, Recorder, World};

fn request(world: &World) -> RunRequest {
    RunRequest {
        run: None,
        platform: None,
        listener: Arc::new(Recorder::default()),
        cancel: world.interrupt(),
    }
}

async fn failures(world: &World) -> [Option<Error>; 2] {
    let operations = world.operations();
    let cleaned = operations.cleanup(CleanupWish::default(), request(world)).await;
    let repacked = operations.repack(false, request(world)).await;
    [cleaned.err(), repacked.err()]
}

fn exits(failures: [Option<Error>; 2]) -> [Option<Exit>; 2] {
    failures.map(|failure| failure.map(|error| error.class().exit))
}

fn touches_power(world: &World) -> bool {
    let calls = world.faults.calls();
    calls.iter().any(|call| call.method.changes_the_platform())
}

#[tokio::test(start_paused = true)]
async fn maintenance_is_refused_while_another_run_holds_the_platform() {
    let world = sample::world();
    let other = world.locked_by_another(PLATFORM);
    assert_eq!(exits(failures(&world).await), [Some(Exit::Held); 2]);
    // Whoever only looks is in nobody's way.
    let counted = world.operations().count_cleanup(request(&world)).await;
    assert!(counted.is_ok_and(|counted| counted.dry_run));
    drop(other);
    assert_eq!(exits(failures(&world).await), [None; 2]);
    assert!(!touches_power(&world));
}

#[tokio::test(start_paused = true)]
async fn maintenance_leaves_a_platform_alone_that_a_restore_has_stopped_on_purpose() -> anyhow::Result<()> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    world.faults.on(Method::StoreRestore).of("queue").fails();
    assert_eq!(world.restore(id).await.exit(), Exit::StoppedOnPurpose);
    world.faults.reset();
    assert_eq!(exits(failures(&world).await), [Some(Exit::StoppedOnPurpose); 2]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_platform_without_dagster_has_nothing_to_maintain_and_that_is_a_success() {
    let world = sample::world();
    let cleaned = world
        .operations()
        .cleanup(CleanupWish::default(), request(&world))
        .await;
    let cleaned = cleaned.unwrap();
    assert_eq!(cleaned.notes, ["there is no PostgreSQL in this platform"]);
    assert!(cleaned.databases.is_empty() && cleaned.failed.is_empty());
}
