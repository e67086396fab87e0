//! A store that writes its backup by itself: what it wrote is listed, held to what is listed, and comes back; whatever happens
//! in the middle, nothing half-done counts and nothing is left open.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::manifest::Lists;
use stillpoint_core::names::BackupId;
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::{Call, Method, World};

const LIST: &str = "objects.jsonl.gz";

/// One store that writes by itself beside one that does not, and a client.
fn world() -> World {
    world_of(Container::writing_store)
}

/// The same with another kind of store.
fn world_of(lake: fn(&str, &[(&str, u64)]) -> Container) -> World {
    World::of([
        lake("lake", &[("events", 7), ("odd \"name\"%", 1)]),
        Container::store("db", &[("orders", 5)]),
        Container::client("api").depends_on("lake:service_started:false"),
    ])
}

async fn backed_up() -> anyhow::Result<(World, BackupId)> {
    backed_up_of(Container::writing_store).await
}

async fn backed_up_of(lake: fn(&str, &[(&str, u64)]) -> Container) -> anyhow::Result<(World, BackupId)> {
    let world = world_of(lake);
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    Ok((world, id))
}

fn rows(world: &World) -> BTreeMap<String, u64> {
    let data = world.data();
    data.get("lake").map(|lake| lake.rows.clone()).unwrap_or_default()
}

fn object(id: BackupId, table: &str) -> String {
    format!("{id}/lake/backup/{table}")
}

#[tokio::test(start_paused = true)]
async fn what_it_wrote_is_listed_once_and_comes_back() -> anyhow::Result<()> {
    let world = world();
    let manifest = world.backup().await.outcome?.manifest;
    let of = |store: &str| manifest.stores.iter().find(|record| record.name.as_str() == store);
    let [list] = &of("lake").context("no lake")?.artifacts[..] else {
        anyhow::bail!("{:?}", of("lake"));
    };
    assert_eq!((list.name.as_str(), list.content.as_str()), (LIST, "objects"));
    assert_eq!(list.lists, Some(Lists { objects: 2, bytes: 2 }));
    assert_eq!(of("db").context("no db")?.artifacts.len(), 1);
    assert!(manifest.size() >= list.size + 2);
    assert_eq!(world.gateway.open(), 0);

    let before = rows(&world);
    world.wait_a_minute().await;
    world.change("lake", "events", 99);
    assert_eq!(world.verify(manifest.id).await?, []);
    world.restore(manifest.id).await.outcome?;
    assert_eq!(rows(&world), before);
    assert_eq!(world.gateway.open(), 0);
    world.wait_a_minute().await;
    world.undo().await.outcome?;
    assert_eq!(rows(&world).get("events"), Some(&99));
    Ok(())
}

/// What is done to an object of a backup, or to its list.
type Spoil = fn(&World, &str);

