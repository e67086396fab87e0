//! The backups of the fake platform.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use stillpoint_core::backups::Verified;
use stillpoint_core::manifest::{
    Artifact, Count, Inventory, Lists, Manifest, Mode, Standstill, StoreRecord, Took, Watermark, Watermarks,
    WorkloadRecord,
};
use stillpoint_core::names::{Address, ArtifactName, BackupId, Project, RunId, StoreKind, StoreName};
use stillpoint_core::operations::{Backup, BackupList};
use stillpoint_core::workload::State;

use super::Scenario;

/// Name, kind, version, size of the newest in MiB, artifacts with the database that each is of.
type Described = (
    &'static str,
    &'static str,
    &'static str,
    u64,
    &'static [(&'static str, Option<&'static str>)],
);

const STORES: [Described; 7] = [
    (
        "postgres-main",
        "postgres",
        "PostgreSQL 16.8",
        5_310,
        &[
            ("postgres-main/globals.sql.gz", None),
            ("postgres-main/openwebui.dump", Some("openwebui")),
            ("postgres-main/langfuse.dump", Some("langfuse")),
            ("postgres-main/dagster.dump", Some("dagster")),
            ("postgres-main/litellm.dump", Some("litellm")),
        ],
    ),
    (
        "postgres-ferretdb",
        "documentdb",
        "PostgreSQL 16.6, documentdb 0.102",
        812,
        &[
            ("postgres-ferretdb/globals.sql.gz", None),
            ("postgres-ferretdb/ferretdb.dump", Some("ferretdb")),
        ],
    ),
    ("milvus", "milvus", "2.5.11", 9_480, &[("milvus/etcd.jsonl.gz", None)]),
    (
        "neo4j",
        "neo4j",
        "5.26.4 community",
        640,
        &[("neo4j.dump", Some("neo4j")), ("neo4j-system.dump", Some("system"))],
    ),
    (
        "clickhouse",
        "clickhouse",
        "25.3.2.39",
        3_720,
        &[("clickhouse/metadata.json", None)],
    ),
    ("valkey", "valkey", "8.1.1", 96, &[("valkey.rdb", None)]),
    ("nats", "nats", "2.11.3", 48, &[("nats-jetstream.tar.gz", None)]),
];

/// The names of the stores, in their order.
pub fn store_names(scenario: Scenario) -> Vec<String> {
    STORES
        .iter()
        .map(|(name, ..)| named(scenario, name).to_owned())
        .collect()
}

/// Kind and version of a store.
pub fn described(position: usize) -> (&'static str, &'static str) {
    (STORES[position].1, STORES[position].2)
}

