//! Backups copied out of their repository: whole or by stores, hashed on their way, and never half under their names.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::names::{BackupId, StoreName};
use stillpoint_testkit::fakes::MemoryRepository;
use stillpoint_testkit::{Method, World, sample};

async fn backed_up() -> anyhow::Result<(World, BackupId)> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    Ok((world, id))
}

/// An empty place.
fn elsewhere() -> MemoryRepository {
    sample::world().repository.clone()
}

fn of(repository: &MemoryRepository, id: BackupId) -> Vec<(String, bytes::Bytes)> {
    let keys = repository.keys().into_iter();
    let ours = keys.filter(|key| key.starts_with(&id.to_string()));
    ours.filter_map(|key| Some((key.clone(), repository.get(&key)?)))
        .collect()
}

fn stores(names: &[&str]) -> Vec<StoreName> {
    names.iter().map(|name| StoreName::new(*name)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_whole_copy_is_a_repository_and_a_second_one_copies_nothing() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let into = elsewhere();
    let copied = world.get(id, &[], &into).await.outcome?;
    assert!(copied.is_whole && copied.objects >= 2, "{copied:?}");
    assert_eq!(of(&into, id), of(&world.repository, id));
    let again = world.get(id, &[], &into).await.outcome?;
    assert_eq!((again.objects, again.already_there), (0, copied.objects));
    assert_eq!(of(&into, id), of(&world.repository, id));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_store_alone_is_no_backup() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let into = elsewhere();
    let copied = world.get(id, &stores(&["db"]), &into).await.outcome?;
    assert!(!copied.is_whole);
    let names: Vec<String> = of(&into, id).into_iter().map(|(key, _)| key).collect();
    assert_eq!(names, [format!("{id}/db/data.dump")]);
    // The rest may follow.
    let whole = world.get(id, &[], &into).await.outcome?;
    assert_eq!(whole.already_there, 1);
    assert_eq!(of(&into, id), of(&world.repository, id));

    let told = world.get(id, &stores(&["dbb"]), &into).await;
    let error = told.outcome.err();
    assert_eq!(error.as_ref().map(|error| error.class().exit), Some(Exit::NotFound));
    let words = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(words.contains("no store dbb") && words.contains("db, queue"), "{words}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_damaged_never_exists_under_its_name() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let key = format!("{id}/db/data.dump");
    let was = world.repository.get(&key).unwrap_or_default();
    let mut flipped = was.to_vec();
    flipped[0] ^= 1;
    let longer = [&was[..], b"more"].concat();
    for damaged in [flipped, longer, was[..1].to_vec()] {
        world.repository.put(&key, damaged);
        let into = elsewhere();
        let told = world.get(id, &[], &into).await;
        let error = told.outcome.err();
        assert_eq!(error.as_ref().map(|error| error.class().exit), Some(Exit::Damaged));
        assert_eq!(into.get(&key), None);
        assert_eq!(
            into.get(&format!("{id}/manifest.json")),
            None,
            "a torso counts as a backup"
        );
        assert_eq!(into.unfinished(), [""; 0]);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn something_else_in_the_way_is_not_touched() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    for (name, content) in [("db/data.dump", "mine"), ("notes.txt", "mine"), ("manifest.json", "{}")] {
        let into = elsewhere();
        let key = format!("{id}/{name}");
        into.put(&key, content);
        let told = world.get(id, &[], &into).await;
        let error = told.outcome.err();
        assert_eq!(error.as_ref().map(|error| error.class().exit), Some(Exit::Preflight));
        let words = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(words.contains(&key), "{words}");
        assert_eq!(into.keys(), std::slice::from_ref(&key));
        assert_eq!(into.get(&key).as_deref(), Some(content.as_bytes()));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_dies_is_gone_on_with() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let into = elsewhere();
    let mut keys = world.repository.keys().into_iter();
    let of_queue = keys.find(|key| key.starts_with(&format!("{id}/queue/")));
    let of_queue = of_queue.unwrap_or_default();
    world.faults.on(Method::RepositoryOpen).of(&of_queue).kills();
    assert!(world.faults.live(world.get(id, &[], &into)).await.is_none());
    world.faults.reset();
    assert_eq!(into.get(&format!("{id}/manifest.json")), None);
    world.get(id, &[], &into).await.outcome?;
    assert_eq!(of(&into, id), of(&world.repository, id));
    assert_eq!(into.unfinished(), [""; 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_too_small_gets_nothing() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let into = elsewhere();
    into.set_capacity(3);
    let told = world.get(id, &[], &into).await;
    let error = told.outcome.err();
    assert_eq!(error.as_ref().map(|error| error.class().exit), Some(Exit::Preflight));
    assert_eq!(into.keys(), [""; 0]);
    Ok(())
}
