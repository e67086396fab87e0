//! The main job on the whole platform: backed up, wrecked, restored, proven.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{half_way, hold_dumps, is_back, let_go, on, powers, standing};
use anyhow::{Context, Result};
use serde_json::Value;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::{ContainerState, Event, Shape, Status, Testbed};

const STORES: [&str; 7] = [
    "postgres-main",
    "postgres-ferretdb",
    "valkey",
    "nats",
    "clickhouse",
    "neo4j",
    "milvus",
];
/// Paused while its files are cloned.
const FROZEN: &str = "neo4j";
const CLIENTS: [&str; 3] = ["webapp", "witness", "stubborn"];
const UNTOUCHED: [&str; 6] = [
    "seaweedfs-s3",
    "etcd",
    "traefik",
    "worker-paused",
    "oneshot-init",
    "reports",
];

#[test]
fn a_platform_is_backed_up_wrecked_restored_and_proven() -> Result<()> {
    on("whole", Shape::Full, |testbed, product| {
        let before = standing(testbed)?;
        let truth = testbed.truth()?;
        let stores = of_stores(testbed)?;

        let mut events = testbed.events_recorder()?;
        let backup = while_clients_write(testbed, product)?;
        manifest_is_as_documented(&product.repository.join(&backup).join("manifest.json"))?;
        is_back(testbed, &before)?;
        clients_alone_stood_still(events.so_far()?);
        assert_eq!(of_stores(testbed)?, stores, "a store was stopped or restarted");
        let stopped = testbed.witness_log_last_stop()?.context("it was never stopped")?;

        let last = testbed.rest()?;
        assert!(
            last > stopped,
            "the clients have not gone on: {last}, stopped after {stopped}"
        );
        testbed.wreck()?;
        assert_ne!(truth.differences(&testbed.truth()?), Vec::<String>::new());

        let begun = events.so_far()?.len();
        product.restore(&backup)?;
        is_back(testbed, &before)?;
        all_stood_still(&events.stop()?[begun..]);
        assert_eq!(truth.differences(&testbed.truth()?), Vec::<String>::new());
        assert_eq!(testbed.rest()?, stopped, "the witness has resumed there");
        assert_eq!(testbed.one_tick()?, stopped);
        testbed.go_on()?;
        testbed.await_ticks(1).context("the platform is in use again")
    })
}

/// A backup, in the middle of whose work on the stores every client is met running, and the witness writes.
fn while_clients_write(testbed: &Testbed, product: &Product) -> Result<String> {
    hold_dumps(testbed)?;
    let mut running = product.start(&["backup", "--json"])?;
    running.until("the clients have started", |event: &Value| {
        event["event"] == "step_ended" && event["step"] == "start"
    })?;
    half_way(testbed, &mut running)?;
    for client in CLIENTS {
        assert_eq!(testbed.state(client)?.status, Status::Running, "{client}");
    }
    testbed.await_ticks(2)?;
    let_go(testbed)?;
    let summary = running.end()?.must_end_with(0)?.summary()?;
    let id = summary["manifest"]["id"].as_str().map(ToOwned::to_owned);
    id.context("the summary of a backup has no manifest.id")
}

/// Its stores, as inspect shows them: when each was started, among others.
fn of_stores(testbed: &Testbed) -> Result<Vec<ContainerState>> {
    STORES.iter().map(|store| testbed.state(store)).collect()
}

fn manifest_is_as_documented(manifest: &Path) -> Result<()> {
    let schema: Value = serde_json::from_str(include_str!("../../../../docs/manifest.v1.schema.json"))?;
    let manifest: Value = serde_json::from_slice(&std::fs::read(manifest)?)?;
    let schema = jsonschema::validator_for(&schema)?;
    let faults: Vec<String> = schema.iter_errors(&manifest).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    assert!(
        !schema.is_valid(&serde_json::json!({ "format": 1 })),
        "the schema allows anything"
    );
    Ok(())
}

/// When something was done to a service for the first time.
type Moments<'a> = BTreeMap<(&'a str, &'a str), u64>;

fn moments(events: &[Event]) -> Moments<'_> {
    let moments = events
        .iter()
        .map(|event| ((event.service.as_str(), event.action.as_str()), event.at));
    moments.rev().collect()
}

/// No store was touched, each client was stopped and started once, who depends on another stopped before it and started after it,
/// and tools worked in a store while clients ran. Told by the engine's own events.
fn clients_alone_stood_still(events: &[Event]) {
    for service in UNTOUCHED.iter().chain(&STORES) {
        let expected: &[&str] = if *service == FROZEN { &["pause", "unpause"] } else { &[] };
        assert_eq!(powers(events, service), expected, "{service} was touched");
    }
    for client in CLIENTS {
        assert_eq!(powers(events, client), ["die", "start"], "{client}");
    }
    let at = moments(events);
    let (needed, dependant) = ("webapp", "stubborn");
    assert!(
        at[&(dependant, "die")] <= at[&(needed, "kill")],
        "{needed} was told to stop before {dependant}, which depends on it, had ended"
    );
    assert!(
        at[&(needed, "start")] <= at[&(dependant, "start")],
        "{dependant} was started before {needed}, on which it depends"
    );
    let first_start = CLIENTS.iter().map(|client| at[&(*client, "start")]).min();
    assert!(
        tools(events).max() > first_start,
        "no tool worked on the store after the clients had started"
    );
}

/// No client ran while the stores were alone, and each store ran only for its work.
fn all_stood_still(events: &[Event]) {
    // What is paused cannot write, but what it finds afterwards would be another's data.
    for service in UNTOUCHED.iter().filter(|service| **service != "worker-paused") {
        assert_eq!(powers(events, service), Vec::<&str>::new(), "{service} was touched");
    }
    for client in CLIENTS {
        assert_eq!(powers(events, client), ["die", "start"], "{client}");
    }
    let at = moments(events);
    let last_stop = CLIENTS.iter().map(|client| at[&(*client, "die")]).max();
    let first_start = CLIENTS.iter().map(|client| at[&(*client, "start")]).min();
    for store in STORES {
        assert_eq!(powers(events, store), ["die", "start"], "{store}");
        let alone = at.get(&(store, "start")).copied();
        assert!(
            last_stop < alone,
            "{store} was started before the last client had stopped"
        );
        assert!(
            alone < first_start,
            "a client was started before the work on {store} was done"
        );
    }
    let alone = at.get(&("postgres-main", "start")).copied();
    let last_tool = tools(events).filter(|at| Some(*at) > alone).max();
    assert!(
        last_tool.is_some() && last_tool < first_start,
        "a client ran while a tool worked on the store"
    );
}

/// When a tool of ours began in PostgreSQL's container: it is wrapped in a shell; the health check, an exec too, is not.
fn tools(events: &[Event]) -> impl Iterator<Item = u64> + '_ {
    let is_tool = |event: &&Event| event.action == "exec_start" && event.command.starts_with("sh -c");
    let in_store = events.iter().filter(|event| event.service == "postgres-main");
    in_store.filter(is_tool).map(|event| event.at)
}
