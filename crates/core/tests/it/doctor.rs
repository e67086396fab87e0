//! A doctor finds each of many planted problems, and nothing where there is none.

use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::SignedDuration;
use stillpoint_core::doctor::{
    Beside, Boot, Check, Diagnosis, PastBackup, PruneJob, Receiver, ScheduleFacts, SiteFacts, diagnose,
};
use stillpoint_core::engine::errors::{Exit, PreflightError};
use stillpoint_core::findings::Severity::{self, Advises, Refuses, Warns};
use stillpoint_core::names::{Address, BackupId, Project, StoreName, WorkloadId};
use stillpoint_core::ports::{Clock, EngineError, Lost, Neighbour, RepositoryError, within};
use stillpoint_core::stores::StoreError;
use stillpoint_core::workload::State;
use stillpoint_testkit::fakes::{Container, Restart};
use stillpoint_testkit::faults::Failure;
use stillpoint_testkit::sample::{self, PLATFORM};
use stillpoint_testkit::{Method, World};

/// Who is asked, and what is known beside.
struct Scene {
    world: World,
    beside: Beside,
    backup: BackupId,
}

/// A platform as it should be: backed up, read back, watched.
async fn healthy() -> Result<Scene> {
    let world = World::of([
        Container::store("db", &[("orders", 5)])
            .healthy_after(Duration::from_millis(500))
            .first_checked_after(Duration::from_secs(5))
            .restarts(Restart::Always),
        Container::store("queue", &[("messages", 7)]),
        Container::client("api")
            .with_folder("/etc/api.conf", "/etc/api.conf")
            .depends_on("db:service_healthy:true,queue:service_started:false"),
        Container::client("migrate")
            .restarts(Restart::No)
            .that_is(State::Exited),
        // It runs once, and something waits for its end.
        Container::client("seed").restarts(Restart::No),
        Container::client("web")
            .first_checked_after(Duration::from_secs(10))
            .depends_on("seed:service_completed_successfully:true"),
    ]);
    world.repository.set_capacity(1 << 30);
    world.ends_after("seed", Duration::from_secs(1));
    world.wait_a_minute().await;
    let backup = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    ensure!(world.verify(backup).await?.is_empty());
    let beside = Beside {
        schedules: vec![ScheduleFacts {
            job: "backup_job".into(),
            on: true,
            switched_by: None,
            heeded: true,
            overdue: None,
        }],
        runs: vec![past(false), past(false)],
        receivers: vec![
            receiver("ntfy ntfy.example", false),
            receiver("heartbeat of backup_job", true),
        ],
        boot: Some(Boot {
            service: true,
            ..Boot::default()
        }),
        prunes: Some(Vec::new()),
        ..Beside::default()
    };
    Ok(Scene { world, beside, backup })
}

fn address(service: &str) -> Address {
    Address {
        project: Project::new(PLATFORM),
        service: service.into(),
        number: 1,
    }
}

fn past(killed: bool) -> PastBackup {
    PastBackup {
        called: "7".into(),
        stopped: vec![(address("api"), killed), (address("web"), false)],
        degraded: Vec::new(),
    }
}

fn receiver(name: &str, watches: bool) -> Receiver {
    Receiver {
        name: name.into(),
        watches,
        failed: None,
    }
}

fn outsider(container: &str, image: &str) -> Neighbour {
    Neighbour {
        id: WorkloadId::new(container),
        container: container.into(),
        image: image.into(),
        project: None,
        network_of: None,
        started_at: None,
        networks: vec!["backend".into()],
        addresses: Vec::new(),
        gateways: Vec::new(),
    }
}

impl Scene {
    async fn facts(&self) -> Result<SiteFacts> {
        Ok(self.world.examine(PLATFORM).await?)
    }

    async fn diagnosis(&self) -> Result<Diagnosis> {
        Ok(diagnose(&self.facts().await?, &self.beside))
    }

