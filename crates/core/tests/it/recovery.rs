//! What the next run makes of what an earlier one has left, one behaviour a test.

use std::time::Duration;

use jiff::Timestamp;
use stillpoint_core::engine::backup::Sealed;
use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::logins::Passwords;
use stillpoint_core::names::{BackupId, Project, RunId};
use stillpoint_core::ports::Clock;
use stillpoint_core::ports::power::{Intent, Job};
use stillpoint_core::selection::Selection;
use stillpoint_core::workload::State;
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::sample::{self, MANAGED, PLATFORM, RESTORED};
use stillpoint_testkit::stage::Told;
use stillpoint_testkit::{Method, World};

/// A world whose backup died while its stores were drained.
async fn died_while_draining() -> anyhow::Result<World> {
    let world = sample::world();
    world.faults.on(Method::ProcessOutput).of("queue").kills();
    anyhow::ensure!(world.faults.live(world.backup()).await.is_none(), "it lives");
    world.faults.reset();
    world.wait_a_minute().await;
    Ok(world)
}

/// A world whose restore failed while it loaded: stopped on purpose.
async fn stopped_on_purpose() -> anyhow::Result<(World, BackupId)> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.change("db", "orders", 99);
    world.wait_a_minute().await;
    world.faults.on(Method::StoreRestore).of("queue").fails();
    let exit = world.restore(id).await.exit();
    anyhow::ensure!(exit == Exit::StoppedOnPurpose, "{exit:?}");
    world.faults.reset();
    world.wait_a_minute().await;
    Ok((world, id))
}

fn touches_power(world: &World) -> bool {
    world
        .faults
        .calls()
        .iter()
        .any(|call| call.method.changes_the_platform())
}

