//! What ran before a run and was not brought back is told until it runs again or is forgotten.

use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::names::Project;
use stillpoint_core::operations::Operations;
use stillpoint_core::workload::State;
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::sample::{self, PLATFORM};
use stillpoint_testkit::{Method, World};

/// What makes `web` again.
const UP: &str =
    "`docker compose --project-directory /srv/acme --project-name acme -f /srv/acme/compose.yaml up -d web`";

fn web() -> Container {
    Container::client("web")
        .labelled("com.docker.compose.project.working_dir", "/srv/acme")
        .labelled("com.docker.compose.project.config_files", "/srv/acme/compose.yaml")
}

fn world() -> World {
    let world = sample::world();
    world.add(web());
    world
}

/// A world whose backup has lost `web`: somebody removed it while it was stopped.
async fn lost_in_the_standstill() -> anyhow::Result<World> {
    let world = world();
    let seen = world.clone();
    // Before its own turn, and after it was seen that nothing has run.
    let start = world.faults.on(Method::PowerStart).of("api");
    start.meets(move || seen.remove("web"));
    let told = world.backup().await;
    anyhow::ensure!(told.exit() == Exit::Degraded, "{:?} {}", told.exit(), told.words());
    anyhow::ensure!(told.outcome?.degraded[0].to_string().contains(UP));
    world.faults.reset();
    world.wait_a_minute().await;
    Ok(world)
}

/// A world whose backup could not start `web`.
async fn not_started() -> anyhow::Result<World> {
    let world = world();
    world.faults.on(Method::PowerStart).of("web").always().fails();
    let told = world.backup().await;
    anyhow::ensure!(told.exit() == Exit::Degraded, "{:?} {}", told.exit(), told.words());
    world.faults.reset();
    world.wait_a_minute().await;
    Ok(world)
}

/// A world whose restore failed while it loaded.
async fn stopped_on_purpose() -> anyhow::Result<World> {
    let world = world();
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    world.faults.on(Method::StoreRestore).of("db").fails();
    anyhow::ensure!(world.restore(id).await.exit() == Exit::StoppedOnPurpose);
    world.faults.reset();
    world.wait_a_minute().await;
    Ok(world)
}

/// Every verb tells that `web` is missing, and how it comes back.
async fn is_told(world: &World, words: &str) -> anyhow::Result<()> {
    for _ in 0..2 {
        let told = world.backup().await;
        assert_eq!(told.exit(), Exit::Degraded, "{}", told.words());
        assert_eq!(told.degraded(), ["web"]);
        let degraded = told.outcome?.degraded[0].to_string();
        assert!(degraded.contains(words), "{degraded}");
        world.wait_a_minute().await;
    }
    let told = world.recover().await;
    assert_eq!(told.exit(), Exit::RecoveryIncomplete, "{}", told.words());
    assert!(told.words().contains(words), "{}", told.words());
    assert!(told.words().contains("containers start --forget"), "{}", told.words());
    // The claim does not wait for it.
    assert_eq!(world.claim(PLATFORM), None);
    Ok(())
}

