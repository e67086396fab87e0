//! Platforms as they are out there: what is beside the stores, and what becomes of it.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::site::WhenBusy;
use stillpoint_core::events::EventKind;
use stillpoint_core::findings::{Finding, Severity};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::operations::Operations;
use stillpoint_core::ports::{Clock, Neighbour};
use stillpoint_core::selection::Selection;
use stillpoint_core::workload::State;
use stillpoint_testkit::fakes::{Container, Restart};
use stillpoint_testkit::{Method, World};

fn world() -> World {
    World::of([
        Container::store("db", &[("rows", 1)]),
        Container::client("web").with_volume("web-data", "/data"),
    ])
}

#[tokio::test(start_paused = true)]
async fn a_backup_says_what_it_does_not_hold_and_warns_of_what_is_new() -> anyhow::Result<()> {
    let world = world();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(
        told.recorder.warnings(),
        [""; 0],
        "a first backup has nothing to compare with"
    );
    let manifest = told.outcome?.manifest;
    let left_out = |service: &str| {
        let record = manifest
            .workloads
            .iter()
            .find(|record| record.address.service == service);
        record.and_then(|record| record.left_out.clone())
    };
    assert_eq!(left_out("db"), None);
    let of_web = left_out("web").unwrap_or_default();
    let told: Vec<(String, Option<u64>)> = of_web.iter().map(|one| (one.to_string(), one.bytes)).collect();
    assert_eq!(told, [("volume web-data at /data".to_owned(), Some(1 << 20))]);

    world.wait_a_minute().await;
    world.add(Container::client("api").with_folder("/srv/uploads", "/uploads"));
    let told = world.backup().await;
    assert_eq!(
        told.recorder.warnings(),
        ["new since the last backup and NOT in the backup: folder /srv/uploads at /uploads, of api"]
    );
    world.wait_a_minute().await;
    assert_eq!(world.backup().await.recorder.warnings(), [""; 0], "it is new once");

    let unnamed = |digit: &str| Container::client("cache").with_volume(&digit.repeat(64), "/data");
    world.add(unnamed("a"));
    world.wait_a_minute().await;
    assert_eq!(world.backup().await.recorder.warnings().len(), 1);
    world.add(unnamed("b"));
    world.wait_a_minute().await;
    let recreated = world.backup().await.recorder.warnings();
    assert_eq!(
        recreated, [""; 0],
        "a volume without a name has another one after each recreation"
    );
    Ok(())
}

