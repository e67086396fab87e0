//! Backups that their operator names are deleted, or all of them stay.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::remove::Removing;
use stillpoint_core::names::BackupId;
use stillpoint_core::ports::Clock;
use stillpoint_testkit::fakes::world::LEASE;
use stillpoint_testkit::{Method, World, sample};

async fn backups(world: &World, n: usize) -> anyhow::Result<Vec<BackupId>> {
    let mut made = Vec::new();
    for _ in 0..n {
        world.wait_a_minute().await;
        made.push(world.backup().await.outcome?.manifest.id);
    }
    Ok(made)
}

async fn listed(world: &World) -> anyhow::Result<Vec<BackupId>> {
    Ok(world.list().await?.backups.iter().map(|backup| backup.id).collect())
}

fn these(backups: &[BackupId]) -> Removing {
    Removing {
        backups: backups.to_vec(),
        the_last_too: false,
    }
}

fn of(world: &World, id: BackupId) -> Vec<String> {
    let mut keys = world.repository.keys();
    keys.retain(|key| key.contains(&id.to_string()));
    keys
}

#[tokio::test(start_paused = true)]
async fn what_is_named_goes_without_a_trace_and_nothing_else_does() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 3).await?;
    let before = world.picture();
    let removed = world.remove_backups(&these(&made[..2])).await.outcome?;
    assert_eq!(removed.gone, made[..2]);
    assert_eq!(listed(&world).await?, made[2..]);
    assert_eq!(of(&world, made[0]).len() + of(&world, made[1]).len(), 0);
    assert!(world.verify(made[2]).await?.is_empty());
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn if_one_must_stay_all_of_them_do() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 3).await?;
    world.protect(made[1]).await?;
    let told = world.remove_backups(&these(&made[..2])).await;
    assert_eq!(
        told.outcome.as_ref().err().map(|error| error.class().exit),
        Some(Exit::Preflight)
    );
    let words = told.outcome.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(words.contains("is protected"), "{words}");
    assert_eq!(listed(&world).await?, made);

    let unknown = BackupId::at(made[0].timestamp() - std::time::Duration::from_hours(1));
    let told = world.remove_backups(&these(&[made[0], unknown])).await;
    assert_eq!(told.outcome.err().map(|error| error.class().exit), Some(Exit::NotFound));
    assert_eq!(listed(&world).await?, made);

    world.unprotect(made[1]).await?;
    let told = world.remove_backups(&these(&made)).await;
    let words = told.outcome.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(words.contains("no good backup would be left"), "{words}");
    assert_eq!(listed(&world).await?, made);
    let all = Removing {
        the_last_too: true,
        ..these(&made)
    };
    assert_eq!(world.remove_backups(&all).await.outcome?.gone, made);
    assert_eq!(listed(&world).await?, []);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_backup_of_a_restore_that_stands_unfinished_stays() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 2).await?;
    world.faults.on(Method::StoreRestore).of("db").always().fails();
    assert_eq!(world.restore(made[0]).await.exit(), Exit::StoppedOnPurpose);
    world.faults.reset();
    let told = world.remove_backups(&these(&made[..1])).await;
    let words = told.outcome.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(words.contains("has not ended"), "{words}");
    world.resume().await.outcome?;
    assert_eq!(world.remove_backups(&these(&made[..1])).await.outcome?.gone, made[..1]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_dies_is_finished_by_the_next() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 3).await?;
    let data = format!("{}/db/data.dump", made[0]);
    world.faults.on(Method::RepositoryDelete).of(&data).kills();
    assert!(
        world
            .faults
            .live(world.remove_backups(&these(&made[..1])))
            .await
            .is_none()
    );
    world.faults.reset();
    // It is a backup no more, and nobody takes it for one.
    assert_eq!(listed(&world).await?, made[1..]);
    assert!(!of(&world, made[0]).is_empty());
    world.clock.sleep(LEASE * 2).await;
    assert_eq!(world.remove_backups(&these(&made[..1])).await.outcome?.gone, made[..1]);
    assert_eq!(of(&world, made[0]), [""; 0]);
    Ok(())
}
