//! What a restore does to the platform and its data, one behaviour a test.

use std::time::Duration;

use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::engine::restore::Restored;
use stillpoint_core::events::{EventKind, Step};
use stillpoint_core::manifest::Manifest;
use stillpoint_core::names::{BackupId, Project};
use stillpoint_core::ports::Clock;
use stillpoint_core::ports::power::Job;
use stillpoint_core::retention::{Exempt, Reason};
use stillpoint_core::selection::Selection;
use stillpoint_core::stores::StoreError;
use stillpoint_core::workload::State;
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::sample::{self, PLATFORM, RESTORED};
use stillpoint_testkit::stage::Told;
use stillpoint_testkit::{Failure, Method, World};

/// A world with a backup, whose data has changed since.
async fn backed_up() -> anyhow::Result<(World, BackupId)> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.change("db", "orders", 99);
    world.change("queue", "messages", 0);
    world.wait_a_minute().await;
    world.faults.reset();
    Ok((world, id))
}

fn subjects(world: &World, method: Method) -> Vec<String> {
    let calls = world.faults.calls().into_iter();
    calls
        .filter(|call| call.method == method)
        .map(|call| call.subject)
        .collect()
}

fn rows(world: &World, store: &str, table: &str) -> Option<u64> {
    world.data().get(store)?.rows.get(table).copied()
}

/// What of the managed has a process.
fn warned(told: &Told<Restored>, words: &str) -> bool {
    let warns = |kind: &EventKind| matches!(kind, EventKind::Warning { message } if message.contains(words));
    told.recorder.count(warns) > 0
}

fn up(world: &World) -> Vec<String> {
    let up = world.picture().up().into_iter();
    up.filter(|id| RESTORED.contains(&id.as_str())).collect()
}

/// The restore is refused with these words, and nothing was stopped, started, claimed or written.
async fn is_refused(world: &World, id: BackupId, words: &str) {
    let (before, data) = (world.picture(), world.data());
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    assert!(told.words().contains(words), "{}", told.words());
    assert!(
        !world
            .faults
            .calls()
            .iter()
            .any(|call| call.method.changes_the_platform()),
        "{:?}",
        world.calls()
    );
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    assert_eq!(data, world.data());
    assert_eq!(
        told.recorder
            .count(|kind| matches!(kind, EventKind::ClientsGoDown { .. })),
        0
    );
}

