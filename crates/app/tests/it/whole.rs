//! The main job on the whole platform: backed up, wrecked, restored, proven.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{is_back, on, powers, standing};
use anyhow::Result;
use serde_json::Value;
use stillpoint_testkit::testbed::{Event, Shape, Testbed};

const STORES: [&str; 3] = ["postgres-main", "valkey", "nats"];
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
        for _ in 0..3 {
            testbed.tick()?;
        }
        let truth = testbed.truth()?;

        let mut events = testbed.events_recorder()?;
        let backup = product.backup()?;
        manifest_is_as_documented(&product.repository.join(&backup).join("manifest.json"))?;
        is_back(testbed, &before)?;
        stood_still(events.so_far()?, &["worker-paused"]);
        assert_eq!(testbed.witness_log_last_stop()?, Some(3));

        testbed.tick()?;
        testbed.wreck()?;
        assert_ne!(truth.differences(&testbed.truth()?), Vec::<String>::new());

        let begun = events.so_far()?.len();
        product.restore(&backup)?;
        is_back(testbed, &before)?;
        stood_still(&events.stop()?[begun..], &[]);
        assert_eq!(truth.differences(&testbed.truth()?), Vec::<String>::new());
        one_point_in_time(testbed, 3)?;
        assert_eq!(testbed.witness_log_last_resume()?, Some(3));
        assert_eq!(testbed.tick()?, 4, "the platform is in use again");
        Ok(())
    })
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

/// Every store shows the tick after which the witness was stopped.
fn one_point_in_time(testbed: &Testbed, tick: u64) -> Result<()> {
    for (place, witness) in testbed.witness()? {
        assert!(
            witness.is_whole() && witness.last == tick,
            "{place} shows {witness:?}, not tick {tick}"
        );
    }
    Ok(())
}

/// No client ran while the stores were alone, each store ran only for its work, and what is not to be
/// touched was not. Told by the engine's own events.
fn stood_still(events: &[Event], frozen: &[&str]) {
    for service in UNTOUCHED
        .iter()
        .filter(|service| **service != "worker-paused" || frozen.contains(service))
    {
        assert_eq!(powers(events, service), Vec::<&str>::new(), "{service} was touched");
    }
    for client in CLIENTS {
        assert_eq!(powers(events, client), ["die", "start"], "{client}");
    }
    let at: BTreeMap<(&str, &str), u64> = events
        .iter()
        .map(|event| ((event.service.as_str(), event.action.as_str()), event.at))
        .collect();
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
    // Our tools are wrapped in a shell; the health check, an exec too, is not.
    let is_tool = |event: &&Event| event.action == "exec_start" && event.command.starts_with("sh -c");
    let tools = events
        .iter()
        .filter(|event| event.service == "postgres-main")
        .filter(is_tool);
    let last_tool = tools.map(|event| event.at).filter(|at| Some(*at) > alone).max();
    assert!(
        last_tool.is_some() && last_tool < first_start,
        "a client ran while a tool worked on the store"
    );
}
