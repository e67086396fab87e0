//! What a backup would do with each workload of the fake platform.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::SignedDuration;
use stillpoint_core::command_line::CommandLine;
use stillpoint_core::engine::plan::{Action, Capture, Entry, Role};
use stillpoint_core::manifest::{DataKind, LeftOut, Mode, Took};
use stillpoint_core::names::{Address, Project, StoreName, WorkloadId};
use stillpoint_core::stores::Footing;
use stillpoint_core::workload::{Contents, Environment, Health, RestartPolicy, State, Workload};

use super::{Scenario, content, now};

/// One entry for each.
pub fn entries(scenario: Scenario) -> Vec<Entry> {
    let mut entries: Vec<Entry> = content::store_names(scenario).iter().map(|name| store(name)).collect();
    for client in ["dagster-daemon", "langfuse-web", "litellm", "openwebui"] {
        entries.push(Entry {
            action: Action::Stop(Duration::from_secs(10)),
            left_out: Some(match client {
                "openwebui" => vec![LeftOut {
                    what: DataKind::Volume,
                    name: "acme_uploads".to_owned(),
                    at: Some("/app/backend/data".to_owned()),
                    bytes: Some(3_221_225_472),
                }],
                _ => Vec::new(),
            }),
            ..left(client, Role::Client, "it may write to stores")
        });
    }
    for kept in ["backup-cron", "traefik"] {
        entries.push(left(kept, Role::Kept, "its name is kept"));
    }
    entries
}

fn store(name: &str) -> Entry {
    Entry {
        worked_on: true,
        capture: Some(Capture {
            mode: Mode::Pin,
            footing: Footing::Running,
            expected: Some(Took {
                pin: 410,
                drain: 33_000,
            }),
            last_bytes: None,
        }),
        ..left(name, Role::Store(StoreName::new(name)), "it is pinned while it runs")
    }
}

fn left(service: &str, role: Role, reason: &str) -> Entry {
    Entry {
        workload: workload(service),
        role,
        action: Action::Leave,
        reason: reason.to_owned(),
        worked_on: false,
        outlives_kill: false,
        capture: None,
        left_out: None,
    }
}

fn workload(service: &str) -> Workload {
    Workload {
        address: Address {
            project: Project::new("acme"),
            service: service.to_owned(),
            number: 1,
        },
        id: WorkloadId::new(format!("{:0<64}", service.len())),
        container: format!("acme-{service}-1"),
        image: "registry.example.net/acme:stable".to_owned(),
        image_id: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        state: State::Running,
        started_at: Some(now() - SignedDuration::from_hours(30)),
        health: Some(Health::Healthy),
        restart: RestartPolicy::never(),
        restart_count: 0,
        exit_code: None,
        stop_grace: None,
        auto_remove: false,
        network_of: None,
        aliases: Vec::new(),
        joined: Vec::new(),
        health_takes: None,
        health_first: None,
        ports: BTreeSet::from([5432]),
        mounts: Vec::new(),
        contents: Contents::default(),
        labels: BTreeMap::new(),
        environment: Environment::default(),
        command: CommandLine::default(),
    }
}
