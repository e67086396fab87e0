//! What the operator calls a store is what it is: its folder in backups, what an adoption looks for, what a
//! restore restores.

use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::names::StoreName;
use stillpoint_core::operations::Operations;
use stillpoint_testkit::World;
use stillpoint_testkit::fakes::Container;

/// A platform with the service `db` and a client, and what its store is to be called.
fn named(name: &str) -> World {
    let store = Container::store("db", &[("orders", 7)]).labelled("stillpoint.name", name);
    World::of([store, Container::client("api")])
}

fn orders(world: &World) -> Option<u64> {
    world.data().get("db")?.rows.get("orders").copied()
}

#[tokio::test(start_paused = true)]
async fn a_backup_a_restore_and_an_adoption_follow_the_name() -> anyhow::Result<()> {
    let world = named("db-main");
    let manifest = world.backup().await.outcome?.manifest;
    let main = StoreName::new("db-main");
    assert_eq!(
        manifest.stores.first().map(|record| record.name.clone()),
        Some(main.clone())
    );
    let folder = manifest.artifacts().map(|(_, artifact)| artifact.name.to_string());
    assert!(folder.into_iter().all(|name| name.starts_with("db-main")));

    // As if others had made it.
    for object in ["run.json", "manifest.json"] {
        world.repository.lose(&format!("{}/{object}", manifest.id));
    }
    let adopted = world.adopt(manifest.id).await.outcome?;
    assert_eq!(adopted.stores.first().map(|record| record.name.clone()), Some(main));
    world.change("db", "orders", 98);
    world.wait_a_minute().await;
    world.restore(manifest.id).await.outcome?;
    assert_eq!(orders(&world), Some(7));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn two_stores_of_one_name_are_refused_and_both_are_named() -> anyhow::Result<()> {
    let other = Container::store("db-main", &[]);
    let store = Container::store("db", &[]).labelled("stillpoint.name", "db-main");
    let world = World::of([store, other]);
    let refused = world.operations().plan(None).await;
    let error: Error = refused.err().ok_or_else(|| anyhow::anyhow!("it was planned"))?;
    assert_eq!(error.class().exit, Exit::Preflight);
    assert_eq!(
        error.to_string(),
        "two stores are called db-main: the containers acme-db-1 and acme-db-main-1"
    );
    assert!(error.class().hint.contains("stillpoint.name"), "{}", error.class().hint);
    Ok(())
}