    fn replace(&self, container: Container) {
        self.world.add(container);
    }
}

fn told(diagnosis: &Diagnosis) -> String {
    let lines: Vec<String> = diagnosis.findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// What is planted, and where.
enum Plant {
    Scene(fn(&mut Scene)),
    Facts(fn(&mut SiteFacts)),
}

use Plant::{Facts, Scene as Before};

/// Planted, found by, how grave, in which words.
type Row = (Plant, Check, Severity, &'static str);

fn broken_store(error: fn() -> StoreError) -> impl Fn(&mut Scene) {
    move |scene| {
        let preflight = scene.world.faults.on(Method::StorePreflight).of("db").always();
        preflight.fails_with(Failure::Store(error));
    }
}

fn broken_repository(scene: &Scene, method: Method, error: RepositoryError) {
    let call = scene.world.faults.on(method).always();
    call.fails_with(Failure::Repository(error));
}

/// Of the platform and its containers.
#[expect(clippy::too_many_lines, reason = "a table")]
fn of_platform() -> Vec<Row> {
    vec![
        (
            Before(|scene| {
                let endpoint = "unix:///run/docker.sock".to_owned();
                let cause = "no such file".to_owned();
                let error = EngineError::Unreachable { endpoint, cause };
                let call = scene.world.faults.on(Method::CatalogEngine).always();
                call.fails_with(Failure::Engine(error));
            }),
            Check::Engine,
            Refuses,
            "no container engine answers at unix:///run/docker.sock",
        ),
        (
            Before(|scene| scene.world.has_engine("19.03.15")),
            Check::EngineVersion,
            Warns,
            "19.03.15",
        ),
        (
            Before(|scene| {
                scene.world.remove("db");
                scene.world.remove("queue");
                scene.world.remove("api");
                scene.world.remove("web");
                scene.world.remove("seed");
                scene.world.remove("migrate");
            }),
            Check::Platform,
            Refuses,
            "acme",
        ),
        (Before(|scene| scene.world.exits("db", 1)), Check::Store, Refuses, "db"),
        (
            Before(|scene| {
                broken_store(|| StoreError::Credential {
                    store: StoreName::new("db"),
                    user: "postgres".into(),
                    cause: "password authentication failed".into(),
                    remedy: "set STILLPOINT_DB_PASSWORD".into(),
                })(scene);
            }),
            Check::Store,
            Refuses,
            "db refused user `postgres`",
        ),
        (
            Before(|scene| {
                broken_store(|| StoreError::Silent {
                    store: StoreName::new("db"),
                    cause: "connection refused".into(),
                })(scene);
            }),
            Check::Store,
            Refuses,
            "db does not answer",
        ),
        (
            Before(|scene| {
                broken_store(|| StoreError::Tool {
                    doing: "looking whether db can be dumped".into(),
                    tool: "pg_dump".into(),
                    code: 127,
                    errors: "not found".into(),
                })(scene);
            }),
            Check::Store,
            Refuses,
            "pg_dump ended with exit code 127",
        ),
        (
            Facts(|facts| {
                if let Some(Ok(platform)) = &mut facts.platform {
                    let warning = "db: unlogged table `cache` comes back empty".to_owned();
                    platform.told.push((StoreName::new("db"), warning));
                }
            }),
            Check::StoreNote,
            Warns,
            "comes back empty",
        ),
        (
            Before(|scene| {
                let api = scene.world.workload("api");
                scene.replace(Container::client("api").with_folder("/srv/api", "/srv"));
                scene.world.remove_from_host("/srv/api");
                scene.beside.accepted.push("left-out:api".into());
                drop(api);
            }),
            Check::CannotStart,
            Refuses,
            "/srv/api of the host, which is gone",
        ),
        (
            Before(|scene| scene.world.loses("api", Lost::Network("acme_backend".into()))),
            Check::CannotStart,
            Refuses,
            "acme_backend",
        ),
        (
            Before(|scene| scene.world.loses("migrate", Lost::Network("acme_tools".into()))),
            Check::CannotStart,
            Warns,
            "migrate is exited and could not be started",
        ),
        (
            Before(|scene| scene.world.loses("api", Lost::Image("acme/api:7".into()))),
            Check::CannotStart,
            Warns,
            "acme/api:7",
        ),
        (
            Before(|scene| scene.beside.runs = vec![past(true), past(true), past(false)]),
            Check::IgnoresStop,
            Warns,
            "api did not end within its grace of 10 s and was killed, in each of the last 2 backups",
        ),
        (
            Before(|scene| {
                let why = "it is not healthy after 120 s".to_owned();
                scene.beside.runs[0].degraded.push((address("web"), why));
            }),
            Check::SlowBack,
            Warns,
            "web did not come back as it was after run 7: it is not healthy after 120 s",
        ),
        (
            Before(|scene| scene.replace(Container::client("api").first_checked_after(Duration::from_mins(1)))),
            Check::SlowHealth,
            Advises,
            "the health of api is first checked 60 s after a start",
        ),
        (
            Before(|scene| scene.replace(Container::store("queue", &[("messages", 7)]).restarts(Restart::No))),
            Check::RestartPolicy,
            Warns,
            "queue runs with restart policy `no`",
        ),
        (
            Before(|scene| scene.replace(Container::client("api").restarts(Restart::No))),
            Check::RestartPolicy,
            Advises,
            "unless it is a job that runs once",
        ),
        (
            Before(|scene| scene.replace(Container::client("orders").runs(&["mysqld"]))),
            Check::UnknownDatabase,
            Warns,
            "orders looks like a database (MySQL)",
        ),
        (
            Before(|scene| scene.replace(Container::client("api").with_volume("uploads", "/uploads"))),
            Check::LeftOut,
            Advises,
            "volume uploads at /uploads, of api",
        ),
        (
            Before(|scene| {
                let lodger = Neighbour {
                    network_of: Some("api".into()),
                    networks: Vec::new(),
                    ..outsider("lodger", "acme/vpn:1")
                };
                scene.replace(Container::client("api"));
                scene.world.add_outsider(Neighbour {
                    network_of: Some("acme-api-1".into()),
                    ..lodger
                });
            }),
            Check::CutOff,
            Warns,
            "uses the network of api",
        ),
        (
            Before(|scene| scene.replace(Container::client("nightly").of_image("offen/docker-volume-backup:v2"))),
            Check::OtherBackup,
            Warns,
            "nightly (image offen/docker-volume-backup:v2)",
        ),
        (
            Before(|scene| {
                let tool = outsider("dumps", "prodrigestivill/postgres-backup-local:17");
                scene.world.add_outsider(tool);
            }),
            Check::OtherBackup,
            Warns,
            "container dumps (image prodrigestivill/postgres-backup-local:17)",
        ),
    ]
}

/// Of the repository and what is in it.
#[expect(clippy::too_many_lines, reason = "a table")]
fn of_repository() -> Vec<Row> {
    vec![
        (
            Before(|scene| {
                let cause = "connection refused".to_owned();
                broken_repository(scene, Method::RepositoryOpen, RepositoryError::Unreachable { cause });
            }),
            Check::Repository,
            Refuses,
            "it cannot be reached: connection refused",
        ),
        (
            Before(|scene| scene.world.repository.make_read_only()),
            Check::Repository,
            Refuses,
            "refuses access",
        ),
        (
            Before(|scene| {
                let mark = r#"{"format": 1, "platform": "blog"}"#;
                scene.world.repository.put(".stillpoint/instance.json", mark);
            }),
            Check::Repository,
            Refuses,
            "is the repository of platform blog",
        ),
        (
            Before(|scene| {
                let (key, cause) = ("probe".to_owned(), "501 Not Implemented".to_owned());
                broken_repository(
                    scene,
                    Method::RepositoryReplace,
                    RepositoryError::NoConditions { key, cause },
                );
            }),
            Check::RepositoryConditions,
            Refuses,
            "does not support conditional writes",
        ),
        (
            Before(|scene| scene.world.repository.ignore_conditions()),
            Check::RepositoryConditions,
            Refuses,
            "ignores the conditions of a write",
        ),
        (
            Before(|scene| scene.world.repository.set_clock_ahead(SignedDuration::from_mins(10))),
            Check::RepositoryClock,
            Refuses,
            "its clock says",
        ),
        (
            Facts(|facts| facts.repository.room = Some(1)),
            Check::RepositoryRoom,
            Refuses,
            "1 ",
        ),
        (
            Facts(|facts| {
                let newest = facts.repository.backups.as_ref().and_then(|known| known.newest());
                facts.repository.room = newest.map(|newest| newest.size() * 3 / 2);
            }),
            Check::RepositoryRoom,
            Warns,
            "has room for the next backup, not for two",
        ),
        (
            Before(|scene| scene.world.repository.keep("the bucket keeps versions")),
            Check::RepositoryKeeps,
            Advises,
            "the bucket keeps versions",
        ),
        (
            Before(|scene| scene.beside.directory = Some("/srv/backups".into())),
            Check::OnlyCopy,
            Warns,
            "directory /srv/backups",
        ),
        (
            Facts(|facts| facts.repository.served_here = Some("container acme-seaweedfs-s3-1".into())),
            Check::OnlyCopy,
            Warns,
            "acme-seaweedfs-s3-1",
        ),
        (
            Facts(|facts| {
                if let Some(Ok(platform)) = &mut facts.platform {
                    platform.refusals.push(PreflightError::NoSpool {
                        place: "/var/lib/stillpoint/state".into(),
                        room: 1,
                        needed: 2,
                        stores: vec!["nats 2".into()],
                    });
                }
            }),
            Check::SpoolRoom,
            Refuses,
            "/var/lib/stillpoint/state",
        ),
        (
            Facts(|facts| {
                if let Some(known) = &mut facts.repository.backups {
                    known.complete.clear();
                }
            }),
            Check::NoBackup,
            Warns,
            "holds no complete backup",
        ),
        (
            Facts(|facts| {
                let known = facts.repository.backups.iter_mut();
                let newest = known.filter_map(|known| known.complete.last_mut());
                newest
                    .filter_map(|(_, verified)| verified.as_mut())
                    .for_each(|verified| verified.sound = false);
            }),
            Check::Damaged,
            Refuses,
            "was read and found damaged; none of the others was read",
        ),
        (
            Facts(|facts| {
                let known = facts.repository.backups.iter_mut();
                known
                    .flat_map(|known| &mut known.complete)
                    .for_each(|(_, verified)| *verified = None);
            }),
            Check::Unverified,
            Advises,
            "was never read back",
        ),
        (
            Before(|scene| scene.replace(Container::store("ledger", &[("entries", 1)]))),
            Check::Incomplete,
            Warns,
            "ledger is not in the newest backup",
        ),
        (
            Before(|scene| scene.world.remove("queue")),
            Check::Incomplete,
            Warns,
            "queue is in the newest backup",
        ),
        (
            Before(|scene| {
                let examine = scene.world.faults.on(Method::StoreExamine).of("db").always();
                examine.fails_with(Failure::Store(|| {
                    StoreError::Unfit("db: the server lacks extensions of the backup: vector".into())
                }));
            }),
            Check::Restore,
            Refuses,
            "could not be restored here now: db: the server lacks extensions of the backup: vector",
        ),
        (
            Facts(|facts| {
                if let Some(Ok(platform)) = &mut facts.platform {
                    platform.versions.insert(StoreName::new("db"), "18.0".into());
                }
            }),
            Check::Changed,
            Warns,
            "db is of version 18.0",
        ),
        (
            Facts(|facts| {
                if let Some(Ok(platform)) = &mut facts.platform {
                    platform.plan.entries.iter_mut().for_each(|entry| {
                        if entry.store().is_some_and(|store| store.as_str() == "db") {
                            entry.workload.image_id = "sha256:0123456789abcdef".into();
                        }
                    });
                }
            }),
            Check::Changed,
            Advises,
            "db runs image 0123456789ab",
        ),
    ]
}

/// Of how backups are made and watched.
fn of_habits() -> Vec<Row> {
    vec![
        (
            Before(|scene| scene.beside.schedules.clear()),
            Check::NoSchedule,
            Warns,
            "no schedule makes backups",
        ),
        (
            Before(|scene| {
                scene.beside.schedules[0].on = false;
                scene.beside.schedules[0].switched_by = Some("root".into());
            }),
            Check::NoSchedule,
            Warns,
            "was switched off by root",
        ),
        (
            Before(|scene| scene.beside.schedules[0].heeded = false),
            Check::NoSchedule,
            Warns,
            "no service has heeded",
        ),
        (
            Before(|scene| {
                let since = scene.world.site().machine.clock.now();
                scene.beside.schedules[0].overdue = Some((since, "run 12 ended with FAILURE".into()));
            }),
            Check::Overdue,
            Warns,
            "run 12 ended with FAILURE",
        ),
        (
            Before(|scene| {
                let meeting = "backup_job falls into the window `observation` (02:00–03:00)";
                scene.beside.meetings.push(meeting.into());
            }),
            Check::JobsMeet,
            Warns,
            "observation",
        ),
        (
            Before(|scene| {
                scene.beside.boot = Some(Boot {
                    service: true,
                    timer: true,
                    ..Boot::default()
                });
            }),
            Check::JobsMeet,
            Warns,
            "both enabled",
        ),
        (
            Before(|scene| scene.beside.boot = Some(Boot::default())),
            Check::BootUnit,
            Warns,
            "neither stillpoint.service nor stillpoint-recover.service",
        ),
        (
            Before(|scene| scene.beside.receivers.clear()),
            Check::NobodyTold,
            Warns,
            "neither a notice nor a heartbeat",
        ),
        (
            Before(|scene| scene.beside.receivers.truncate(1)),
            Check::NoHeartbeat,
            Advises,
            "no heartbeat",
        ),
        (
            Before(|scene| scene.beside.receivers[0].failed = Some("403 Forbidden".into())),
            Check::NotReached,
            Warns,
            "ntfy ntfy.example was not reached the last time: 403 Forbidden",
        ),
        (
            Before(|scene| {
                scene.beside.prunes = Some(vec![PruneJob {
                    place: "/etc/cron.d/tidy, line 3".into(),
                    command: "docker system prune".into(),
                }]);
            }),
            Check::PruneJob,
            Warns,
            "/etc/cron.d/tidy, line 3 runs `docker system prune`",
        ),
    ]
}

/// Exactly what was planted is found: nothing before, and nothing beside.
#[tokio::test(start_paused = true)]
async fn each_planted_problem_is_found_and_nothing_else() -> Result<()> {
    let mut checks = std::collections::BTreeSet::new();
    for (plant, check, severity, words) in [of_platform(), of_repository(), of_habits()].concat_rows() {
        let mut scene = healthy().await?;
        let before = scene.diagnosis().await?;
        ensure!(before.findings.is_empty(), "before {check}: {}", told(&before));
        let facts = match plant {
            Before(plant) => {
                plant(&mut scene);
                scene.facts().await?
            }
            Facts(plant) => {
                let mut facts = scene.facts().await?;
                plant(&mut facts);
                facts
            }
        };
        let found = diagnose(&facts, &scene.beside);
        let [only] = &found.findings[..] else {
            anyhow::bail!("{check} ({words}): {} findings\n{}", found.findings.len(), told(&found));
        };
        let said = told(&found);
        ensure!(
            only.check == check && only.finding.severity == severity,
            "{check}: {said}"
        );
        ensure!(said.contains(words), "{check}: `{words}` is not in\n{said}");
        ensure!(
            only.finding.remedy.as_ref().is_some_and(|remedy| !remedy.is_empty()),
            "{said}"
        );
        let exit = match severity {
            Refuses => Exit::RunFailed,
            Warns => Exit::Degraded,
            Advises => Exit::Ok,
        };
        ensure!(found.exit() == exit, "{check}: {:?}", found.exit());
        checks.insert(check);
    }
    // Those that take a run that was broken off have tests of their own.
    let apart = [Check::UnfinishedRun, Check::NotBack];
    let untold: Vec<&Check> = Check::ALL
        .iter()
        .filter(|check| !checks.contains(*check) && !apart.contains(check))
        .collect();
    ensure!(untold.is_empty(), "no problem is planted for {untold:?}");
    Ok(())
}

trait ConcatRows {
    fn concat_rows(self) -> Vec<Row>;
}

impl<const N: usize> ConcatRows for [Vec<Row>; N] {
    fn concat_rows(self) -> Vec<Row> {
        self.into_iter().flatten().collect()
    }
}

#[tokio::test(start_paused = true)]
async fn on_a_healthy_platform_one_sentence_is_said_and_nothing_is_changed() -> Result<()> {
    let scene = healthy().await?;
    // A job that runs once has no need to come back.
    scene.world.revive("seed");
    let (platform, objects) = (scene.world.picture(), scene.world.repository.keys());
    let calls = scene.world.faults.calls().len();
    let diagnosis = scene.diagnosis().await?;
    assert_eq!(diagnosis.sentence(), "acme is healthy: nothing was found.");
    assert_eq!(diagnosis.exit(), Exit::Ok);
    assert_eq!(platform.touched(&scene.world.picture()), [""; 0]);
    assert_eq!(scene.world.repository.keys(), objects);
    let since = scene.world.faults.calls().split_off(calls);
    let changes = since.iter().filter(|call| call.method.changes_the_platform());
    assert_eq!(changes.count(), 0);
    Ok(())
}

/// What a death leaves of its trial is no backup, and the next retention takes it away.
#[tokio::test(start_paused = true)]
async fn a_doctor_that_dies_leaves_nothing_that_stays() -> Result<()> {
    let scene = healthy().await?;
    let objects = scene.world.repository.keys();
    scene.world.faults.on(Method::UploadComplete).kills_after();
    let limit = Duration::from_hours(1);
    let died = within(&scene.world.clock, limit, "a doctor", scene.facts());
    ensure!(died.await.is_err(), "it lives");
    let left = scene.world.repository.keys();
    ensure!(left.len() == objects.len() + 1, "{left:?}");
    scene.world.faults.reset();
    scene.world.clock.sleep(Duration::from_hours(24 * 30)).await;
    scene.world.backup().await.outcome?;
    scene.world.prune().await.outcome?;
    let litter = |key: &String| key.contains("canary") || key.contains("probe");
    ensure!(!scene.world.repository.keys().iter().any(litter));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_deleted_is_not_written_at_each_look() -> Result<()> {
    let scene = healthy().await?;
    scene.world.repository.lock();
    let diagnosis = scene.diagnosis().await?;
    ensure!(diagnosis.exit() == Exit::Ok, "{}", told(&diagnosis));
    ensure!(!scene.world.repository.keys().iter().any(|key| key.contains("canary")));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_restore_has_left_down_is_one_finding_and_not_one_for_each_container() -> Result<()> {
    let scene = healthy().await?;
    scene.world.faults.on(Method::StoreRestore).of("db").fails();
    ensure!(scene.world.restore(scene.backup).await.exit() == Exit::StoppedOnPurpose);
    scene.world.faults.reset();
    // Whoever looks is another process.
    let mut scene = scene;
    scene.world.process = 43;
    let diagnosis = scene.diagnosis().await?;
    let checks: Vec<Check> = diagnosis.findings.iter().map(|found| found.check).collect();
    ensure!(checks == [Check::UnfinishedRun], "{}", told(&diagnosis));
    ensure!(
        told(&diagnosis).contains("stillpoint restore resume"),
        "{}",
        told(&diagnosis)
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_did_not_come_back_is_told_until_it_is_there() -> Result<()> {
    let scene = healthy().await?;
    scene.world.faults.on(Method::PowerStart).of("web").always().fails();
    ensure!(scene.world.backup().await.exit() == Exit::Degraded);
    scene.world.faults.reset();
    let diagnosis = scene.diagnosis().await?;
    let checks: Vec<Check> = diagnosis.findings.iter().map(|found| found.check).collect();
    ensure!(checks == [Check::NotBack], "{}", told(&diagnosis));
    scene.world.start_containers().await.outcome?;
    let diagnosis = scene.diagnosis().await?;
    ensure!(diagnosis.findings.is_empty(), "{}", told(&diagnosis));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_accepted_is_counted_and_not_told_unless_it_would_fail() -> Result<()> {
    let mut scene = healthy().await?;
    scene.replace(Container::client("api").with_volume("uploads", "/uploads"));
    scene.replace(Container::client("web").with_volume("cache", "/cache"));
    scene.beside.receivers.clear();
    scene.world.exits("db", 1);
    for accepted in ["left-out:api", "nobody-told", "store"] {
        scene.beside.accepted.push(accepted.into());
    }
    let diagnosis = scene.diagnosis().await?;
    let checks: Vec<Check> = diagnosis.findings.iter().map(|found| found.check).collect();
    ensure!(checks == [Check::Store, Check::LeftOut], "{}", told(&diagnosis));
    ensure!(diagnosis.accepted == 2, "{}", diagnosis.accepted);
    let sentence =
        "acme: a backup or a restore would FAIL (1 thing); 0 more to look at, 1 could be better; 2 accepted.";
    assert_eq!(diagnosis.sentence(), sentence);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_sample_with_all_its_oddities_is_told_without_a_secret() -> Result<()> {
    let world = sample::world();
    let scene = Scene {
        backup: world.backup().await.outcome?.manifest.id,
        beside: Beside::default(),
        world,
    };
    let said = serde_json::to_string(&scene.diagnosis().await?)?;
    ensure!(!said.contains("secret"), "{said}");
    ensure!(
        said.contains(r#""check":"restart-policy""#) && said.contains(r#""why":"#),
        "{said}"
    );
    Ok(())
}

#[test]
fn each_check_has_a_name_and_its_texts() {
    let mut names = std::collections::BTreeSet::new();
    for check in Check::ALL {
        let sheet = check.sheet();
        assert!(names.insert(sheet.name), "{} twice", sheet.name);
        assert_eq!(Check::called(sheet.name), Some(check));
        for text in [sheet.finds, sheet.why, sheet.fix] {
            assert!(
                !text.is_empty() && !text.ends_with('.') && !text.contains('|'),
                "{check}: {text}"
            );
        }
    }
}

/// `docs/operating/doctor.md` has a row for each, in the words of the code.
#[test]
fn the_documentation_lists_every_check() {
    let page = include_str!("../../../../docs/operating/doctor.md");
    let row = |check: &Check| {
        let sheet = check.sheet();
        format!("| `{}` | {} | {} | {} |", sheet.name, sheet.finds, sheet.why, sheet.fix)
    };
    let wanted: Vec<String> = Check::ALL.iter().map(row).collect();
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(listed, wanted, "the table is to be:\n{}", wanted.join("\n"));
}