async fn nothing_is_told(world: &World) -> anyhow::Result<()> {
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{:?} {}", told.degraded(), told.words());
    assert_eq!(world.journal.all_missing(), []);
    assert_eq!(world.recover().await.exit(), Exit::Ok);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_removed_in_the_standstill_is_told_until_it_runs_again() -> anyhow::Result<()> {
    let world = lost_in_the_standstill().await?;
    is_told(&world, UP).await?;
    let told = world.start_containers().await;
    assert_eq!(told.exit(), Exit::RecoveryIncomplete);
    assert!(told.words().contains(UP), "{}", told.words());
    let plan = world.operations().plan(None).await?;
    assert!(plan.warnings().any(|warning| warning.contains(UP)));
    world.add(web());
    nothing_is_told(&world).await
}

#[tokio::test(start_paused = true)]
async fn what_was_made_again_and_does_not_run_is_still_missing_and_is_started() -> anyhow::Result<()> {
    let world = lost_in_the_standstill().await?;
    world.add(web().that_is(State::Created));
    is_told(&world, "web: is created since run").await?;
    assert_eq!(world.start_containers().await.exit(), Exit::Ok);
    assert_eq!(world.states()["web"], State::Running);
    nothing_is_told(&world).await
}

#[tokio::test(start_paused = true)]
async fn what_did_not_start_is_not_taken_for_stopped_by_its_operator() -> anyhow::Result<()> {
    let world = not_started().await?;
    is_told(&world, "`stillpoint containers start` starts it").await?;
    let plan = world.operations().plan(None).await?;
    let entry = plan.entries.iter().find(|entry| entry.workload.id.as_str() == "web");
    assert!(
        entry.is_some_and(|entry| entry.reason.contains("did not bring it back")),
        "{entry:?}"
    );
    assert_eq!(
        world.states()["web"],
        State::Exited,
        "nobody but the operator starts it"
    );
    assert_eq!(world.start_containers().await.exit(), Exit::Ok);
    assert_eq!(world.states()["web"], State::Running);
    nothing_is_told(&world).await
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_started_since_is_told_no_more() -> anyhow::Result<()> {
    let world = not_started().await?;
    world.revive("web");
    world.exits("web", 0);
    nothing_is_told(&world).await?;
    assert_eq!(world.states()["web"], State::Exited);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_told_no_more() -> anyhow::Result<()> {
    for world in [lost_in_the_standstill().await?, not_started().await?] {
        assert_eq!(world.forget_missing().await.exit(), Exit::Ok);
        nothing_is_told(&world).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_run_had_stopped_and_was_removed_is_told_also_without_its_claim() -> anyhow::Result<()> {
    for with_the_claim in [true, false] {
        let world = world();
        world.faults.on(Method::StorePin).of("db").kills();
        assert!(world.faults.live(world.backup()).await.is_none(), "it lives");
        world.faults.reset();
        world.remove("web");
        if with_the_claim {
            world.drop_claim(&Project::new(PLATFORM));
        }
        world.wait_a_minute().await;
        let told = world.recover().await;
        assert_eq!(told.exit(), Exit::RecoveryIncomplete, "{}", told.words());
        assert!(told.words().contains(UP), "{}", told.words());
        assert_eq!(world.states()["api"], State::Running, "the others run");
        assert_eq!(world.journal.open(), [], "nothing waits for it");
        is_told(&world, UP).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_removed_after_a_restore_had_failed_is_told() -> anyhow::Result<()> {
    let world = stopped_on_purpose().await?;
    world.remove("web");
    let told = world.resume().await;
    assert_eq!(told.exit(), Exit::Degraded, "{}", told.words());
    assert_eq!(told.degraded(), ["web"]);
    world.wait_a_minute().await;
    is_told(&world, UP).await?;

    let world = stopped_on_purpose().await?;
    world.remove("web");
    let told = world.start_containers().await;
    assert_eq!(told.exit(), Exit::RecoveryIncomplete, "{}", told.words());
    assert!(told.words().contains(UP), "{}", told.words());
    world.wait_a_minute().await;
    is_told(&world, UP).await
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_is_no_recovered_platform_as_long_as_something_is_missing() -> anyhow::Result<()> {
    let world = lost_in_the_standstill().await?;
    world.faults.on(Method::PinnedDrain).of("db").fails();
    let told = world.backup().await;
    assert!(matches!(told.outcome, Err(Error::Run { .. })), "{}", told.words());
    assert_eq!(told.exit(), Exit::RecoveryIncomplete, "{}", told.words());
    assert!(told.words().contains(UP), "{}", told.words());
    Ok(())
}

/// Or it would be known to nobody: the claim goes, and the journal is what is left.
#[tokio::test(start_paused = true)]
async fn a_claim_stays_until_what_is_missing_is_noted() -> anyhow::Result<()> {
    let world = world();
    world.faults.on(Method::StorePin).of("db").kills();
    assert!(world.faults.live(world.backup()).await.is_none(), "it lives");
    world.faults.reset();
    world.remove("web");
    world.faults.on(Method::JournalNoteMissing).fails();
    assert!(matches!(world.recover().await.outcome, Err(Error::Journal(_))));
    assert!(world.claim(PLATFORM).is_some());
    assert_eq!(world.states()["api"], State::Running, "the others run");
    let told = world.recover().await;
    assert_eq!(told.exit(), Exit::RecoveryIncomplete, "{}", told.words());
    assert_eq!(world.claim(PLATFORM), None);
    Ok(())
}