#[tokio::test(start_paused = true)]
async fn a_dead_backup_is_healed_before_the_next() -> anyhow::Result<()> {
    let before = sample::world().picture();
    let world = died_while_draining().await?;
    assert_eq!(
        before.differences(&world.picture()),
        ["api", "web"],
        "it died with the clients down"
    );
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert!(told.recorder.warnings()[0].contains("died and left the platform down"));
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    let calls = world.calls();
    let place = |call: &str| calls.iter().position(|made| made == call);
    assert!(place("power.start api") < place("power.release acme"));
    assert!(place("power.release acme") < place("power.claim acme"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dead_backup_is_healed_also_by_a_start_alone() -> anyhow::Result<()> {
    let before = sample::world().picture();
    let world = died_while_draining().await?;
    let told = world.start_containers().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    assert_eq!(world.claim(PLATFORM), None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn with_nothing_left_there_is_nothing_to_start() {
    let world = sample::world();
    assert_eq!(world.start_containers().await.exit(), Exit::Ok);
    assert!(!touches_power(&world));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_started_and_stopped_since_is_left_and_told() -> anyhow::Result<()> {
    let world = died_while_draining().await?;
    world.revive("web");
    world.exits("web", 0);
    let told = world.start_containers().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(world.states().get("web"), Some(&State::Exited));
    assert!(
        told.recorder
            .warnings()
            .iter()
            .any(|told| told.contains("web was running")),
        "{:?}",
        told.recorder.warnings()
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_frozen_is_not_thawed_on_the_way() -> anyhow::Result<()> {
    let world = died_while_draining().await?;
    world.start_containers().await.outcome?;
    assert_eq!(world.states().get("cron"), Some(&State::Paused));
    assert!(!world.calls().contains(&"power.start cron".to_owned()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_recreated_since_is_found_by_its_address() -> anyhow::Result<()> {
    let world = died_while_draining().await?;
    world.recreate("web");
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(world.claim(PLATFORM), None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_removed_since_is_told_and_does_not_block_for_ever() -> anyhow::Result<()> {
    let world = died_while_draining().await?;
    world.remove("web");
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Degraded, "{}", told.words());
    assert_eq!(told.degraded(), ["web"]);
    assert_eq!(world.claim(PLATFORM), None);
    assert!(
        told.recorder
            .warnings()
            .iter()
            .any(|told| told.contains("web: was removed since"))
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_claim_is_kept_while_something_does_not_come_back() -> anyhow::Result<()> {
    let world = died_while_draining().await?;
    world.faults.on(Method::PowerStart).of("api").always().fails();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::RecoveryIncomplete);
    assert_eq!(told.degraded(), ["api"]);
    assert!(told.words().contains("containers start"), "{}", told.words());
    assert!(world.claim(PLATFORM).is_some());
    assert_eq!(
        world.states().get("web"),
        Some(&State::Running),
        "one never keeps another down"
    );
    world.faults.reset();
    world.wait_a_minute().await;
    assert_eq!(world.backup().await.exit(), Exit::Ok);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_the_dead_run_had_started_itself_is_started_again_after_a_reboot() -> anyhow::Result<()> {
    let world = died_while_draining().await?;
    world.reboot();
    assert_eq!(world.states().get("queue"), Some(&State::Exited), "its policy is `no`");
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(world.states().get("queue"), Some(&State::Running));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_claim_from_another_host_is_respected() {
    let world = sample::world();
    let intent = Intent {
        platform: Project::new(PLATFORM),
        run: RunId::new("elsewhere-1"),
        job: Job::BackupJob,
        backup: BackupId::at(Timestamp::UNIX_EPOCH),
        host: "elsewhere".into(),
        process: 7,
        since: Timestamp::UNIX_EPOCH,
        workloads: Vec::new(),
        no_way_back: false,
        passwords: Passwords::default(),
        selection: Selection::default(),
        guest_of: None,
    };
    world.take_claim(&intent);
    let before = world.picture();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Held);
    assert!(
        told.words().contains("by run elsewhere-1 (process 7 on elsewhere)"),
        "{}",
        told.words()
    );
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    assert_eq!(world.claim(PLATFORM), Some(intent));
    assert!(!touches_power(&world));
}

#[tokio::test(start_paused = true)]
async fn another_one_s_claim_made_at_the_same_moment_wins() {
    let world = sample::world();
    let before = world.picture();
    let seen = world.clone();
    world.faults.on(Method::PowerClaim).meets(move || {
        let other = Intent {
            platform: Project::new(PLATFORM),
            run: RunId::new("faster-1"),
            job: Job::BackupJob,
            backup: BackupId::at(Timestamp::UNIX_EPOCH),
            host: "elsewhere".into(),
            process: 7,
            since: Timestamp::UNIX_EPOCH,
            workloads: Vec::new(),
            no_way_back: false,
            passwords: Passwords::default(),
            selection: Selection::default(),
            guest_of: None,
        };
        seen.take_claim(&other);
    });
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Held);
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    assert_eq!(
        world.claim(PLATFORM).map(|claim| claim.run),
        Some(RunId::new("faster-1"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_restore_blocks_a_backup() -> anyhow::Result<()> {
    let (world, _) = stopped_on_purpose().await?;
    let before = world.picture();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::StoppedOnPurpose);
    assert!(matches!(told.outcome, Err(Error::RestoreUnfinished(_))));
    assert!(told.words().contains("stillpoint restore resume"), "{}", told.words());
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    assert!(world.claim(PLATFORM).is_some());
    assert!(!touches_power(&world));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_next_restore_takes_over_and_starts_what_the_first_had_recorded() -> anyhow::Result<()> {
    let before = sample::world().picture();
    let (world, id) = stopped_on_purpose().await?;
    assert_eq!(before.differences(&world.picture()), RESTORED);
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    let now: Vec<_> = world.data().into_values().map(|data| data.rows).collect();
    let backed_up: Vec<_> = sample::world().data().into_values().map(|data| data.rows).collect();
    assert_eq!(now, backed_up);
    assert_eq!(world.claim(PLATFORM), None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_takeover_that_is_refused_leaves_everything_stopped_and_claimed() -> anyhow::Result<()> {
    let (world, id) = stopped_on_purpose().await?;
    world.repository.lose(&format!("{id}/db/data.dump"));
    let before = world.picture();
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::RestoreRefused);
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    assert!(world.claim(PLATFORM).is_some());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_takeover_that_cannot_stop_leaves_everything_stopped_and_claimed() -> anyhow::Result<()> {
    let (world, id) = stopped_on_purpose().await?;
    let before = world.picture();
    world.faults.on(Method::CatalogInspect).of("web").fails();
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::StoppedOnPurpose, "{}", told.words());
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    assert!(world.claim(PLATFORM).is_some());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_platform_can_be_started_as_it_is_with_its_databases() -> anyhow::Result<()> {
    let before = sample::world().picture();
    let (world, _) = stopped_on_purpose().await?;
    let told = world.start_containers().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    assert!(
        MANAGED
            .iter()
            .all(|service| world.states().get(*service) == Some(&State::Running))
    );
    assert_eq!(world.claim(PLATFORM), None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_adds_while_it_is_stopped_is_stopped_for_the_takeover() -> anyhow::Result<()> {
    let (world, id) = stopped_on_purpose().await?;
    world.add(Container::client("helper"));
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert!(world.calls().contains(&"power.stop helper".to_owned()));
    assert_eq!(world.states().get("helper"), Some(&State::Running));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_only_its_restart_policy_has_started_since_is_brought_back() {
    for by_policy in [true, false] {
        let world = sample::world();
        let seen = world.clone();
        // After the plan, before the stop.
        world.faults.on(Method::PowerClaim).meets(move || {
            if by_policy {
                seen.revive_by_policy("api");
            } else {
                seen.revive("api");
            }
        });
        world.faults.on(Method::StorePin).of("db").kills();
        assert!(world.faults.live(world.backup()).await.is_none());
        assert_eq!(world.states()["api"], State::Exited);
        world.faults.reset();
        world.recover().await.outcome.unwrap();
        let expected = if by_policy { State::Running } else { State::Exited };
        assert_eq!(world.states()["api"], expected, "revived by its policy: {by_policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_run_left_is_not_looked_for_in_another_platforms_repository() {
    let world = sample::world();
    world.faults.on(Method::ProcessFinish).of("db").kills();
    assert!(world.faults.live(world.backup()).await.is_none());
    world.faults.reset();
    world
        .repository
        .put(".stillpoint/instance.json", r#"{"format":1,"platform":"other"}"#);
    let told = world.recover().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert!(
        world
            .faults
            .calls()
            .iter()
            .all(|call| call.method != Method::RepositorySweep)
    );
    let warned = told.recorder.warnings().join("\n");
    assert!(warned.contains("is the repository of platform other"), "{warned}");
}

#[tokio::test(start_paused = true)]
async fn the_way_to_make_a_removed_container_again_is_told() {
    let world = sample::world();
    world.add(
        Container::client("web")
            .labelled("com.docker.compose.project.working_dir", "/srv/acme")
            .labelled("com.docker.compose.project.config_files", "/srv/acme/compose.yaml"),
    );
    world.faults.on(Method::StorePin).of("db").kills();
    assert!(world.faults.live(world.backup()).await.is_none());
    world.faults.reset();
    world.remove("web");
    let warned = world.recover().await.recorder.warnings().join("\n");
    let command =
        "docker compose --project-directory /srv/acme --project-name acme -f /srv/acme/compose.yaml up -d web";
    assert!(warned.contains(command), "{warned}");
}

#[tokio::test(start_paused = true)]
async fn runs_that_begin_in_one_moment_have_ids_of_their_own() {
    let world = sample::world();
    let first_event = |told: &Told<Sealed>| {
        let event = &told.recorder.events()[0];
        (event.run.clone(), event.at)
    };
    let beside = sample::world().branched_from(&world);
    let (one, other) = tokio::join!(world.backup(), beside.backup());
    let ((one, at), (other, at_too)) = (first_event(&one), first_event(&other));
    assert_eq!(at, at_too);
    assert_ne!(one, other);
}

/// The last resort: what ran is started though nobody could say any more what the platform is.
#[tokio::test(start_paused = true)]
async fn what_a_run_left_is_brought_back_where_no_store_is_recognised_any_more() -> anyhow::Result<()> {
    for (by_journal, named) in [(false, false), (false, true), (true, false), (true, true)] {
        for verb in ["start", "recover"] {
            let world = died_while_draining().await?;
            world.faults.on(Method::KindStore).always().fails();
            world.remove("db");
            world.remove("queue");
            if by_journal {
                world.drop_claim(&Project::new(PLATFORM));
            }
            let platform = named.then_some(PLATFORM);
            let told = match verb {
                "start" => world.start_containers_of(platform).await,
                _ => world.recover_of(platform).await,
            };
            let case = format!("{verb}, by the journal: {by_journal}, named: {named}: {}", told.words());
            let states = world.states();
            assert_eq!(states.get("web"), Some(&State::Running), "{case}");
            assert_eq!(states.get("api"), Some(&State::Running), "{case}");
            assert_eq!(world.claim(PLATFORM), None, "{case}");
            assert_eq!(world.journal.open(), [], "{case}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_platform_of_a_wrong_name_is_told_and_of_two_one_must_be_named() -> anyhow::Result<()> {
    let world = died_while_draining().await?;
    let told = world.start_containers_of(Some("acne")).await;
    assert_eq!(told.exit(), Exit::NotFound);
    assert!(told.words().contains("no platform `acne` found"), "{}", told.words());
    let mut other = world.claim(PLATFORM).unwrap();
    other.platform = Project::new("other");
    other.run = RunId::new("other-1");
    other.workloads = Vec::new();
    world.take_claim(&other);
    let told = world.start_containers().await;
    assert_eq!(told.exit(), Exit::NotFound);
    assert!(told.words().contains("acme, other"), "{}", told.words());
    assert_eq!(world.recover().await.exit(), Exit::Ok, "both are looked after");
    assert_eq!((world.claim(PLATFORM), world.claim("other")), (None, None));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_watchdog_of_a_dead_run_is_waited_for() -> anyhow::Result<()> {
    for verb in ["start", "recover"] {
        let before = sample::world().picture();
        let world = died_while_draining().await?;
        let lock = world.locked_by_another(PLATFORM);
        let watchdog = async {
            world.clock.sleep(Duration::from_mins(5)).await;
            drop(lock);
        };
        let run = async {
            match verb {
                "start" => world.start_containers().await,
                _ => world.recover().await,
            }
        };
        let (told, ()) = tokio::join!(run, watchdog);
        assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
        let warned = told.recorder.warnings().join("\n");
        assert_eq!(warned.matches("its watchdog is at work").count(), 1, "{warned}");
        assert_eq!(before.differences(&world.picture()), [""; 0]);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_watchdog_is_not_waited_for_for_ever_and_a_living_run_not_at_all() -> anyhow::Result<()> {
    for lives in [true, false] {
        let mut world = died_while_draining().await?;
        world.process = 43;
        if lives {
            world.locks.begin_process(42);
        }
        let _lock = world.locked_by_another(PLATFORM);
        let began = world.clock.now();
        assert_eq!(world.recover().await.exit(), Exit::Held);
        let waited = world.clock.now().duration_since(began).unsigned_abs();
        assert_eq!(waited < Duration::from_secs(1), lives, "{waited:?}");
        assert!(waited < Duration::from_hours(1), "{waited:?}");
    }
    Ok(())
}

/// Two state directories on one host: each has locks of its own.
#[tokio::test(start_paused = true)]
async fn a_run_whose_process_lives_is_never_taken_for_dead_whatever_its_lock_says() -> anyhow::Result<()> {
    let mut world = died_while_draining().await?;
    world.process = 43;
    world.locks.begin_process(42);
    let before = world.picture();
    for told in [
        world.recover().await,
        world.start_containers().await,
        Told {
            outcome: world.backup().await.outcome.map(drop),
            recorder: std::sync::Arc::default(),
        },
    ] {
        assert_eq!(told.exit(), Exit::Held, "{}", told.words());
        assert!(told.words().contains("process 42"), "{}", told.words());
    }
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    assert!(world.claim(PLATFORM).is_some());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_only_a_store_knows_of_a_dead_run_goes_too() -> anyhow::Result<()> {
    let world = died_while_draining().await?;
    let locks = || -> usize { world.data().values().map(|data| data.locks.len()).sum() };
    assert!(locks() > 0, "the dead run has locked nothing");
    assert_eq!(world.recover().await.exit(), Exit::Ok);
    assert_eq!(locks(), 0);
    Ok(())
}

/// Nothing that a dead run has left in a store ends while it is frozen.
#[tokio::test(start_paused = true)]
async fn a_store_that_died_frozen_is_thawed_before_leftovers_are_looked_for() -> anyhow::Result<()> {
    let world = sample::pinned_world();
    let before = world.picture();
    world.faults.on(Method::StorePin).of("queue").kills();
    anyhow::ensure!(world.faults.live(world.backup()).await.is_none(), "it lives");
    anyhow::ensure!(world.states().get("queue") == Some(&State::Paused), "it was not frozen");
    world.faults.reset();
    world.wait_a_minute().await;
    let told = world.recover().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    let warnings = told.recorder.warnings();
    assert!(
        !warnings.iter().any(|warning| warning.contains("left something")),
        "{warnings:?}"
    );
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    assert_eq!(world.journal.open(), []);
    Ok(())
}

/// It was loaded while it ran, and nobody has stopped it since; what was down was started anew.
#[tokio::test(start_paused = true)]
async fn a_store_that_ran_on_and_has_to_start_anew_is_told_when_the_platform_is_started() -> anyhow::Result<()> {
    for (dies, told_of) in [(true, 1), (false, 0)] {
        let world = sample::world();
        let id = world.backup().await.outcome?.manifest.id;
        world.wait_a_minute().await;
        let inventory = world.faults.on(Method::StoreInventory).of("queue");
        if dies {
            inventory.kills();
            anyhow::ensure!(world.faults.live(world.restore(id)).await.is_none(), "it lives");
        } else {
            inventory.fails();
            assert_eq!(world.restore(id).await.exit(), Exit::StoppedOnPurpose);
        }
        world.faults.reset();
        world.wait_a_minute().await;
        let told = world.start_containers().await;
        assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
        let warnings = told.recorder.warnings();
        let anew = |warning: &&String| warning.contains("db: until `docker restart acme-db-1` its jobs rest");
        assert_eq!(warnings.iter().filter(anew).count(), told_of, "{warnings:?}");
    }
    Ok(())
}
