//! What a backup does to the platform and to the repository, one behaviour a test.

use std::collections::BTreeSet;
use std::time::Duration;

use stillpoint_core::backups::Content;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::site::StandstillRules;
use stillpoint_core::events::{EventKind, Step};
use stillpoint_core::manifest::{Manifest, Mode};
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::Operations;
use stillpoint_core::ports::{Clock, RepositoryError};
use stillpoint_core::stores::StoreError;
use stillpoint_core::workload::State;
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::sample::{self, CLIENTS, LEFT, PLATFORM, STORES};
use stillpoint_testkit::{Failure, Method, World};

/// The containers of which `method` was called, in order.
fn subjects(world: &World, method: Method) -> Vec<String> {
    let calls = world.faults.calls().into_iter();
    calls
        .filter(|call| call.method == method)
        .map(|call| call.subject)
        .collect()
}

/// Where a call stands in the log.
fn place(world: &World, call: &str) -> Option<usize> {
    world.calls().iter().position(|made| made.starts_with(call))
}

fn came_before(world: &World, first: &str, then: &str) -> bool {
    matches!((place(world, first), place(world, then)), (Some(first), Some(then)) if first < then)
}

async fn failed(world: &World) -> anyhow::Result<Vec<BackupId>> {
    let listed = world.list().await?;
    assert!(listed.backups.is_empty() && listed.unreadable.is_empty(), "{listed:?}");
    Ok(listed.partial.into_iter().map(|(id, _)| id).collect())
}

/// The manifest of a backup that failed.
fn partial(world: &World) -> anyhow::Result<Manifest> {
    let keys = world.repository.keys();
    let key = keys.iter().find(|key| key.ends_with("/manifest.partial.json"));
    let text = key.and_then(|key| world.repository.get(key)).unwrap_or_default();
    Ok(serde_json::from_slice(&text)?)
}

#[tokio::test(start_paused = true)]
async fn what_ran_runs_again_and_the_rest_was_never_touched() {
    let world = sample::world();
    let before = world.picture();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    let after = world.picture();
    assert_eq!(before.differences(&after), [""; 0]);
    assert_eq!(before.touched(&after), CLIENTS, "not {LEFT:?}, nor {STORES:?}");
    assert_eq!(world.claim(PLATFORM), None);
}