fn named(scenario: Scenario, name: &'static str) -> &'static str {
    match (scenario, name) {
        (Scenario::Hostile, "valkey") => "<script>alert(1)</script>",
        _ => name,
    }
}

/// The newest backup's id.
pub fn newest(scenario: Scenario) -> BackupId {
    let text = match scenario {
        Scenario::Overdue => "2026-03-11_00-00-00",
        _ => "2026-03-14_00-00-00",
    };
    text.parse().unwrap()
}

/// The id of the backup that many days before the newest.
pub fn id(scenario: Scenario, days: i64) -> BackupId {
    BackupId::at(newest(scenario).timestamp() - SignedDuration::from_hours(24 * days))
}

pub fn run_of(id: BackupId) -> RunId {
    RunId::new(format!("{}-host7-4711-1", id.timestamp().as_millisecond()))
}

/// All of them.
pub fn backups(scenario: Scenario) -> BackupList {
    let mut list = BackupList {
        place: "s3://backups/acme at https://s3.example.net".to_owned(),
        backups: Vec::new(),
        unreadable: Vec::new(),
        partial: Vec::new(),
        incomplete: Vec::new(),
    };
    if scenario == Scenario::Empty {
        return list;
    }
    for days in (0..40).rev() {
        let at = id(scenario, days);
        match days {
            9 => list.partial.push((
                at,
                "the standstill took longer than 600 s: milvus was not pinned".to_owned(),
            )),
            17 => list.unreadable.push((
                at,
                "the manifest is damaged: expected value at line 1 column 1".to_owned(),
            )),
            _ => list.backups.push(backup(scenario, at, days)),
        }
    }
    if scenario == Scenario::Running {
        list.incomplete.push("2026-03-14_07-10-00".parse().unwrap());
    }
    list
}

fn backup(scenario: Scenario, id: BackupId, days: i64) -> Backup {
    let manifest = manifest(scenario, id, days);
    let verified_at = id.timestamp() + SignedDuration::from_hours(4);
    let sound = !(days == 21 || scenario == Scenario::AtRisk && days == 0);
    Backup {
        id,
        size: manifest.size(),
        verified: (days % 3 == 0).then_some(Verified { at: verified_at, sound }),
        protected: days == 13 || days == 30,
        manifest,
    }
}

/// One of them.
pub fn manifest(scenario: Scenario, id: BackupId, days: i64) -> Manifest {
    let began = id.timestamp();
    let after = |millis: i64| began + SignedDuration::from_millis(millis);
    let stores = (0..STORES.len()).filter(|position| !(days == 26 && *position == 3));
    Manifest {
        format: 1,
        stillpoint: "0.9.0".to_owned(),
        id,
        platform: Project::new("acme"),
        run: run_of(id),
        mode: Mode::Pin,
        began,
        sealed: after(372_000 + 1_000 * (days % 7)),
        standstill: Some(Standstill {
            stopping: after(2_100),
            began: after(4_000),
            ended: after(7_300),
            back: Some(after(11_100 + 400 * (days % 5))),
        }),
        workloads: workloads(scenario),
        stores: stores
            .map(|position| store(scenario, position, days, after(5_000 + 40 * days)))
            .collect(),
        adopted: days == 39,
        safety_of: None,
        failure: None,
    }
}

fn workloads(scenario: Scenario) -> Vec<WorkloadRecord> {
    let clients = [
        "openwebui",
        "langfuse-web",
        "dagster-daemon",
        "litellm",
        "backup-cron",
        "traefik",
    ];
    let stores = store_names(scenario);
    let stores = stores
        .iter()
        .map(String::as_str)
        .map(|name| (name, "store", "leave", "its data is backed up"));
    let clients = clients
        .iter()
        .map(|name| match name.starts_with("backup") || *name == "traefik" {
            true => (*name, "kept", "leave", "its name is kept"),
            false => (*name, "client", "stop", "it may write to stores"),
        });
    stores
        .chain(clients)
        .map(|(service, role, action, reason)| WorkloadRecord {
            address: Address {
                project: Project::new("acme"),
                service: service.to_owned(),
                number: 1,
            },
            image: format!(
                "registry.example.net/{}:stable",
                service.replace(['<', '>', '(', ')', '/'], "")
            ),
            image_id: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            state: State::Running,
            role: role.to_owned(),
            action: action.to_owned(),
            reason: reason.to_owned(),
            left_out: None,
        })
        .collect()
}

fn store(scenario: Scenario, position: usize, days: i64, pinned: Timestamp) -> StoreRecord {
    let (name, kind, version, mib, artifacts) = STORES[position];
    let days = u64::try_from(days).unwrap();
    let wave = (days * 7 + position as u64 * 3) % 11;
    let grown = mib * 1_048_576 / 1_000 * (1_000 - days * 4 + wave);
    let bytes = match (scenario, name, days) {
        (Scenario::AtRisk, "nats", 0) => 0,
        (Scenario::AtRisk, "clickhouse", 0) => grown / 3,
        (_, "clickhouse", 5..=11) => grown / 2,
        _ => grown,
    };
    let mark = Watermark(BTreeMap::from([(format!("{name}.writes"), 4_711_000 - days * 9_000)]));
    let delegated = matches!(kind, "milvus" | "clickhouse");
    let count = artifacts.len() as u64;
    StoreRecord {
        name: StoreName::new(named(scenario, name)),
        kind: StoreKind::new(kind),
        version: version.to_owned(),
        pinned,
        artifacts: artifacts
            .iter()
            .enumerate()
            .map(|(index, (artifact, of))| Artifact {
                name: ArtifactName::try_from((*artifact).to_owned()).unwrap(),
                content: if of.is_some() { "database" } else { "globals" }.to_owned(),
                of: of.map(str::to_owned),
                size: if delegated { 18_211 } else { bytes / count },
                sha256: format!(
                    "{:064x}",
                    0x9f86_d081_u128 * (days as u128 + 3) * (index as u128 + 7) * 0x884c_7d65_9a2f
                ),
                lists: delegated.then_some(Lists { objects: 412, bytes }),
            })
            .collect(),
        inventory: Inventory(BTreeMap::from([
            (
                "tables".to_owned(),
                Count {
                    count: 118,
                    exact: true,
                },
            ),
            (
                "rows".to_owned(),
                Count {
                    count: 9_120_442 - days * 1_200,
                    exact: true,
                },
            ),
        ])),
        took: Some(Took {
            pin: 310 + 90 * position as u64,
            drain: 21_000 + 8_000 * position as u64,
        }),
        watermarks: Some(Watermarks {
            before: mark.clone(),
            after: mark,
        }),
        facts: BTreeMap::new(),
    }
}