#[tokio::test(start_paused = true)]
async fn whatever_of_it_is_spoilt_is_found_before_anything_stops() -> anyhow::Result<()> {
    let flip: Spoil = |world, key| {
        let mut content = world.repository.get(key).unwrap_or_default().to_vec();
        content[0] ^= 1;
        world.repository.put(key, content);
    };
    let cut: Spoil = |world, key| {
        let content = world.repository.get(key).unwrap_or_default();
        world.repository.put(key, content.slice(..content.len() - 1));
    };
    let lengthen: Spoil = |world, key| {
        let content = world.repository.get(key).unwrap_or_default();
        world.repository.put(key, [&content[..], b"\n"].concat());
    };
    let lose: Spoil = |world, key| world.repository.lose(key);
    let add: Spoil = |world, key| world.repository.put(key, "more");
    for (what, name, spoil) in [
        ("a bit", "lake/backup/events", flip),
        ("cut", "lake/backup/events", cut),
        ("longer", "lake/backup/events", lengthen),
        ("lost", "lake/backup/events", lose),
        ("added", "lake/backup/stranger", add),
        ("a bit of the list", LIST, flip),
        ("the list cut", LIST, cut),
        ("the list lost", LIST, lose),
    ] {
        let (world, id) = backed_up().await?;
        spoil(&world, &format!("{id}/{name}"));
        let (before, data) = (world.picture(), world.data());
        let told = world.restore(id).await;
        ensure!(told.exit() == Exit::RestoreRefused, "{what}: {}", told.words());
        ensure!(told.words().contains(name), "{what}: {}", told.words());
        ensure!(
            before.touched(&world.picture()).is_empty() && data == world.data(),
            "{what}: touched"
        );
        let damage = world.verify(id).await?;
        let names: Vec<String> = damage.iter().map(|damage| damage.artifact.to_string()).collect();
        ensure!(names == [name], "{what}: {names:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_read_hides_nothing_of_another_store() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.repository.lose(&format!("{id}/{LIST}"));
    world.repository.put(&format!("{id}/db/stranger"), "more");
    let damage = world.verify(id).await?;
    let mut names: Vec<String> = damage.iter().map(|damage| damage.artifact.to_string()).collect();
    names.sort();
    assert_eq!(names, ["db/stranger", LIST]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changes_after_it_was_read_is_not_served() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let (seen, key) = (world.clone(), object(id, "events"));
    world
        .faults
        .on(Method::GatewayServe)
        .meets(move || seen.repository.put(&key, "8"));
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::StoppedOnPurpose, "{}", told.words());
    assert!(
        told.words().contains("was changed by somebody else"),
        "{}",
        told.words()
    );
    Ok(())
}

/// What failed at `call` has left: a partial manifest names the store if its objects are listed; else they are gone, but for those
/// that could not be removed or listed at that moment, which go with the torso.
fn claims_what_is_listed(world: &World, call: &Call) -> anyhow::Result<()> {
    let keys = world.repository.keys();
    let listed = keys.iter().any(|key| key.ends_with(LIST));
    if let Some(partial) = keys.iter().find(|key| key.ends_with("manifest.partial.json")) {
        let partial: Value = serde_json::from_slice(&world.repository.get(partial).unwrap_or_default())?;
        let stores = partial["stores"].as_array().context("no stores")?;
        let claims = stores.iter().any(|store| store["name"] == "lake");
        ensure!(claims == listed, "{call}: claimed: {claims}, listed: {listed}");
    }
    let may_stay =
        [Method::GatewayFinish, Method::RepositoryDelete].contains(&call.method) || call.subject.contains(LIST);
    let left = keys.iter().any(|key| key.contains("lake/"));
    ensure!(listed || may_stay || !left, "{call}: {keys:?}");
    Ok(())
}

/// Every call of a backup fails, or is the last thing that the process does: what ran runs, nothing of the store's is left that
/// counts, and the next backup is whole.
#[tokio::test(start_paused = true)]
async fn at_whatever_call_a_backup_ends_the_next_one_is_whole() -> anyhow::Result<()> {
    whole_at_every_call(Container::writing_store).await
}

/// The same of a store that is copied object by object.
#[tokio::test(start_paused = true)]
async fn at_whatever_call_a_copy_of_objects_ends_the_next_one_is_whole() -> anyhow::Result<()> {
    whole_at_every_call(Container::piecemeal_store).await
}

async fn whole_at_every_call(lake: fn(&str, &[(&str, u64)]) -> Container) -> anyhow::Result<()> {
    let (clean, _) = backed_up_of(lake).await?;
    let calls: Vec<Call> = clean.faults.calls();
    let ours = |call: &Call| {
        call.method.name().starts_with("gateway") || call.subject.contains("lake") || call.subject.contains(LIST)
    };
    let places: Vec<usize> = (0..calls.len())
        .filter(|at| ours(&calls[*at]))
        .map(|at| at + 1)
        .collect();
    assert!(places.len() > 20, "{} calls", places.len());
    for at in places {
        for death in [None, Some(false), Some(true)] {
            let call = &calls[at - 1];
            let world = world_of(lake);
            let before = world.picture();
            match death {
                None => world.faults.on_call(at).fails(),
                Some(false) => world.faults.on_call(at).kills(),
                Some(true) => world.faults.on_call(at).kills_after(),
            }
            let told = world.faults.live(world.backup()).await;
            ensure!(told.is_some() == death.is_none(), "{call}: {death:?}");
            world.faults.reset();
            if death.is_some() {
                world.recover().await.outcome?;
            }
            ensure!(before.differences(&world.picture()).is_empty(), "{call}: {death:?}");
            ensure!(world.gateway.open() == 0, "{call}: {death:?}: a gateway is open");
            if told.is_some_and(|told| told.outcome.is_err()) {
                claims_what_is_listed(&world, call)?;
            }
            world.wait_a_minute().await;
            let next = world.backup().await.outcome?.manifest;
            ensure!(world.verify(next.id).await?.is_empty(), "{call}: {death:?}");
            let list = next.artifacts().find_map(|(_, artifact)| artifact.lists);
            ensure!(
                list == Some(Lists { objects: 2, bytes: 2 }),
                "{call}: {death:?}: {list:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_cancelled_leaves_nothing_of_it() -> anyhow::Result<()> {
    let world = world();
    let interrupt = world.interrupt();
    let first = world
        .faults
        .on(Method::RepositoryCreate)
        .of("2026-02-17_00-00-00/lake/backup/events");
    first.meets(move || interrupt.cancel());
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Interrupted, "{}", told.words());
    assert_eq!(world.gateway.open(), 0);
    assert!(!world.repository.keys().iter().any(|key| key.contains("lake/")));
    Ok(())
}