#[tokio::test(start_paused = true)]
async fn a_paused_client_stays_paused_and_an_exited_one_exited() {
    let world = sample::world();
    let before = world.picture();
    world.backup().await.outcome.unwrap();
    assert_eq!(world.states().get("cron"), Some(&State::Paused));
    assert_eq!(world.states().get("worker"), Some(&State::Exited));
    assert_eq!(world.states().get("migrate"), Some(&State::Created));
    for service in ["cron", "worker", "migrate"] {
        let acts = world
            .faults
            .calls()
            .into_iter()
            .filter(|call| call.method.changes_the_platform());
        assert!(!acts.into_iter().any(|call| call.subject == service), "{service}");
        assert!(
            !before.touched(&world.picture()).contains(&service.to_owned()),
            "{service}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_never_stopped_and_no_store_is() {
    let world = sample::world();
    world.backup().await.outcome.unwrap();
    assert_eq!(subjects(&world, Method::PowerStop), ["web", "api"], "dependants first");
}

#[tokio::test(start_paused = true)]
async fn clients_that_need_nobody_stop_at_the_same_time() {
    let world = sample::world();
    world.add(Container::client("slow").stops_in(Duration::from_secs(8)));
    world.add(Container::client("slower").stops_in(Duration::from_secs(9)));
    let manifest = world.backup().await.outcome.unwrap().manifest;
    let window = manifest.standstill.unwrap();
    // `web` stops beside them, and then `api`, on which it depends, in a second.
    assert_eq!(window.began.duration_since(window.stopping).as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn whoever_uses_anothers_network_stops_before_it_and_starts_after_it() {
    let world = sample::world();
    world.add(Container::client("vpn"));
    world.add(Container::client("fetcher").in_network_of("vpn"));
    world.backup().await.outcome.unwrap();
    assert!(came_before(&world, "power.stop fetcher", "power.stop vpn"));
    assert!(came_before(&world, "power.start vpn", "power.start fetcher"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_stopped_before_the_claim_and_the_repository_stand() {
    let world = sample::world();
    world.backup().await.outcome.unwrap();
    let steps = [
        "store.preflight",
        "upload.complete .stillpoint/canary",
        "power.claim acme",
        "repository.create 2026-02-17_00-00-00/run.json",
        "power.stop",
    ];
    for pair in steps.windows(2) {
        assert!(came_before(&world, pair[0], pair[1]), "{pair:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn clients_start_when_every_store_is_pinned_and_run_while_they_are_drained() {
    let world = sample::pinned_world();
    world.backup().await.outcome.unwrap();
    let calls = [
        "power.stop web",
        "power.stop api",
        "upload.complete .stillpoint/canary",
        "store.quieten queue",
        "store.watermark queue",
        "store.pin db",
        "power.pause queue",
        "store.pin queue",
        "power.start queue",
        "store.writes_since db",
        "quiet.end db",
        "power.start api",
        "power.start web",
        "pinned.drain db",
        "pinned.release db",
        "repository.create 2026-02-17_00-00-00/manifest",
    ];
    let made = world.calls();
    let mut rest = made.iter();
    for call in calls {
        assert!(rest.any(|made| made.starts_with(call)), "{call} in {made:#?}");
    }
    assert_eq!(subjects(&world, Method::PowerStart), ["queue", "api", "web"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_needs_it_keeps_the_clients_down_and_the_others_drain_meanwhile() {
    let world = sample::world();
    world.backup().await.outcome.unwrap();
    assert_eq!(subjects(&world, Method::PowerStart), ["api", "web"]);
    assert!(came_before(&world, "pinned.release queue", "power.start api"));
    assert!(came_before(&world, "pinned.drain db", "power.start api"));
}

#[tokio::test(start_paused = true)]
async fn on_hold_clients_start_when_the_last_byte_was_read() {
    let configured = sample::pinned_world();
    configured.add(Container::store("db", &[("orders", 5)]).labelled("stillpoint.mode", "hold"));
    configured.backup().await.outcome.unwrap();
    assert!(came_before(&configured, "pinned.release db", "power.start api"));
    assert!(came_before(&configured, "pinned.drain queue", "pinned.release db"));

    let asked = sample::pinned_world();
    let manifest = asked.backup_on_hold().await.outcome.unwrap().manifest;
    assert_eq!(manifest.mode, Mode::Hold);
    for store in STORES {
        assert!(came_before(
            &asked,
            &format!("pinned.release {store}"),
            "power.start api"
        ));
    }
    assert_eq!(
        subjects(&asked, Method::PowerStop),
        ["web", "api"],
        "no store is stopped either"
    );
}

#[tokio::test(start_paused = true)]
async fn what_clients_write_while_stores_are_drained_is_not_in_the_backup() {
    let world = sample::pinned_world();
    let seen = world.clone();
    world
        .faults
        .on(Method::PinnedDrain)
        .of("db")
        .meets(move || seen.change("db", "orders", 99));
    let manifest = world.backup().await.outcome.unwrap().manifest;
    let dump = world.repository.get(&format!("{}/db/data.dump", manifest.id)).unwrap();
    assert!(String::from_utf8_lossy(&dump).contains("orders 5\n"), "{dump:?}");
    assert_eq!(manifest.stores[0].inventory.0["orders"].count, 5);
}

#[tokio::test(start_paused = true)]
async fn clients_start_at_the_limit_of_the_standstill_and_the_backup_fails() {
    for (method, limit, mode) in [
        (Method::StorePin, 600, Mode::Pin),
        (Method::StoreWatermark, 600, Mode::Pin),
        (Method::PinnedDrain, 90, Mode::Hold),
    ] {
        let mut world = sample::pinned_world();
        world.standstill = StandstillRules {
            mode,
            max: (limit != 600).then(|| Duration::from_secs(limit)),
            ..StandstillRules::default()
        };
        let before = world.picture();
        world.faults.on(method).of("db").hangs();
        let told = world.backup().await;
        assert_eq!(told.exit(), Exit::RunFailed, "{}", told.words());
        let words = format!("the standstill has lasted {limit} s, its limit");
        assert!(told.words().contains(&words), "{}", told.words());
        assert_eq!(before.differences(&world.picture()), [""; 0]);
        let window = partial(&world).unwrap().standstill.unwrap();
        assert!(
            (limit..=limit + 5).contains(&window.down().as_secs()),
            "{:?}",
            window.down()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_manifest_says_how_long_clients_were_down_and_what_each_store_took() {
    let world = sample::pinned_world();
    world.add(Container::client("web").stops_in(Duration::from_secs(3)));
    let manifest = world.backup().await.outcome.unwrap().manifest;
    let window = manifest.standstill.unwrap();
    let (began, ended, back) = (window.began, window.ended, window.back.unwrap());
    assert!(window.stopping < began && began <= ended && ended < back);
    assert_eq!(window.down(), back.duration_since(window.stopping).unsigned_abs());
    for store in &manifest.stores {
        assert!(store.took.is_some_and(|took| took.drain > 0), "{store:?}");
    }
    let plan = world.operations().plan(None).await.unwrap();
    let db = plan
        .entries
        .iter()
        .find(|entry| entry.workload.id.as_str() == "db")
        .unwrap();
    let capture = db.capture.unwrap();
    assert_eq!(capture.expected, manifest.stores[0].took);
    assert!(capture.to_string().contains("last time"), "{capture}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_for_its_pin_is_brought_back_whatever_happens() {
    for (method, fails) in [
        (Method::StorePin, true),
        (Method::PowerStart, true),
        (Method::StorePin, false),
    ] {
        let world = sample::pinned_world();
        let before = world.picture();
        if fails {
            world.faults.on(method).of("queue").fails();
            assert_eq!(world.backup().await.exit(), Exit::RunFailed, "{method:?}");
        } else {
            world.faults.on(method).of("queue").kills();
            assert!(world.faults.live(world.backup()).await.is_none());
            assert_eq!(world.states()["queue"], State::Paused);
            world.faults.reset();
            world.recover().await.outcome.unwrap();
        }
        assert_eq!(before.differences(&world.picture()), [""; 0], "{method:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_dies_while_stores_are_drained_has_brought_its_clients_back() {
    let world = sample::pinned_world();
    world.faults.on(Method::ProcessFinish).of("db").kills();
    assert!(world.faults.live(world.backup()).await.is_none());
    assert!(!world.processes().is_empty());
    world.clock.sleep(Duration::from_mins(1)).await;
    world.exits("web", 0);
    let left = world.picture();
    world.faults.reset();
    world.recover().await.outcome.unwrap();
    assert_eq!(
        left.touched(&world.picture()),
        [""; 0],
        "its operator has stopped `web` since"
    );
    assert!(world.processes().is_empty(), "the dump is ended");
    assert_eq!(world.claim(PLATFORM), None);
}

#[tokio::test(start_paused = true)]
async fn a_workload_starts_when_what_it_depends_on_is_healthy() {
    let world = sample::world();
    world.add(Container::client("gateway").depends_on("api:service_healthy:true"));
    world.backup().await.outcome.unwrap();
    let (api, gateway) = (world.workload("api").unwrap(), world.workload("gateway").unwrap());
    let waited = gateway.started_at.unwrap().duration_since(api.started_at.unwrap());
    assert!(waited.as_millis() >= 300, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn the_manifest_is_the_last_object_and_says_what_there_is() -> anyhow::Result<()> {
    let world = sample::world();
    let manifest = world.backup().await.outcome?.manifest;
    let written = subjects(&world, Method::RepositoryCreate);
    assert_eq!(
        written.last().map(String::as_str),
        Some("2026-02-17_00-00-00/manifest.json")
    );
    assert!(came_before(
        &world,
        "upload.complete 2026-02-17_00-00-00/queue",
        "repository.create 2026-02-17_00-00-00/m"
    ));
    let names: Vec<String> = manifest
        .artifacts()
        .map(|(_, artifact)| artifact.name.to_string())
        .collect();
    assert_eq!(names, ["db/data.dump", "queue/data.dump"]);
    let listed = world.list().await?;
    assert_eq!(listed.backups.len(), 1);
    assert_eq!(listed.backups[0].manifest, manifest);
    assert!(world.verify(manifest.id).await?.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_story_is_told_in_order() {
    let world = sample::pinned_world();
    let told = world.backup().await;
    let steps = [
        Step::Preflight,
        Step::Claim,
        Step::Stop,
        Step::Pin,
        Step::Start,
        Step::Drain,
        Step::Seal,
        Step::Prune,
    ];
    assert_eq!(told.recorder.steps(), steps);
    let on_hold = sample::pinned_world().backup_on_hold().await.recorder.steps();
    assert_eq!(on_hold[4..6], [Step::Drain, Step::Start]);
    let kinds = told.recorder.kinds();
    let at = |is: fn(&EventKind) -> bool| kinds.iter().position(is);
    let down = at(|kind| matches!(kind, EventKind::ClientsGoDown { .. }));
    let back = at(|kind| matches!(kind, EventKind::ClientsAreBack { .. }));
    let sealed = at(|kind| matches!(kind, EventKind::Sealed { .. }));
    assert!(
        down < back && back < sealed && down.is_some(),
        "{down:?} {back:?} {sealed:?}"
    );
    assert_eq!(told.recorder.warnings(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_run_is_refused_before_anything_stops() {
    for state in [State::Exited, State::Paused] {
        let world = sample::world();
        world.add(Container::store("queue", &[("messages", 7)]).that_is(state));
        let told = world.backup().await;
        assert_eq!(told.exit(), Exit::Preflight);
        assert!(
            told.words().contains(&format!("store queue is {state}")),
            "{}",
            told.words()
        );
        assert!(
            !world
                .faults
                .calls()
                .iter()
                .any(|call| call.method.changes_the_platform())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_credential_stops_nothing_and_says_how_to_give_another() {
    let world = sample::world();
    world
        .faults
        .on(Method::StorePreflight)
        .of("db")
        .fails_with(Failure::Store(|| StoreError::Credential {
            store: stillpoint_core::names::StoreName::new("db"),
            user: "postgres".into(),
            cause: "password authentication failed".into(),
            remedy: "set DB_PASSWORD".into(),
        }));
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Preflight);
    let hint = "(set DB_PASSWORD; if it is not a store to back up, say so: \
                kind = \"none\" in [stores.<container>], or the label stillpoint.kind: none)";
    assert!(told.words().contains(hint), "{}", told.words());
    assert!(
        !world
            .faults
            .calls()
            .iter()
            .any(|call| call.method.changes_the_platform())
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_repository_stops_nothing() {
    let world = sample::world();
    world.repository.set_capacity(5 << 20);
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Preflight);
    assert!(
        told.words().contains("full") && told.words().contains("free space"),
        "{}",
        told.words()
    );
    assert!(
        !world
            .faults
            .calls()
            .iter()
            .any(|call| call.method.changes_the_platform())
    );
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_fills_up_while_stores_are_drained_fails_the_run() -> anyhow::Result<()> {
    let world = sample::world();
    let before = world.picture();
    world
        .faults
        .on(Method::UploadWrite)
        .of("2026-02-17_00-00-00/db/data.dump")
        .fails_with(Failure::Repository(RepositoryError::Full {
            key: "db/data.dump".into(),
            cause: "no space left".into(),
        }));
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::RunFailed);
    assert!(
        told.words().contains("store db") && told.words().contains("free space"),
        "{}",
        told.words()
    );
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    assert_eq!(failed(&world).await?.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_had_to_be_killed_does_not() {
    let world = sample::world();
    world.add(Container::client("web").stops_in(Duration::from_mins(5)));
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(
        told.recorder
            .count(|kind| matches!(kind, EventKind::Stopped { killed: true, .. })),
        1
    );
}

/// A backup on hold during whose drain something happens in the world.
async fn meanwhile(deed: impl Fn(&World) + Send + Sync + 'static) -> (World, String) {
    let world = sample::world();
    let (before, seen) = (world.picture(), world.clone());
    world
        .faults
        .on(Method::ProcessOutput)
        .of("db")
        .meets(move || deed(&seen));
    let told = world.backup_on_hold().await;
    assert_eq!(told.exit(), Exit::RunFailed, "{}", told.words());
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    assert_eq!(world.claim(PLATFORM), None);
    let words = told.words();
    assert!(words.contains("the point in time is void"), "{words}");
    (world, words)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_revived_voids_the_point_in_time() -> anyhow::Result<()> {
    let (world, words) = meanwhile(|world| world.revive("web")).await;
    assert!(words.contains("web ran during the standstill"), "{words}");
    assert_eq!(failed(&world).await?.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn also_one_that_has_ended_again() {
    let (_, words) = meanwhile(|world| {
        world.revive("web");
        world.exits("web", 0);
    })
    .await;
    assert!(words.contains("web ran during the standstill"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn also_one_that_was_recreated() {
    let world = sample::world();
    let seen = world.clone();
    world
        .faults
        .on(Method::ProcessOutput)
        .of("db")
        .meets(move || seen.recreate("web"));
    let told = world.backup().await;
    assert!(
        told.words().contains("web ran during the standstill"),
        "{}",
        told.words()
    );
    assert_eq!(told.degraded(), [""; 0]);
    assert_eq!(world.states().get("web-again"), Some(&State::Running));
}

#[tokio::test(start_paused = true)]
async fn also_one_that_was_exited_before() {
    let world = sample::world();
    let seen = world.clone();
    world
        .faults
        .on(Method::ProcessOutput)
        .of("db")
        .meets(move || seen.revive("worker"));
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::RunFailed);
    assert!(
        told.words()
            .contains("worker was started from outside during the standstill"),
        "{}",
        told.words()
    );
}

#[tokio::test(start_paused = true)]
async fn also_a_client_that_vanished_which_cannot_come_back() {
    let world = sample::world();
    let seen = world.clone();
    let removed = world.faults.on(Method::ProcessOutput).of("db");
    removed.meets(move || seen.remove("web"));
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::RecoveryIncomplete);
    assert!(
        told.words().contains("web vanished during the standstill"),
        "{}",
        told.words()
    );
    assert_eq!(told.degraded(), ["web"]);
}

#[tokio::test(start_paused = true)]
async fn also_a_container_that_is_new() {
    let (_, words) = meanwhile(|world| world.add(Container::client("newcomer"))).await;
    assert!(words.contains("newcomer appeared during the standstill"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn also_a_store_that_was_restarted_while_it_was_pinned() {
    for (store, words) in [
        ("db", "db was restarted, stopped or paused during the standstill"),
        (
            "queue",
            "queue was started or stopped by somebody while it was worked on",
        ),
    ] {
        let world = sample::pinned_world();
        let seen = world.clone();
        world
            .faults
            .on(Method::StoreWritesSince)
            .of("db")
            .meets(move || seen.revive(store));
        let told = world.backup().await;
        assert!(told.words().contains(words), "{}", told.words());
    }
}

#[tokio::test(start_paused = true)]
async fn also_a_client_that_came_back_while_others_still_stopped() {
    let world = sample::world();
    let seen = world.clone();
    world
        .faults
        .on(Method::CatalogInspect)
        .of("api")
        .meets(move || seen.revive("web"));
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::RunFailed);
    assert!(
        told.words().contains("web runs again after its stop"),
        "{}",
        told.words()
    );
    assert_eq!(subjects(&world, Method::StorePin), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_and_what_is_of_another_project_may_do_as_it_likes() {
    let world = sample::world();
    let seen = world.clone();
    world.faults.on(Method::ProcessOutput).of("db").meets(move || {
        seen.revive("seaweedfs-s3");
        seen.revive("other.blog");
        seen.add(Container::client("etcd-2"));
        seen.add(Container::client("made").that_is(State::Created));
    });
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_pinned_fails_the_run_and_frees_the_others() -> anyhow::Result<()> {
    let world = sample::world();
    let before = world.picture();
    world.faults.on(Method::StorePin).of("queue").fails();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::RunFailed);
    assert!(told.words().contains("store queue"), "{}", told.words());
    assert_eq!(subjects(&world, Method::PinnedRelease), ["db"]);
    assert_eq!(world.violations(), [""; 0]);
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    let left = partial(&world)?;
    assert!(left.failure.is_some_and(|cause| cause.contains("store queue")));
    assert!(
        !world
            .repository
            .keys()
            .iter()
            .any(|key| key.ends_with("/manifest.json"))
    );
    assert_eq!(failed(&world).await?.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_store_once_another_has_failed() {
    for (waits, fails) in [
        (Method::StoreReady, Method::StoreWatermark),
        (Method::StorePin, Method::StorePin),
    ] {
        let world = sample::world();
        world.faults.on(waits).of("db").hangs();
        world.faults.on(fails).of("queue").fails();
        let told = world.backup().await;
        assert!(told.words().contains("store queue"), "{}", told.words());
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_for_which_clients_wait_ends_the_others_when_it_fails_and_tells_its_own_cause() -> anyhow::Result<()> {
    let world = sample::world();
    world.faults.on(Method::PinnedDrain).of("db").hangs();
    world.faults.on(Method::ProcessFinish).of("queue").fails();
    let told = world.backup_on_hold().await;
    assert_eq!(told.exit(), Exit::RunFailed);
    assert!(told.words().contains("store queue"), "{}", told.words());
    let released = subjects(&world, Method::PinnedRelease);
    assert_eq!(
        released.into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from(STORES.map(Into::into))
    );
    assert_eq!(
        subjects(&world, Method::ProcessKill),
        ["queue"],
        "whether it has ended is not known"
    );
    assert_eq!(partial(&world)?.stores.len(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_drained_before_another_failed_is_described() -> anyhow::Result<()> {
    let world = sample::world();
    world.faults.on(Method::ProcessFinish).of("db").fails();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::RunFailed);
    let names: Vec<String> = partial(&world)?
        .stores
        .iter()
        .map(|store| store.name.to_string())
        .collect();
    assert_eq!(names, ["queue"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dump_that_is_cut_short_is_no_artifact() {
    let world = sample::world();
    world.faults.on(Method::ProcessOutput).of("db").fails();
    let told = world.backup_on_hold().await;
    assert_eq!(told.exit(), Exit::RunFailed);
    assert_eq!(subjects(&world, Method::ProcessKill), ["db", "queue"]);
    assert_eq!(subjects(&world, Method::UploadAbort).len(), 2);
    assert!(!world.repository.keys().iter().any(|key| key.ends_with("data.dump")));
}

#[tokio::test(start_paused = true)]
async fn a_pinned_store_is_drained_to_its_end_although_another_failed() -> anyhow::Result<()> {
    let world = sample::pinned_world();
    world.faults.on(Method::ProcessOutput).of("db").fails();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::RunFailed);
    assert!(told.words().contains("store db"), "{}", told.words());
    assert_eq!(subjects(&world, Method::ProcessKill), ["db"]);
    let left = partial(&world)?.stores;
    assert_eq!(
        left.iter().map(|store| store.name.as_str()).collect::<Vec<_>>(),
        ["queue"]
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn interrupted_while_stores_are_drained_everything_is_undone() -> anyhow::Result<()> {
    let world = sample::world();
    let (before, interrupt) = (world.picture(), world.interrupt());
    world
        .faults
        .on(Method::ProcessOutput)
        .of("db")
        .meets(move || interrupt.cancel());
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Interrupted);
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    assert_eq!(world.claim(PLATFORM), None);
    assert_eq!(failed(&world).await?.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn interrupted_and_not_all_back_is_not_undone() {
    let world = sample::world();
    let interrupt = world.interrupt();
    world
        .faults
        .on(Method::ProcessOutput)
        .of("db")
        .meets(move || interrupt.cancel());
    world.faults.on(Method::PowerStart).of("web").always().fails();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::RecoveryIncomplete);
    assert_eq!(told.degraded(), ["web"]);
}

#[tokio::test(start_paused = true)]
async fn interrupted_before_the_stop_nothing_was_touched() {
    let world = sample::world();
    let (before, interrupt) = (world.picture(), world.interrupt());
    world
        .faults
        .on(Method::StorePreflight)
        .of("queue")
        .meets(move || interrupt.cancel());
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Interrupted);
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    assert_eq!(subjects(&world, Method::PowerClaim), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_start_is_named_and_the_backup_is_good() -> anyhow::Result<()> {
    let world = sample::world();
    world.faults.on(Method::PowerStart).of("api").always().fails();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Degraded);
    assert_eq!(told.degraded(), ["api"]);
    assert_eq!(
        world.states().get("web"),
        Some(&State::Running),
        "one never keeps another down"
    );
    assert_eq!(world.list().await?.backups.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_become_healthy_again_is_named() {
    let world = sample::world();
    world.faults.on(Method::ProcessOutput).of("db").meets({
        let world = world.clone();
        move || world.never_healthy_again("api")
    });
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Degraded);
    assert_eq!(told.degraded(), ["api"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ends_right_after_its_start_is_started_again() {
    let world = sample::world();
    let seen = world.clone();
    world
        .faults
        .on(Method::RepositoryCreate)
        .nth(2)
        .meets(move || seen.exits("web", 3));
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(world.states().get("web"), Some(&State::Running));
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_again_and_again_is_named_with_its_exit_code() {
    let world = sample::world();
    let seen = world.clone();
    world
        .faults
        .on(Method::CatalogInspect)
        .of("web")
        .always()
        .meets(move || seen.exits("web", 3));
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Degraded);
    let causes: Vec<String> = told.outcome.unwrap().degraded.iter().map(ToString::to_string).collect();
    assert_eq!(causes, ["web: is exited (exit code 3), was running"]);
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_another_process_holds_is_left_alone() {
    let world = sample::world();
    let _other = world.locked_by_another(PLATFORM);
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Held);
    assert!(
        !world
            .faults
            .calls()
            .iter()
            .any(|call| call.method.changes_the_platform())
    );
}

/// Docker does not notice a death as long as somebody has not read what an exec of the dead container wrote.
#[tokio::test(start_paused = true)]
async fn a_store_that_the_engine_calls_running_after_its_death_is_started_again() {
    let world = sample::world();
    let seen = world.clone();
    let seconds = Duration::from_secs;
    world
        .faults
        .on(Method::PowerStart)
        .of("web")
        .meets(move || seen.exits_unseen("db", 137, seconds(5)));
    world.faults.on(Method::ProcessFinish).of("db").fails();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::RunFailed, "{}", told.words());
    world.clock.sleep(seconds(10)).await;
    assert_eq!(world.states()["db"], State::Running);
}

#[tokio::test(start_paused = true)]
async fn held_is_told_also_if_it_is_unknown_by_whom() {
    let world = sample::world();
    let _other = world.locked_by_another(PLATFORM);
    world.faults.on(Method::PowerClaimed).fails();
    assert_eq!(world.backup().await.exit(), Exit::Held);
}

/// Somebody's directories, named after the first seconds of the day.
fn take_seconds(world: &World, seconds: u32) {
    for second in 0..seconds {
        let run = format!("2026-02-17_00-00-{second:02}/run.json");
        world.repository.put(&run, "{}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_begins_in_the_second_of_another_begins_in_the_next() -> anyhow::Result<()> {
    let world = sample::world();
    let first = world.backup().await.outcome?.manifest;
    let second = BackupId::at(world.clock.now());
    take_seconds(&world, 8);
    let manifest = world.backup().await.outcome?.manifest;
    assert_eq!(manifest.id.to_string(), "2026-02-17_00-00-08", "after {second}");
    assert_eq!(BackupId::at(manifest.began), manifest.id);
    assert_eq!(world.list().await?.backups.len(), 2, "also {}", first.id);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn where_every_second_is_taken_nothing_mixes() {
    let world = sample::world();
    take_seconds(&world, 40);
    let before = world.picture();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Preflight, "{}", told.words());
    assert!(told.words().contains("clock was set back"), "{}", told.words());
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    assert_eq!(world.claim(PLATFORM), None);
}

#[tokio::test(start_paused = true)]
async fn every_backup_is_listed_in_order_and_torsos_apart() -> anyhow::Result<()> {
    let world = sample::world();
    let first = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    world.faults.on(Method::StorePin).of("db").fails();
    assert_eq!(world.backup().await.exit(), Exit::RunFailed);
    world.wait_a_minute().await;
    let third = world.backup().await.outcome?.manifest.id;
    world.repository.put("2020-01-01_00-00-00/manifest.json", "{ broken");
    world.repository.put("lost+found/x", "");
    let listed = world.list().await?;
    assert_eq!(
        listed.backups.iter().map(|backup| backup.id).collect::<Vec<_>>(),
        [first, third]
    );
    assert_eq!((listed.partial.len(), listed.unreadable.len()), (1, 1));
    let all = world.site().backups.list().await?;
    assert!(matches!(all[0].content, Content::Unreadable(_)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn verification_finds_what_changed_and_names_all_of_it() -> anyhow::Result<()> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.repository.lose(&format!("{id}/db/data.dump"));
    world.repository.put(&format!("{id}/queue/data.dump"), "messages 8\n");
    let damage = world.verify(id).await?;
    let words = damage.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    assert!(
        words.contains("db/data.dump: missing") && words.contains("queue/data.dump: its SHA-256"),
        "{words}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_into_which_somebody_wrote_voids_the_point_in_time_and_is_named() -> anyhow::Result<()> {
    // The fake queue needs the standstill until it is drained.
    for method in [Method::StorePin, Method::PinnedDrain, Method::StoreWritesSince] {
        let world = sample::world();
        let seen = world.clone();
        world
            .faults
            .on(method)
            .of("queue")
            .meets(move || seen.change("queue", "messages", 8));
        let told = world.backup().await;
        assert_eq!(told.exit(), Exit::RunFailed, "{}", told.words());
        let words = "store queue was written to during the standstill: messages: 7, then 8; connected: somebody";
        assert!(told.words().contains(words), "{}", told.words());
        assert_eq!(failed(&world).await?.len(), 1);
        let failure = partial(&world)?.failure.unwrap_or_default();
        assert!(failure.contains("store queue"), "{failure}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_store_is_marked_before_the_first_is_pinned_and_again_after_the_last() -> anyhow::Result<()> {
    let world = sample::world();
    let manifest = world.backup().await.outcome?.manifest;
    assert!(came_before(&world, "store.watermark queue", "store.pin db"));
    assert!(came_before(&world, "store.pin queue", "store.writes_since db"));
    assert!(came_before(&world, "store.writes_since queue", "pinned.drain queue"));
    let asked = subjects(&world, Method::StoreWritesSince);
    assert_eq!(
        asked.iter().filter(|store| *store == "queue").count(),
        2,
        "again after its last byte"
    );
    assert_eq!(asked.iter().filter(|store| *store == "db").count(), 1);
    for store in &manifest.stores {
        let marks = store.watermarks.clone().unwrap_or_default();
        assert_eq!(marks.before, marks.after);
        assert!(!marks.before.0.is_empty(), "{}", store.name);
    }
    Ok(())
}
