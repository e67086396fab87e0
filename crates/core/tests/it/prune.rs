//! Retention carried out: what goes, what stays, what is never touched, and what is told of it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use stillpoint_core::backups::Content;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::events::EventKind;
use stillpoint_core::names::BackupId;
use stillpoint_core::ports::{Clock, RepositoryError};
use stillpoint_core::retention::Fate;
use stillpoint_testkit::fakes::world::LEASE;
use stillpoint_testkit::faults::Failure;
use stillpoint_testkit::sample;
use stillpoint_testkit::{Method, World};

const DAY: Duration = Duration::from_hours(24);

async fn days(world: &World, n: u32) {
    world.clock.sleep(DAY * n).await;
}

async fn backup(world: &World) -> anyhow::Result<BackupId> {
    world.wait_a_minute().await;
    Ok(world.backup().await.outcome?.manifest.id)
}

/// So many backups, a minute and a bit from one to the other.
async fn backups(world: &World, n: usize) -> anyhow::Result<Vec<BackupId>> {
    let mut made = Vec::new();
    for _ in 0..n {
        made.push(backup(world).await?);
    }
    Ok(made)
}

async fn listed(world: &World) -> anyhow::Result<Vec<BackupId>> {
    Ok(world.list().await?.backups.iter().map(|backup| backup.id).collect())
}

/// Everything in the repository but the lease.
fn objects(world: &World) -> BTreeMap<String, Bytes> {
    let keys = world.repository.keys().into_iter();
    let keys = keys.filter(|key| key != ".stillpoint/lease.json");
    keys.filter_map(|key| Some((key.clone(), world.repository.get(&key)?)))
        .collect()
}

fn of(world: &World, id: BackupId) -> Vec<String> {
    let mut keys = world.repository.keys();
    keys.retain(|key| key.contains(&id.to_string()));
    keys
}

fn damage(world: &World, id: BackupId) {
    world
        .repository
        .put(&format!("{id}/db/data.dump"), "orders 6\npublic.users 3\n");
}

/// What a run leaves that fails in its drain.
async fn fails(world: &World) -> anyhow::Result<BackupId> {
    world.wait_a_minute().await;
    world.faults.on(Method::ProcessFinish).of("queue").fails();
    let id = BackupId::at(world.clock.now());
    assert_eq!(world.backup().await.exit(), Exit::RunFailed);
    world.faults.reset();
    assert!(of(world, id).contains(&format!("{id}/manifest.partial.json")));
    Ok(id)
}

/// What a run leaves that dies in its drain, and is brought back by the watchdog.
async fn dies(world: &World) -> anyhow::Result<BackupId> {
    world.wait_a_minute().await;
    world.faults.on(Method::ProcessFinish).of("queue").kills();
    let id = BackupId::at(world.clock.now());
    assert!(world.faults.live(world.backup()).await.is_none(), "it lives");
    world.faults.reset();
    world.recover().await.outcome?;
    assert!(!of(world, id).is_empty());
    Ok(id)
}

async fn gone(world: &World) -> anyhow::Result<Vec<BackupId>> {
    let told = world.prune().await;
    let mut gone = told.outcome?.gone;
    gone.sort();
    Ok(gone)
}