/// Rewrites the manifest of a backup.
fn forge(world: &World, id: BackupId, change: impl FnOnce(&mut Manifest)) -> anyhow::Result<()> {
    let key = format!("{id}/manifest.json");
    let mut manifest = Manifest::parse(id, &world.repository.get(&key).unwrap_or_default())?;
    change(&mut manifest);
    world.repository.put(&key, serde_json::to_vec(&manifest)?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_data_is_the_backup_s_and_what_ran_runs_again() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let before = world.picture();
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(
        (rows(&world, "db", "orders"), rows(&world, "queue", "messages")),
        (Some(5), Some(7))
    );
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    assert_eq!(before.touched(&world.picture()), RESTORED);
    assert_eq!(world.claim(PLATFORM), None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_three_phases_come_one_after_the_other() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let told = world.restore(id).await;
    let steps = [
        Step::Verify,
        Step::Preflight,
        Step::Claim,
        Step::Stop,
        Step::Copy,
        Step::Load,
        Step::Compare,
        Step::LogIn,
        Step::Start,
    ];
    assert_eq!(told.recorder.steps(), steps);
    // What is replaced while it is stopped was copied while it ran.
    assert_eq!(
        subjects(&world, Method::PowerStop),
        ["cron", "web", "api", "db", "queue", "queue", "db"],
        "clients first, dependants before what they need; last the store that asked for a new start"
    );
    let starts = subjects(&world, Method::PowerStart);
    assert_eq!(
        starts,
        ["queue", "db", "queue", "db", "cron", "db", "queue", "api", "web"],
        "stores alone first"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_paused_is_paused_again() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.restore(id).await.outcome?;
    assert_eq!(world.states().get("cron"), Some(&State::Paused));
    assert_eq!(subjects(&world, Method::PowerPause), ["cron"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_missing_artifact_blocks_it() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.repository.lose(&format!("{id}/queue/data.dump"));
    is_refused(&world, id, "queue/data.dump: missing").await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_truncated_artifact_blocks_it() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.repository.put(&format!("{id}/queue/data.dump"), "messages");
    is_refused(&world, id, "queue/data.dump: 8 bytes, 11 in the manifest").await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_single_flipped_bit_blocks_it() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let key = format!("{id}/db/data.dump");
    let mut content = world.repository.get(&key).unwrap_or_default().to_vec();
    content[7] ^= 1;
    world.repository.put(&key, content);
    is_refused(&world, id, "db/data.dump: its SHA-256 is").await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_without_an_artifact_blocks_it() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.add(Container::store("search", &[("documents", 1)]));
    is_refused(&world, id, "it holds nothing of store search (fake)").await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_artifact_without_its_store_is_told() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.remove("queue");
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert!(warned(&told, "the platform has no store queue (fake)"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_run_blocks_it() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.exits("queue", 1);
    is_refused(&world, id, "store queue is exited (start it first)").await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_backup_of_another_platform_blocks_it() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    forge(&world, id, |manifest| {
        manifest.platform = stillpoint_core::names::Project::new("other");
    })?;
    is_refused(&world, id, "it is a backup of platform other, not of acme").await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_fit_blocks_it() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    forge(&world, id, |manifest| manifest.stores[0].version = "9.0".into())?;
    is_refused(&world, id, "1.0 cannot load 9.0").await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_damaged_manifest_blocks_it() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world
        .repository
        .put(&format!("{id}/manifest.json"), "{ \"format\": 1, ");
    is_refused(&world, id, "the manifest is damaged").await;
    world
        .repository
        .put(&format!("{id}/manifest.json"), "{ \"format\": 2 }");
    is_refused(&world, id, "has format 2").await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn all_reasons_are_told_at_once() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.repository.lose(&format!("{id}/queue/data.dump"));
    world.add(Container::store("search", &[]));
    world
        .faults
        .on(Method::StoreExamine)
        .of("db")
        .fails_with(Failure::Store(|| StoreError::Unfit("too old".into())));
    let Err(Error::RestoreRefused(reasons)) = world.restore(id).await.outcome else {
        panic!("not refused");
    };
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    Ok(())
}

/// Stores, containers and the platform itself each have a reason: one list for the restore and its dry run, each with what to do.
#[tokio::test(start_paused = true)]
async fn every_store_names_what_refuses_it_in_the_same_words_in_a_dry_run() -> anyhow::Result<()> {
    let world = sample::world();
    world.add(Container::client("files").with_folder("/srv/uploads", "/uploads"));
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    world.remove_from_host("/srv/uploads");
    world.does_not_save("queue");
    for (store, failure) in [
        ("db", Failure::Store(|| StoreError::Unfit("too old".into()))),
        ("queue", Failure::Store(|| StoreError::Damaged("not whole".into()))),
    ] {
        let examine = world.faults.on(Method::StoreExamine).of(store).always();
        examine.fails_with(failure);
    }
    let before = world.picture();
    let rehearsed = world.rehearse(id, Selection::default()).await;
    let told = world.restore(id).await;
    assert_eq!(
        (rehearsed.exit(), told.exit()),
        (Exit::RestoreRefused, Exit::RestoreRefused)
    );
    assert_eq!(rehearsed.words(), told.words());
    let Err(error) = told.outcome else {
        panic!("not refused")
    };
    let findings = error.findings();
    let about = [
        ("store db: too old", "mend what is named"),
        ("store queue: not whole", "choose another backup"),
        ("store queue: it has not saved", "--discard-old"),
        (
            "files uses /srv/uploads of the host, which is gone",
            "docker compose up -d",
        ),
    ];
    assert_eq!(findings.len(), about.len(), "{findings:?}");
    for (finding, (what, remedy)) in findings.iter().zip(about) {
        assert!(finding.what.contains(what), "{finding}");
        assert!(
            finding.remedy.as_deref().is_some_and(|said| said.contains(remedy)),
            "{finding}"
        );
        assert!(error.to_string().contains(&finding.to_string()), "{error}");
    }
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    Ok(())
}

/// The copy of what it replaces would not fit.
#[tokio::test(start_paused = true)]
async fn a_dry_run_finds_that_the_copy_cannot_be_made() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.faults.on(Method::StorePreflight).of("queue").always().fails();
    let rehearsed = world.rehearse(id, Selection::default()).await;
    let told = world.restore(id).await;
    assert_eq!((rehearsed.exit(), told.exit()), (Exit::Preflight, Exit::Preflight));
    assert_eq!(rehearsed.words(), told.words());
    Ok(())
}

/// A store may take minutes to answer.
#[tokio::test(start_paused = true)]
async fn what_does_not_come_back_is_told_before_stores_are_waited_for() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.faults.on(Method::StoreRestore).of("queue").always().fails();
    assert_eq!(world.restore(id).await.exit(), Exit::StoppedOnPurpose);
    world.faults.reset();
    world.faults.on(Method::PowerStart).of("api").always().fails();
    world.faults.on(Method::StoreReady).of("db").always().hangs();
    let told = world.start_containers().await;
    assert_eq!(told.exit(), Exit::RecoveryIncomplete, "{}", told.words());
    let is_it = |kind: &EventKind| matches!(kind, EventKind::Warning { message } if message.starts_with("api"));
    let events = told.recorder.events();
    let warned = events.iter().find(|event| is_it(&event.kind));
    let waited = warned.map(|event| world.clock.now().duration_since(event.at).unsigned_abs());
    assert!(waited >= Some(Duration::from_mins(9)), "{waited:?}");
    assert!(told.degraded().contains(&"db".to_owned()), "{}", told.words());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_does_not_exist_is_not_found() -> anyhow::Result<()> {
    let (world, _) = backed_up().await?;
    let told = world.restore("2020-01-01_00-00-00".parse()?).await;
    assert_eq!(told.exit(), Exit::NotFound);
    assert!(told.words().contains("backups ls"), "{}", told.words());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_torso_cannot_be_restored() -> anyhow::Result<()> {
    let world = sample::world();
    world.faults.on(Method::StorePin).of("db").fails();
    world.backup().await;
    let (id, _) = world.list().await?.partial[0];
    assert_eq!(world.restore(id).await.exit(), Exit::RestoreRefused);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn interrupted_before_the_stop_nothing_was_touched() -> anyhow::Result<()> {
    for method in [Method::ObjectRead, Method::StoreExamine] {
        let (world, id) = backed_up().await?;
        let (before, interrupt) = (world.picture(), world.interrupt());
        world.faults.on(method).nth(2).meets(move || interrupt.cancel());
        let told = world.restore(id).await;
        assert_eq!(told.exit(), Exit::Interrupted, "{}", told.words());
        assert_eq!(before.touched(&world.picture()), [""; 0]);
        assert_eq!(subjects(&world, Method::PowerClaim), [""; 0]);
    }
    Ok(())
}

/// A restore that fails after the stop: everything is down, the claim is kept, and the words say
/// why. Returns the world as it stands.
async fn stands_still(rule: impl FnOnce(&World), words: &str) -> anyhow::Result<(World, BackupId)> {
    let (world, id) = backed_up().await?;
    let before = world.picture();
    rule(&world);
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::StoppedOnPurpose, "{}", told.words());
    assert!(told.words().contains(words), "{}", told.words());
    assert!(told.words().contains("containers start"), "no way on: {}", told.words());
    assert_eq!(up(&world), [""; 0]);
    assert_eq!(
        before.differences(&world.picture()),
        RESTORED,
        "nothing else was stopped"
    );
    let claim = world.claim(PLATFORM).map(|claim| (claim.job, claim.backup));
    assert_eq!(claim, Some((Job::FullRestoreJob, id)));
    assert_eq!(
        told.recorder
            .count(|kind| matches!(kind, EventKind::ClientsAreBack { .. })),
        0
    );
    Ok((world, id))
}

#[tokio::test(start_paused = true)]
async fn a_load_that_fails_leaves_everything_stopped_also_the_stores() -> anyhow::Result<()> {
    let fails = |world: &World| world.faults.on(Method::StoreRestore).of("queue").fails();
    let (world, _) = stands_still(fails, "store queue").await?;
    assert_eq!(subjects(&world, Method::StoreInventory), [""; 0]);
    assert_eq!(subjects(&world, Method::AsideDiscard), [""; 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_load_that_fails_ends_the_others() -> anyhow::Result<()> {
    let rule = |world: &World| {
        world.faults.on(Method::StoreRestore).of("db").hangs();
        world.faults.on(Method::StoreRestore).of("queue").fails();
    };
    stands_still(rule, "store queue").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_artifact_that_is_damaged_only_when_it_is_loaded_leaves_everything_stopped() -> anyhow::Result<()> {
    let rule = |world: &World| {
        let repository = world.repository.clone();
        let lose = move || {
            for key in repository.keys() {
                if key.ends_with("db/data.dump") {
                    repository.put(&key, "orders 6\npublic.users 3\n");
                }
            }
        };
        world.faults.on(Method::StoreRestore).of("db").meets(lose);
    };
    stands_still(rule, "SHA-256").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_inventory_that_differs_starts_no_client() -> anyhow::Result<()> {
    let rule = |world: &World| {
        let seen = world.clone();
        world
            .faults
            .on(Method::StoreInventory)
            .of("db")
            .meets(move || seen.change("db", "orders", 4));
    };
    let (world, _) = stands_still(rule, "orders: 5 in the backup, 4 restored").await?;
    assert!(world.data()["db"].aside.is_some(), "the old data is kept aside");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_revived_while_data_was_loaded_stops_the_platform() -> anyhow::Result<()> {
    let rule = |world: &World| {
        let seen = world.clone();
        world
            .faults
            .on(Method::ProcessFinish)
            .of("db")
            .meets(move || seen.revive("api"));
    };
    stands_still(rule, "api ran during the standstill").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn interrupted_while_it_loads_it_stays_stopped() -> anyhow::Result<()> {
    let rule = |world: &World| {
        let interrupt = world.interrupt();
        world
            .faults
            .on(Method::ProcessInput)
            .of("db")
            .meets(move || interrupt.cancel());
    };
    stands_still(rule, "interrupted").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_fails_before_anything_was_overwritten_brings_the_platform_back() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let (before, data) = (world.picture(), world.data());
    world.faults.on(Method::PowerStop).of("web").fails();
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::RunFailed, "{}", told.words());
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    assert_eq!((data, None), (world.data(), world.claim(PLATFORM)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stopped_in_the_end_is_named() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.faults.on(Method::StoreRestore).of("queue").nth(2).fails();
    // It is stopped with the rest, again for its load, and in the end, when it runs to be looked at.
    world.faults.on(Method::PowerStop).of("queue").nth(3).fails();
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::StoppedOnPurpose);
    assert!(
        told.words().contains("still running: queue could not be stopped"),
        "{}",
        told.words()
    );
    assert_eq!(up(&world), ["queue"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_start_is_named_and_the_data_is_good() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.faults.on(Method::PowerStart).of("web").always().fails();
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::Degraded);
    assert_eq!(told.degraded(), ["web"]);
    assert_eq!(rows(&world, "db", "orders"), Some(5));
    assert_eq!(world.claim(PLATFORM), None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn old_data_is_freed_only_when_everything_runs_again() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let restored = world.restore_for_good(id).await.outcome?;
    assert!(!restored.old_data_kept);
    let calls = world.calls();
    let last = |method: &str| calls.iter().rposition(|call| call.starts_with(method));
    let first = calls.iter().position(|call| call.starts_with("aside.discard"));
    assert!(last("store.inventory") < first && last("power.start") < first && first.is_some());
    assert!(world.data().values().all(|data| data.aside.is_none()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_replaced_comes_back_also_what_was_copied() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let (before, data) = (world.picture(), world.data());
    assert!(world.restore(id).await.outcome?.old_data_kept);
    world.wait_a_minute().await;
    let told = world.undo().await;
    let undone = told.outcome?;
    assert_eq!(undone.stores.len(), 2);
    assert_eq!((before.differences(&world.picture()), data), (Vec::new(), world.data()));
    assert_eq!(world.list().await?.backups.len(), 1, "the copy is left");
    assert!(matches!(world.undo().await.outcome, Err(Error::NothingKept(_))));
    Ok(())
}

/// Its copy is named after the second in which it begins.
#[tokio::test(start_paused = true)]
async fn a_restore_that_begins_in_the_second_of_another_run_begins_in_the_next() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let second = BackupId::at(world.clock.now());
    for ahead in 0..5 {
        let taken = BackupId::at(world.clock.now() + Duration::from_secs(ahead));
        world.repository.put(&format!("{taken}/run.json"), "{}");
    }
    world.restore(id).await.outcome?;
    let copies = world.site().backups.safety_copies(&Project::new(PLATFORM)).await?;
    let ids: Vec<BackupId> = copies.iter().map(|copy| copy.id).collect();
    assert_eq!(ids, [BackupId::at(second.timestamp() + Duration::from_secs(5))]);
    assert!(world.undo().await.outcome.is_ok());
    Ok(())
}

/// Or it would be loaded again, over what has been written since.
#[tokio::test(start_paused = true)]
async fn a_copy_that_an_undoing_could_not_remove_is_removed_by_the_next_run() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.restore(id).await.outcome?;
    world.wait_a_minute().await;
    world.faults.on(Method::RepositoryDelete).always().fails();
    let told = world.undo().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert!(told.recorder.warnings().concat().contains("could not be removed"));
    world.faults.reset();
    world.wait_a_minute().await;
    world.change("queue", "messages", 99);
    assert!(matches!(world.undo().await.outcome, Err(Error::NothingKept(_))));
    assert_eq!(rows(&world, "queue", "messages"), Some(99));
    assert_eq!(world.list().await?.backups.len(), 1, "the copy is left");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn as_long_as_something_is_kept_nothing_else_is_restored() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.restore(id).await.outcome?;
    world.wait_a_minute().await;
    world.faults.reset();
    for words in [
        "store db still keeps",
        "still holds what an earlier restore has replaced",
    ] {
        is_refused(&world, id, words).await;
    }
    world.discard_old().await.outcome?;
    assert!(matches!(world.discard_old().await.outcome, Err(Error::NothingKept(_))));
    world.wait_a_minute().await;
    assert_eq!(world.restore(id).await.exit(), Exit::Ok);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn old_data_that_is_the_only_one_is_not_freed() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let data = world.data();
    world.restore(id).await.outcome?;
    world.wait_a_minute().await;
    world.lose("db");
    let told = world.discard_old().await;
    assert_eq!(told.exit(), Exit::RestoreRefused);
    assert!(
        told.words().contains("store db holds its rows") && told.words().contains("restore undo"),
        "{}",
        told.words()
    );
    assert_eq!(world.claim(PLATFORM), None);
    world.undo().await.outcome?;
    assert_eq!(world.data(), data);
    Ok(())
}

/// The one that was begun is over all the same: its claim would keep everything else from the platform.
#[tokio::test(start_paused = true)]
async fn a_discarding_that_died_ends_beside_old_data_that_is_the_only_one() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let data = world.data();
    world.restore(id).await.outcome?;
    world.wait_a_minute().await;
    world.faults.on(Method::AsideDiscard).of("db").kills();
    assert!(world.faults.live(world.discard_old()).await.is_none(), "it lives");
    world.faults.reset();
    world.lose("db");
    world.wait_a_minute().await;
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(world.claim(PLATFORM), None);
    let warnings = told.recorder.warnings();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("store db holds its rows")),
        "{warnings:?}"
    );
    world.undo().await.outcome?;
    assert_eq!(rows(&world, "db", "orders"), data["db"].rows.get("orders").copied());
    Ok(())
}

/// The discarding has the id of the restore that it follows; the journal knows it all the same.
#[tokio::test(start_paused = true)]
async fn a_discarding_that_died_after_its_restore_is_finished_from_the_journal_alone() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.faults.on(Method::AsideDiscard).of("db").kills();
    assert!(
        world.faults.live(world.restore_for_good(id)).await.is_none(),
        "it lives"
    );
    world.faults.reset();
    world.drop_claim(&Project::new(PLATFORM));
    let told = world.recover().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert!(world.data().values().all(|data| data.aside.is_none()));
    assert!(world.journal.open().is_empty());
    Ok(())
}

/// What a failed restore advises must be possible: `resume` goes on with a restore, not with an undoing.
#[tokio::test(start_paused = true)]
async fn a_restore_that_fails_over_a_dead_undoing_does_not_advise_to_resume() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let data = world.data();
    world.restore(id).await.outcome?;
    world.wait_a_minute().await;
    world.faults.on(Method::AsidePutBack).of("db").kills();
    assert!(world.faults.live(world.undo()).await.is_none(), "it lives");
    world.faults.reset();
    world.wait_a_minute().await;
    world.faults.on(Method::StoreRestore).of("db").fails();
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::StoppedOnPurpose, "{}", told.words());
    let words = told.words();
    assert!(words.contains("the restore of"), "{words}");
    assert!(!words.contains("restore resume"), "{words}");
    assert!(words.contains("restore undo"), "{words}");
    world.faults.reset();
    world.wait_a_minute().await;
    let told = world.undo().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(world.data(), data);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_no_backup_and_no_prune_touches_it() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.restore(id).await.outcome?;
    let year = std::time::Duration::from_hours(24 * 365);
    world.clock.sleep(year).await;
    let pruned = world.prune().await.outcome?;
    let exempt = Reason::Exempt { by: Exempt::Safety };
    let copies = pruned.plan.verdicts.iter().filter(|verdict| verdict.reason == exempt);
    assert_eq!(copies.count(), 1, "{:?}", pruned.plan);
    let newest = pruned.plan.verdicts.iter().find(|verdict| verdict.id == id);
    assert_eq!(newest.map(|verdict| verdict.reason), Some(Reason::Newest));
    world.undo().await.outcome?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_goes_on_loads_only_what_it_had_not_loaded() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let data = world.data();
    // Its second stage comes when `db` is loaded.
    world.faults.on(Method::StoreRestore).of("queue").nth(2).fails();
    assert_eq!(world.restore(id).await.exit(), Exit::StoppedOnPurpose);
    world.faults.reset();
    world.wait_a_minute().await;
    assert_eq!(world.resume().await.exit(), Exit::Ok);
    assert!(!subjects(&world, Method::StoreRestore).contains(&"db".to_owned()));
    assert_eq!(rows(&world, "queue", "messages"), Some(7));
    world.wait_a_minute().await;
    world.undo().await.outcome?;
    assert_eq!(world.data(), data);
    assert!(matches!(world.resume().await.outcome, Err(Error::NothingUnfinished(_))));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_the_journal_everything_is_loaded_again() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.faults.on(Method::StoreRestore).of("queue").nth(2).fails();
    assert_eq!(world.restore(id).await.exit(), Exit::StoppedOnPurpose);
    world.faults.reset();
    world.journal.lose();
    world.wait_a_minute().await;
    assert_eq!(world.resume().await.exit(), Exit::Ok);
    assert!(subjects(&world, Method::StoreRestore).contains(&"db".to_owned()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_another_attempt_has_loaded_from_another_backup_does_not_count() -> anyhow::Result<()> {
    let (world, first) = backed_up().await?;
    let second = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    for id in [first, second] {
        world.faults.on(Method::StoreRestore).of("queue").nth(2).fails();
        assert_eq!(world.restore(id).await.exit(), Exit::StoppedOnPurpose);
        world.faults.reset();
        world.wait_a_minute().await;
    }
    let resumed = world.resume().await.outcome?;
    assert_eq!(resumed.backup, second);
    let found = (rows(&world, "db", "orders"), rows(&world, "queue", "messages"));
    assert_eq!(found, (Some(99), Some(0)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn told_to_keep_no_way_back_nothing_is_copied_and_nothing_can_be_undone() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.faults.on(Method::StoreRestore).of("queue").nth(2).fails();
    assert_eq!(world.restore_for_good(id).await.exit(), Exit::StoppedOnPurpose);
    world.faults.reset();
    world.wait_a_minute().await;
    assert_eq!(world.list().await?.backups.len(), 1);
    let told = world.undo().await;
    assert_eq!(told.exit(), Exit::RestoreRefused);
    assert!(told.words().contains("no way back"), "{}", told.words());
    // It stays so: half of the stores could be put back, and the other half not.
    assert!(!world.resume().await.outcome?.old_data_kept);
    assert!(world.data().values().all(|data| data.aside.is_none()));
    Ok(())
}
