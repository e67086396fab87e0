//! Which backup `latest` and a moment mean.

use stillpoint_core::names::{BackupId, Project};
use stillpoint_testkit::{World, sample};

async fn backup(world: &World) -> anyhow::Result<BackupId> {
    world.wait_a_minute().await;
    Ok(world.backup().await.outcome?.manifest.id)
}

#[tokio::test(start_paused = true)]
async fn the_latest_is_the_newest_that_is_complete_and_not_known_to_be_damaged() -> anyhow::Result<()> {
    let world = sample::world();
    assert_eq!(world.list().await?.newest(None, None).backup, None);
    let made = [
        backup(&world).await?,
        backup(&world).await?,
        backup(&world).await?,
        backup(&world).await?,
    ];
    // The copy that a restore makes is newer, and none.
    world.wait_a_minute().await;
    world.restore(made[3]).await.outcome?;
    assert_eq!(world.list().await?.newest(None, None).backup, Some(made[3]));

    world.repository.put(&format!("{}/manifest.json", made[3]), "{");
    world.repository.put(&format!("{}/db/data.dump", made[2]), "damaged");
    assert!(!world.verify(made[2]).await?.is_empty());
    let newest = world.list().await?.newest(None, None);
    assert_eq!(newest.backup, Some(made[1]));
    let passed_over: Vec<BackupId> = newest.passed_over.iter().map(|(id, _)| *id).collect();
    assert_eq!(passed_over, [made[3], made[2]]);
    assert!(newest.passed_over[0].1.contains("manifest is damaged"), "{newest:?}");
    assert!(
        newest.passed_over[1].1.contains("verification found damage"),
        "{newest:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_moment_means_the_last_one_that_was_begun_by_then() -> anyhow::Result<()> {
    let world = sample::world();
    let made = [backup(&world).await?, backup(&world).await?];
    let list = world.list().await?;
    let second = std::time::Duration::from_secs(1);
    let at = |moment| list.newest(Some(moment), None).backup;
    assert_eq!(at(made[0].timestamp() - second), None);
    assert_eq!(at(made[0].timestamp()), Some(made[0]));
    assert_eq!(at(made[1].timestamp() - second), Some(made[0]));
    assert_eq!(at(made[1].timestamp()), Some(made[1]));
    // What is newer than the moment is nobody's business.
    world.repository.put(&format!("{}/manifest.json", made[1]), "{");
    let list = world.list().await?;
    let then = list.newest(Some(made[0].timestamp()), None);
    assert_eq!((then.backup, then.passed_over), (Some(made[0]), Vec::new()));
    assert_eq!(list.newest(None, Some(&Project::new("other"))).backup, None);
    Ok(())
}
