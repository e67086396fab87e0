//! What is planned for each workload, and which platform is found.

use std::collections::BTreeMap;
use std::time::Duration;

use stillpoint_core::engine::errors::Error;
use stillpoint_core::engine::plan::{Plan, Role};
use stillpoint_core::names::Project;
use stillpoint_core::operations::Operations;
use stillpoint_core::workload::State;
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::sample;
use stillpoint_testkit::{Method, World};

/// Role, action and reason by service.
type Lines = BTreeMap<String, (String, String, String)>;

fn lines(plan: &Plan) -> Lines {
    let line = |entry: &stillpoint_core::engine::plan::Entry| {
        let address = entry.workload.address.to_string();
        (
            address,
            (entry.role.to_string(), entry.action.to_string(), entry.reason.clone()),
        )
    };
    plan.entries.iter().map(line).collect()
}

async fn planned(world: &World) -> anyhow::Result<Lines> {
    Ok(lines(&world.operations().plan(None).await?))
}

fn is(lines: &Lines, service: &str, role: &str, action: &str, reason: &str) -> bool {
    lines
        .get(service)
        .is_some_and(|line| line.0 == role && line.1 == action && line.2.contains(reason))
}

#[tokio::test(start_paused = true)]
async fn every_workload_has_a_role_an_action_and_a_reason() -> anyhow::Result<()> {
    let lines = planned(&sample::world()).await?;
    for (service, role, action, reason) in [
        ("api", "client", "stop", "may write to stores"),
        ("backup-agent", "kept", "leave", "its name begins with `backup-`"),
        ("cron", "client", "leave", "paused"),
        ("db", "store", "leave", "pinned while it runs"),
        ("job", "kept", "leave", "--rm"),
        ("migrate", "client", "leave", "does not run"),
        ("queue", "store", "leave", "pinned while it runs"),
        ("seaweedfs-s3", "kept", "leave", "its name begins with `seaweedfs-`"),
        ("web", "client", "stop", "may write to stores"),
        ("worker", "client", "leave", "does not run"),
    ] {
        assert!(
            is(&lines, service, role, action, reason),
            "{service}: {:?}",
            lines.get(service)
        );
    }
    assert_eq!(lines.len(), 10);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn planning_changes_nothing() -> anyhow::Result<()> {
    let world = sample::world();
    let before = world.picture();
    planned(&world).await?;
    assert_eq!(before.touched(&world.picture()), [""; 0]);
    assert!(
        !world
            .faults
            .calls()
            .iter()
            .any(|call| call.method.changes_the_platform())
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_name_is_kept_is_no_store() -> anyhow::Result<()> {
    let world = sample::world();
    world.add(Container::store("backup-db", &[("rows", 1)]));
    assert!(is(&planned(&world).await?, "backup-db", "kept", "leave", "backup-"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn stores_get_two_minutes_to_stop_and_clients_what_they_ask_for() -> anyhow::Result<()> {
    let world = sample::world();
    world.add(Container::client("slow").asks_to_stop_within(Duration::from_mins(3)));
    world.add(Container::store("brief", &[]).asks_to_stop_within(Duration::from_secs(1)));
    world.add(Container::store("large", &[]).asks_to_stop_within(Duration::from_mins(9)));
    let plan = world.operations().plan(None).await?;
    let stoppable = plan
        .entries
        .iter()
        .filter(|entry| entry.workload.state == State::Running && entry.role != Role::Kept);
    let graces: Vec<String> = stoppable
        .map(|entry| format!("{} {:?}", entry.workload.address, entry.grace()))
        .collect();
    assert_eq!(
        graces,
        [
            "api 10s",
            "brief 120s",
            "db 120s",
            "large 540s",
            "queue 120s",
            "slow 180s",
            "web 10s"
        ]
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_recorded_kept_or_not_but_for_what_cannot_be_started_again() -> anyhow::Result<()> {
    let plan = sample::world().operations().plan(None).await?;
    let recorded: Vec<String> = plan
        .recorded()
        .iter()
        .map(|entry| format!("{} {}", entry.address, entry.state))
        .collect();
    let expected = [
        "api running",
        "backup-agent running",
        "cron paused",
        "db running",
        "queue running",
        "seaweedfs-s3 running",
        "web running",
    ];
    assert_eq!(recorded, expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn replicas_are_told_apart() -> anyhow::Result<()> {
    let world = sample::world();
    world.add(Container::client("web").replica(2));
    world.add(Container::store("db", &[("rows", 1)]).replica(2));
    let plan = world.operations().plan(None).await?;
    let stores: Vec<String> = plan
        .entries
        .iter()
        .filter_map(|entry| entry.store())
        .map(ToString::to_string)
        .collect();
    assert_eq!(stores, ["db", "db-2", "queue"]);
    assert!(lines(&plan).contains_key("web#2"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_project_without_a_store_is_no_platform() {
    let world = World::of([Container::client("web"), Container::client("blog").of("other")]);
    let error = world.operations().plan(None).await.unwrap_err();
    assert!(error.to_string().contains("projects seen: acme, other"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn of_two_platforms_one_must_be_named() -> anyhow::Result<()> {
    let world = sample::world();
    world.add(Container::store("ledger", &[("rows", 1)]).of("other"));
    let error = world.operations().plan(None).await.unwrap_err();
    assert!(error.to_string().contains("2 platforms found: acme, other"), "{error}");
    let plan = world.operations().plan(Some(&Project::new("other"))).await?;
    let services: Vec<String> = lines(&plan).into_keys().collect();
    assert_eq!(services, ["blog", "ledger"]);
    let error = world.operations().plan(Some(&Project::new("third"))).await.unwrap_err();
    assert!(matches!(error, Error::Platform(_)), "{error}");
    assert_eq!(error.class().exit as u8, 10);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_answer_is_told_as_such() {
    let world = sample::world();
    world
        .faults
        .on(Method::CatalogWorkloads)
        .fails_with(stillpoint_testkit::Failure::Engine(
            stillpoint_core::ports::EngineError::Unreachable {
                endpoint: "unix:///run/docker.sock".into(),
                cause: "no such file".into(),
            },
        ));
    let class = world.operations().plan(None).await.unwrap_err().class();
    assert_eq!(class.exit as u8, 10);
    assert!(class.hint.contains("DOCKER_HOST"), "{}", class.hint);
}

#[test]
fn a_state_that_is_up_has_a_process() {
    assert!(State::Running.is_up() && State::Paused.is_up());
    assert!(!State::Created.is_up() && !State::Exited.is_up());
}

#[tokio::test(start_paused = true)]
async fn a_server_inside_an_application_is_a_store_if_it_serves_others() -> anyhow::Result<()> {
    let world = sample::world();
    let inside = ["app", "fakestore"];
    world.add(
        Container::store("cache", &[("rows of cache", 1)])
            .of_image("acme/cache:1")
            .runs(&inside),
    );
    world.add(Container::client("app").of_image("acme/app:1").runs(&inside));
    let plan = world.operations().plan(None).await?;
    let lines = lines(&plan);
    assert!(
        is(&lines, "cache", "store", "leave", "pinned while it runs"),
        "{lines:?}"
    );
    assert!(is(&lines, "app", "client", "stop", "may write to stores"), "{lines:?}");
    let warnings: Vec<String> = plan.warnings().collect();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.starts_with("app looks like a database (fakestore, run for itself)")),
        "{warnings:?}"
    );
    Ok(())
}

/// What is left out, as `<workload>: <what>`.
fn left_out(plan: &Plan) -> Vec<String> {
    let all = plan.entries.iter().flat_map(|entry| {
        let left_out = entry.left_out.iter().flatten();
        left_out.map(|one| format!("{}: {one}", entry.workload.address))
    });
    all.collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_backup_does_not_hold_is_named() -> anyhow::Result<()> {
    let world = World::of([
        Container::store("db", &[("rows", 1)]).with_volume("db-data", "/data"),
        Container::client("helper").with_volume("db-data", "/data"),
        Container::client("web")
            .with_volume("web-data", "/var/lib/web")
            .with_folder("/srv/uploads", "/uploads")
            .with_folder("/var/run/docker.sock", "/var/run/docker.sock"),
        Container::client("orders").runs(&["docker-entrypoint.sh mysqld", "mysqld --port=1"]),
        Container::client("search").runs(&["java -Xmx1g org.elasticsearch.bootstrap.Elasticsearch"]),
        Container::client("documents").of_image("mongo:8"),
        Container::client("browse").of_image("mongo-express:1"),
        Container::client("etcd").of_image("quay.io/coreos/etcd:v3.5"),
    ]);
    let plan = world.operations().plan(None).await?;
    assert_eq!(
        left_out(&plan),
        [
            "documents: database MongoDB",
            "etcd: database etcd",
            "orders: database MySQL",
            "search: database Elasticsearch",
            "web: volume web-data at /var/lib/web",
            "web: folder /srv/uploads at /uploads",
        ]
    );
    let named: Vec<String> = plan.warnings().map(|warning| warning[..9].to_owned()).collect();
    assert_eq!(
        named,
        ["documents", "orders lo", "search lo"],
        "what is kept is no client"
    );
    Ok(())
}