/// A container that belongs to no platform, and runs since the world began.
fn outsider(name: &str, network_of: Option<&str>) -> Neighbour {
    Neighbour {
        id: WorkloadId::new(name),
        container: name.to_owned(),
        image: format!("{name}:1"),
        project: None,
        network_of: network_of.map(ToOwned::to_owned),
        started_at: Some(Timestamp::constant(1_771_200_000, 0)),
        networks: vec!["backend".to_owned()],
        addresses: vec![IpAddr::from([172, 18, 0, 9])],
        gateways: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_gone_is_found_before_anything_stops() -> anyhow::Result<()> {
    let world = world();
    world.add(Container::client("api").with_folder("/srv/uploads", "/uploads"));
    let backup = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    world.remove_from_host("/srv/uploads");
    let before = world.picture();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Preflight, "{}", told.words());
    assert!(
        told.words()
            .contains("api uses /srv/uploads of the host, which is gone"),
        "{}",
        told.words()
    );
    let told = world.restore(backup).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    let told = world.rehearse(backup, Selection::default()).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn everything_that_refuses_a_backup_is_told_at_once_and_in_the_same_words_everywhere() -> anyhow::Result<()> {
    let world = World::of([
        Container::store("db", &[("rows of db", 1)]),
        Container::store("cache", &[("rows of cache", 1)]),
        Container::store("queue", &[("rows of queue", 1)]).that_is(State::Exited),
        Container::client("api")
            .with_folder("/srv/uploads", "/uploads")
            .with_volume("api-data", "/data"),
        Container::client("orders").runs(&["mysqld"]),
    ]);
    world.remove_from_host("/srv/uploads");
    world.faults.on(Method::StorePreflight).of("db").always().fails();
    let before = world.picture();

    let findings = world.look_ahead().await.outcome?.findings;
    let (refusals, warnings): (Vec<&Finding>, Vec<&Finding>) = findings
        .iter()
        .partition(|finding| finding.severity == Severity::Refuses);
    let about: Vec<bool> = ["queue is exited", "db", "/srv/uploads"]
        .into_iter()
        .zip(&refusals)
        .map(|(what, finding)| finding.what.contains(what))
        .collect();
    assert_eq!(about, [true; 3], "{refusals:#?}");
    assert!(refusals.iter().all(|finding| finding.remedy.is_some()), "{refusals:#?}");
    let warnings: Vec<&String> = warnings.into_iter().map(|finding| &finding.what).collect();
    assert!(!warnings.is_empty());

    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Preflight);
    let told_warnings = told.recorder.warnings();
    assert_eq!(told_warnings.iter().collect::<Vec<_>>(), warnings, "each once");
    let words = told.words();
    assert!(words.starts_with("refused for 3 reasons:\n"), "{words}");
    for refusal in refusals {
        assert!(
            words.contains(&format!("\n{refusal}")),
            "{refusal}\nis not a line of\n{words}"
        );
    }
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_lives_in_a_container_that_is_gone_could_not_be_started_again() {
    let world = world();
    world.add(Container::client("sidecar").in_network_of("0123456789abcdef"));
    let before = world.picture();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Preflight, "{}", told.words());
    assert!(
        told.words().contains("container 0123456789abcdef, which does not run"),
        "{}",
        told.words()
    );
    assert_eq!(before.touched(&world.picture()), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_outsider_in_a_stopped_containers_network_is_named_before_and_after() -> anyhow::Result<()> {
    let world = world();
    world.add_outsider(outsider("monitor", Some("acme-web-1")));
    world.add_outsider(outsider("other", Some("elsewhere")));
    let findings = world.look_ahead().await.outcome?.findings;
    let [finding] = &findings[..] else {
        panic!("{findings:?}")
    };
    assert!(
        finding
            .what
            .starts_with("container monitor of image monitor:1 is outside"),
        "{finding}"
    );
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Degraded, "{}", told.words());
    let cause = told
        .outcome
        .ok()
        .and_then(|sealed| sealed.degraded.first().map(ToString::to_string));
    assert!(
        cause
            .as_ref()
            .is_some_and(|cause| cause.starts_with("monitor: uses the network of web")),
        "{cause:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_outsider_that_was_restarted_since_is_well() {
    let world = world();
    let again = Timestamp::constant(4_000_000_000, 0);
    world.add_outsider(Neighbour {
        started_at: Some(again),
        ..outsider("monitor", Some("acme-web-1"))
    });
    assert_eq!(world.backup().await.exit(), Exit::Ok);
}

#[tokio::test(start_paused = true)]
async fn who_wrote_inside_the_standstill_is_named_by_container() {
    let world = world();
    world.add_outsider(outsider("run-5", None));
    let writer = world.clone();
    world
        .faults
        .on(Method::StorePin)
        .meets(move || writer.change("db", "rows", 9));
    let told = world.backup().await;
    assert!(
        told.words()
            .contains("able to reach it: container run-5 of image run-5:1"),
        "{}",
        told.words()
    );
}

#[tokio::test(start_paused = true)]
async fn a_health_check_that_takes_long_is_waited_for_as_long_as_it_says() {
    let slow = || Container::client("slow").healthy_after(Duration::from_mins(4));
    for (patience, exit) in [(Some(Duration::from_secs(330)), Exit::Ok), (None, Exit::Degraded)] {
        let world = world();
        world.add(match patience {
            Some(patience) => slow().gives_health(patience),
            None => slow(),
        });
        let told = world.backup().await;
        assert_eq!(told.exit(), exit, "{patience:?} {:?}", told.degraded());
    }
}

/// The sample with a job that others wait for, or that nothing says anything about.
fn with_job(waited_for: bool) -> World {
    let mut world = world();
    world.standstill.jobs = Duration::from_mins(1);
    let began = world.clock.now();
    world.add(Container::client("migrate").restarts(Restart::No).that_began(began));
    if waited_for {
        world.add(Container::client("late").depends_on("migrate:service_completed_successfully:false"));
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_job_that_runs_once_is_waited_for_and_never_begun_again() -> anyhow::Result<()> {
    for waited_for in [true, false] {
        let world = with_job(waited_for);
        let plan = world.operations().plan(None).await?;
        let entry = plan
            .entries
            .iter()
            .find(|entry| entry.workload.address.service == "migrate");
        assert!(
            entry.is_some_and(|entry| entry.reason.contains("a job that runs once")),
            "{entry:?}"
        );
        let began = world.picture();
        // One that is only guessed to be a job is not waited for as long.
        let (lasts, at_most) = if waited_for { (20, 60) } else { (8, 10) };
        world.ends_after("migrate", Duration::from_secs(lasts));
        let told = world.backup().await;
        assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
        let waited = |kind: &EventKind| matches!(kind, EventKind::WaitsForJobs { seconds, .. } if *seconds == at_most);
        assert!(told.recorder.kinds().iter().any(waited));
        assert_eq!(
            began.differences(&world.picture()),
            ["migrate"],
            "it has ended, and stays so"
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_end_refuses_the_backup_and_what_may_be_a_service_is_told() {
    let world = with_job(true);
    let before = world.picture();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Preflight, "{}", told.words());
    assert!(
        told.words().contains("migrate would be stopped and begun again"),
        "{}",
        told.words()
    );
    assert_eq!(before.touched(&world.picture()), [""; 0]);

    let world = with_job(false);
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    let warnings = told.recorder.warnings();
    assert!(
        warnings.iter().any(|warning| warning.contains("BEGUN AGAIN")),
        "{warnings:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_has_run_for_long_is_a_service() {
    let mut world = world();
    world.standstill.jobs = Duration::from_mins(1);
    world.add(Container::client("worker").restarts(Restart::No));
    let before = world.clock.elapsed();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok);
    assert_eq!(told.recorder.warnings(), [""; 0]);
    assert!(world.clock.elapsed().saturating_sub(before) < Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ends_before_its_stop_is_not_begun_again() {
    let world = world();
    world.add(Container::client("job").restarts(Restart::No));
    let ender = world.clone();
    world.faults.on(Method::PowerClaim).meets(move || ender.exits("job", 0));
    let began = world.picture();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(began.differences(&world.picture()), ["job"]);
}

#[tokio::test(start_paused = true)]
async fn work_in_progress_is_waited_for_before_anything_is_stopped() {
    let mut world = world();
    world.standstill.busy = Duration::from_mins(10);
    world.works_for("db", "1 run of Dagster", Duration::from_secs(42));
    let (began, before) = (world.clock.elapsed(), world.picture());
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    let waited = |kind: &EventKind| matches!(kind, EventKind::WaitsForWork { work, seconds: 600 } if work[..] == ["db: 1 run of Dagster"]);
    let kinds = told.recorder.kinds();
    let waits = kinds.iter().position(waited);
    let stops = kinds
        .iter()
        .position(|kind| matches!(kind, EventKind::ClientsGoDown { .. }));
    assert!(waits.is_some() && waits < stops, "{kinds:?}");
    assert!(world.clock.elapsed().saturating_sub(began) >= Duration::from_secs(42));
    assert_eq!(told.recorder.warnings(), [""; 0], "nothing was cut");
    assert_eq!(before.differences(&world.picture()), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn work_that_does_not_end_is_cut_and_named_or_the_backup_is_skipped() {
    for (when_busy, exit) in [(WhenBusy::GoOn, Exit::Ok), (WhenBusy::Skip, Exit::Preflight)] {
        let mut world = world();
        (world.standstill.busy, world.standstill.when_busy) = (Duration::from_mins(10), when_busy);
        world.works_for("db", "1 run of Dagster", Duration::from_hours(9));
        let before = world.picture();
        let told = world.backup().await;
        assert_eq!(told.exit(), exit, "{}", told.words());
        let cut = told.recorder.warnings();
        if when_busy == WhenBusy::Skip {
            assert!(
                told.words()
                    .contains("db: 1 run of Dagster; after 600 s the backup was skipped")
            );
            assert_eq!(before.touched(&world.picture()), [""; 0]);
        } else {
            let said = "db: 1 run of Dagster: still at work after 600 s, and CUT by this backup";
            assert!(cut.iter().any(|warning| warning == said), "{cut:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_tell_whether_it_is_at_work_holds_nothing_up() {
    let mut world = world();
    world.standstill.busy = Duration::from_mins(10);
    world.faults.on(Method::StoreBusy).of("db").hangs();
    let began = world.clock.elapsed();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    let warnings = told.recorder.warnings();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.starts_with("db: whether work is in progress cannot be told")),
        "{warnings:?}"
    );
    assert!(world.clock.elapsed().saturating_sub(began) < Duration::from_mins(2));
}