#[tokio::test(start_paused = true)]
async fn a_backup_each_day_keeps_those_of_the_last_days() -> anyhow::Result<()> {
    let world = sample::world();
    let mut made = Vec::new();
    for day in 1..=20_usize {
        // A backup takes seconds: the one of seven days ago is that much older than seven days.
        made.push(world.backup().await.outcome?.manifest.id);
        let stays = day.min(7);
        assert_eq!(listed(&world).await?, made[day - stays..], "on day {day}");
        let directories = world.repository.keys();
        assert!(
            made[..day - stays]
                .iter()
                .all(|id| !directories.iter().any(|key| key.contains(&id.to_string())))
        );
        let next = (DAY * u32::try_from(day)?).saturating_sub(world.clock.elapsed());
        world.clock.sleep(next).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_a_long_pause_so_many_stay_however_old() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 5).await?;
    days(&world, 100).await;
    assert_eq!(gone(&world).await?, made[..2]);
    assert_eq!(listed(&world).await?, made[2..]);
    assert_eq!(gone(&world).await?, []);
    let newest = backup(&world).await?;
    assert_eq!(listed(&world).await?, [made[3], made[4], newest]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_the_same_and_changes_nothing() -> anyhow::Result<()> {
    let world = sample::world();
    backups(&world, 6).await?;
    fails(&world).await?;
    fails(&world).await?;
    days(&world, 9).await;
    world.faults.reset();
    let before = (world.repository.keys(), objects(&world), world.picture());
    let planned = world.would_prune().await.outcome?;
    let again = world.would_prune().await.outcome?;
    let calls = world.faults.calls();
    assert!(
        calls
            .iter()
            .all(|call| !call.method.may_lose_its_answer() && call.method != Method::RepositorySweep),
        "{calls:?}"
    );
    assert!(before == (world.repository.keys(), objects(&world), world.picture()));
    assert!(planned.gone.is_empty() && planned.plan == again.plan);
    let did = world.prune().await.outcome?;
    assert_eq!(did.plan, planned.plan);
    assert_eq!(did.gone, planned.plan.gone().collect::<Vec<_>>());
    assert_eq!(did.gone.len(), 4, "{:?}", did.plan);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_protected_stays_and_goes_when_it_is_no_more() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 5).await?;
    world.protect(made[0]).await?;
    world.protect(made[4]).await?;
    days(&world, 9).await;
    // The newest is taken out too: three others stay.
    assert_eq!(gone(&world).await?, []);
    let list = world.list().await?.backups;
    assert_eq!(
        list.iter().map(|backup| backup.protected).collect::<Vec<_>>(),
        [true, false, false, false, true]
    );
    world.unprotect(made[4]).await?;
    assert_eq!(gone(&world).await?, made[1..2]);
    world.unprotect(made[0]).await?;
    assert_eq!(gone(&world).await?, made[..1]);
    assert_eq!(of(&world, made[0]), [""; 0], "its mark is gone too");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn only_a_backup_can_be_protected() -> anyhow::Result<()> {
    let world = sample::world();
    let failed = fails(&world).await?;
    for id in [failed, "2020-01-01_00-00-00".parse()?] {
        assert!(world.protect(id).await.is_err());
        assert!(world.unprotect(id).await.is_err());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_failed_its_verification_does_not_count() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 5).await?;
    damage(&world, made[4]);
    days(&world, 9).await;
    assert!(!world.verify(made[4]).await?.is_empty());
    // Without the newest there are four: one too many. The damaged one is old, and others are whole.
    assert_eq!(gone(&world).await?, [made[0], made[4]]);
    assert_eq!(listed(&world).await?, made[1..4]);
    assert_eq!(of(&world, made[4]), [""; 0], "what was said of it is gone too");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_damaged_backup_stays_while_it_is_young_and_while_nothing_is_whole() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 2).await?;
    for id in &made {
        damage(&world, *id);
        assert!(!world.verify(*id).await?.is_empty());
    }
    assert_eq!(gone(&world).await?, []);
    days(&world, 9).await;
    assert_eq!(gone(&world).await?, [], "the last hope");
    let whole = backup(&world).await?;
    assert_eq!(listed(&world).await?, [whole]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_verified_as_whole_again_counts_again() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 4).await?;
    let key = format!("{}/db/data.dump", made[0]);
    let content = world.repository.get(&key).unwrap_or_default();
    damage(&world, made[0]);
    assert!(!world.verify(made[0]).await?.is_empty());
    // Brought back from elsewhere.
    world.repository.put(&key, content);
    world.wait_a_minute().await;
    assert!(world.verify(made[0]).await?.is_empty());
    world.protect(made[3]).await?;
    days(&world, 9).await;
    assert_eq!(gone(&world).await?, [], "three count");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn of_failed_runs_the_newest_stays_and_older_ones_go_after_a_day() -> anyhow::Result<()> {
    let world = sample::world();
    let kept = backup(&world).await?;
    let failed = [fails(&world).await?, fails(&world).await?, fails(&world).await?];
    world.clock.sleep(DAY.saturating_sub(Duration::from_mins(10))).await;
    assert_eq!(gone(&world).await?, []);
    world.clock.sleep(Duration::from_mins(10)).await;
    assert_eq!(gone(&world).await?, failed[..2]);
    days(&world, 50).await;
    assert_eq!(gone(&world).await?, []);
    let list = world.list().await?;
    assert_eq!(list.partial.iter().map(|(id, _)| *id).collect::<Vec<_>>(), failed[2..]);
    assert_eq!(listed(&world).await?, [kept]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_run_left_goes_after_a_day_and_not_before() -> anyhow::Result<()> {
    let world = sample::world();
    let dead = dies(&world).await?;
    world.clock.sleep(DAY.saturating_sub(Duration::from_secs(30))).await;
    assert_eq!(gone(&world).await?, [], "its last write is younger than its name");
    assert_eq!(world.list().await?.incomplete, [dead]);
    world.clock.sleep(Duration::from_mins(1)).await;
    assert_eq!(gone(&world).await?, [dead]);
    assert_eq!(of(&world, dead), [""; 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_living_run_writes_is_no_remains() -> anyhow::Result<()> {
    let world = sample::world();
    let there = sample::world().beside(&world, "there");
    let gate = world.faults.on(Method::ProcessFinish).of("db").waits();
    let looks = async {
        gate.reached.cancelled().await;
        // Longer than remains stay; its lease is renewed all the time.
        there.clock.sleep(DAY * 2).await;
        let plan = there.would_prune().await.outcome.map(|would| would.plan.verdicts);
        gate.open.cancel();
        plan
    };
    let (told, plan) = tokio::join!(world.backup(), looks);
    let plan = plan?;
    assert!(plan.len() == 1 && plan[0].fate == Fate::Stays, "{plan:?}");
    assert_eq!(plan[0].reason.to_string(), "a run is writing it");
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_not_marked_as_ours_is_told_and_never_touched() -> anyhow::Result<()> {
    let world = sample::world();
    let others = [
        ("2026-01-01_00-00-00/db/data.dump", "orders 1\n".to_owned()),
        ("2026-01-02_00-00-00/run.json", run_of("other")),
        ("2026-01-03_00-00-00/run.json", "what is this".to_owned()),
        ("2026-01-04_00-00-00/manifest.json", "{ \"format\": 1 }".to_owned()),
        ("2026-01-05_00-00-00/deleted.json", "{}".to_owned()),
        ("2026-01-06_00-00-00/manifest.partial.json", "{}".to_owned()),
    ];
    for (key, content) in &others {
        world.repository.put(key, content.clone());
    }
    world.repository.put("holiday/photo.jpg", "photo");
    world.repository.put("2026-1-1/photo.jpg", "photo");
    backups(&world, 5).await?;
    days(&world, 9).await;
    let told = world.prune().await;
    let warnings = told.recorder.warnings();
    let pruned = told.outcome?;
    assert_eq!(
        (pruned.gone.len(), pruned.foreign.len()),
        (2, others.len()),
        "{pruned:?}"
    );
    for (key, content) in &others {
        assert_eq!(world.repository.get(key).as_deref(), Some(content.as_bytes()), "{key}");
        let id = key.split('/').next().unwrap_or_default();
        let says = format!("{id} is not marked as a backup of acme; it is left alone");
        assert!(warnings.contains(&says), "{warnings:?}");
    }
    assert!(world.repository.get("holiday/photo.jpg").is_some());
    assert!(world.repository.get("2026-1-1/photo.jpg").is_some());
    Ok(())
}

fn run_of(platform: &str) -> String {
    format!(
        "{{\"format\":1,\"platform\":\"{platform}\",\"run\":\"1\",\"host\":\"h\",\"process\":1,\"began\":\"2026-01-02T00:00:00Z\"}}"
    )
}

#[tokio::test(start_paused = true)]
async fn a_manifest_of_a_newer_version_is_left_alone_and_an_unreadable_one_goes() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 5).await?;
    world
        .repository
        .put(&format!("{}/manifest.json", made[0]), "{ \"format\": 2 }");
    world
        .repository
        .put(&format!("{}/manifest.json", made[1]), "{ \"format\": 1, ");
    days(&world, 9).await;
    assert_eq!(gone(&world).await?, made[1..2]);
    assert_eq!(of(&world, made[0]).len(), 4);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_deleted_does_not_keep_the_others() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 6).await?;
    days(&world, 9).await;
    let whole = objects(&world);
    world
        .faults
        .on(Method::RepositoryDelete)
        .of(&format!("{}/queue/data.dump", made[1]))
        .fails();
    let told = world.prune().await;
    assert_eq!(told.exit(), Exit::RunFailed);
    for word in [&made[1].to_string(), "queue/data.dump", "stillpoint prune"] {
        assert!(told.words().contains(word), "{}", told.words());
    }
    assert_eq!(told.recorder.count(|kind| matches!(kind, EventKind::Deleted { .. })), 2);
    assert_eq!(listed(&world).await?, made[3..]);
    assert!(of(&world, made[0]).is_empty() && of(&world, made[2]).is_empty());
    // What is left of it is no backup, says so, and goes the next time.
    let left = world.site().backups.list().await?;
    assert!(matches!(left[0].content, Content::Incomplete), "{left:?}");
    assert!(of(&world, made[1]).contains(&format!("{}/deleted.json", made[1])));
    assert_eq!(gone(&world).await?, made[1..2]);
    let stays: BTreeMap<String, Bytes> = whole
        .into_iter()
        .filter(|(key, _)| made[..3].iter().all(|id| !key.contains(&id.to_string())))
        .collect();
    assert_eq!(objects(&world), stays);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_a_backup_it_is_only_a_warning() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 4).await?;
    days(&world, 9).await;
    world.faults.reset();
    let key = format!("{}/db/data.dump", made[0]);
    world.faults.on(Method::RepositoryDelete).of(&key).fails();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    let warnings = told.recorder.warnings();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("the backup is good") && warning.contains(&key)),
        "{warnings:?}"
    );
    assert_eq!(listed(&world).await?.len(), 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_does_not_let_anything_be_deleted_keeps_its_backups_whole() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 5).await?;
    days(&world, 9).await;
    world.faults.on(Method::RepositoryDelete).always().fails();
    let told = world.prune().await;
    assert_ne!(told.exit(), Exit::Ok);
    assert!(
        told.words().contains("repository.delete (injected)"),
        "{}",
        told.words()
    );
    world.faults.reset();
    world.clock.sleep(LEASE * 2).await;
    for id in listed(&world).await? {
        assert!(world.verify(id).await?.is_empty());
    }
    assert_eq!(gone(&world).await?, made[..2]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_protected_after_the_plan_was_made_stays() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 6).await?;
    days(&world, 9).await;
    world.faults.reset();
    // While the first one is deleted, its operator protects the second.
    let gate = world
        .faults
        .on(Method::RepositoryDelete)
        .of(&format!("{}/manifest.json", made[0]))
        .waits();
    let protect = async {
        gate.reached.cancelled().await;
        let protected = world.protect(made[1]).await;
        gate.open.cancel();
        protected
    };
    let (told, protected) = tokio::join!(world.prune(), protect);
    protected?;
    assert_eq!(told.outcome?.gone, [made[0], made[2]]);
    assert!(world.verify(made[1]).await?.is_empty());
    assert_eq!(gone(&world).await?, []);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_half_deleted_cannot_be_protected_any_more() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 4).await?;
    days(&world, 9).await;
    // It dies when it has said that it deletes, and deleted nothing.
    world
        .faults
        .on(Method::RepositoryDelete)
        .of(&format!("{}/manifest.json", made[0]))
        .kills();
    assert!(world.faults.live(world.prune()).await.is_none());
    world.faults.reset();
    assert!(world.protect(made[0]).await.is_err(), "nobody would honour it");
    world.clock.sleep(LEASE * 2).await;
    assert_eq!(gone(&world).await?, made[..1]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_prune_tried_the_repository_with_goes_after_a_day() -> anyhow::Result<()> {
    let world = sample::world();
    backup(&world).await?;
    world.faults.on(Method::RepositoryReplace).kills();
    assert!(world.faults.live(world.prune()).await.is_none());
    world.faults.reset();
    let probes = || {
        world
            .repository
            .keys()
            .iter()
            .filter(|key| key.starts_with(".stillpoint/probe-"))
            .count()
    };
    assert_eq!(probes(), 1);
    world.clock.sleep(LEASE * 2).await;
    world.prune().await.outcome?;
    assert_eq!(probes(), 1, "it may be a living run's");
    days(&world, 2).await;
    world.prune().await.outcome?;
    assert_eq!(probes(), 0);
    Ok(())
}

/// A key without the right to delete, or a server that keeps what it has for a time of its own.
#[tokio::test(start_paused = true)]
async fn what_the_repository_does_not_let_go_is_told_and_stays_whole() -> anyhow::Result<()> {
    let world = sample::world();
    let made = backups(&world, 4).await?;
    days(&world, 100).await;
    let manifest = format!("{}/manifest.json", made[0]);
    world
        .faults
        .on(Method::RepositoryDelete)
        .of(&manifest)
        .fails_with(Failure::Repository(RepositoryError::Denied {
            key: manifest.clone(),
            cause: "AccessDenied (403)".to_owned(),
        }));
    let told = world.prune().await;
    let warned = told.recorder.warnings();
    let pruned = told.outcome?;
    assert_eq!((pruned.gone, pruned.left), (Vec::new(), Vec::new()));
    assert_eq!(pruned.locked[0].0, made[0]);
    assert!(
        warned.iter().any(|warning| warning.contains(&made[0].to_string())),
        "{warned:?}"
    );
    assert_eq!(listed(&world).await?, made, "it is no backup any more");
    assert!(!of(&world, made[0]).iter().any(|key| key.ends_with("deleted.json")));

    world.faults.reset();
    world.repository.lock();
    let told = world.backup().await;
    let warned = told.recorder.warnings();
    told.outcome?;
    assert!(
        warned.iter().any(|warning| warning.contains("the right to delete")),
        "{warned:?}"
    );
    assert_eq!(listed(&world).await?.len(), 5);
    assert_eq!(gone(&world).await?, []);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn that_what_was_deleted_goes_on_taking_room_is_told() -> anyhow::Result<()> {
    let world = sample::world();
    backups(&world, 4).await?;
    world.repository.keep("old versions stay");
    days(&world, 100).await;
    let told = world.prune().await;
    let warned = told.recorder.warnings();
    assert!(
        warned.iter().any(|warning| warning.contains("old versions stay")),
        "{warned:?}"
    );
    assert_eq!(told.outcome?.kept.as_deref(), Some("old versions stay"));
    Ok(())
}
