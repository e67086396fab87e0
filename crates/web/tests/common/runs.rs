//! The history of the fake platform: runs in every state.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stillpoint_core::events::{Event, EventKind, Step};
use stillpoint_core::names::{Address, ArtifactName, Project, RunId, StoreName};
use stillpoint_core::operations::{Order, Restore, Scope};
use stillpoint_core::ports::history::{Asked, Ending, Fact, RunRecord, RunState, Way};

use super::{Scenario, content, now};

/// All of them, the newest first.
pub fn runs(scenario: Scenario) -> Vec<RunRecord> {
    if scenario == Scenario::Empty {
        return Vec::new();
    }
    let mut runs = Vec::new();
    for days in (0..40).rev() {
        let id = content::id(scenario, days);
        let mut run = scheduled(content::run_of(id), &Order::Backup { mode: None }, id.timestamp(), 372);
        run.ending = Some(match days {
            9 => failed(
                "the standstill took longer than 600 s: milvus was not pinned",
                "look at milvus: its flush did not end; `stillpoint doctor` says what it waits for",
            ),
            _ => well(
                &format!("Backup {id} of acme is complete."),
                json!({
                    "manifest": content::manifest(scenario, id, days), "degraded": [],
                }),
            ),
        });
        match days {
            9 => run.state = RunState::Failure,
            4 => {
                run.state = RunState::Degraded;
                run.ending = run.ending.map(|ending| Ending {
                    exit: Some(3),
                    result: Some(
                        json!({"degraded": [{"workload": address("litellm"), "cause": "not healthy after 120 s"}]}),
                    ),
                    ..ending
                });
            }
            _ => {}
        }
        runs.push(run);
        if days % 3 == 0 {
            let at = id.timestamp() + SignedDuration::from_hours(4);
            let order = Order::Verify { scope: Scope::One(id) };
            let run = RunId::new(format!("{}-host7-4711-2", at.as_millisecond()));
            runs.push(scheduled(run, &order, at, 181));
        }
    }
    runs.extend(lately(scenario));
    for (index, run) in runs.iter_mut().enumerate() {
        run.number = Some(index as u64 + 1);
    }
    runs.reverse();
    runs
}

fn lately(scenario: Scenario) -> Vec<RunRecord> {
    let newest = content::newest(scenario);
    let restore = Order::Restore(Restore::from(newest));
    let ago = |minutes: i64| now() - SignedDuration::from_mins(minutes);
    let mut runs = Vec::new();
    let mut cancelled = by_hand("cancelled", &Order::Prune, ago(180), 4);
    cancelled.state = RunState::Canceled;
    cancelled.ending = Some(failed("cancelled by anna", "ask for it again when it suits"));
    runs.push(cancelled);
    match scenario {
        Scenario::Running => {
            runs.push(at_work("running", &Order::Backup { mode: None }, ago(2)));
            let mut waits = at_work("waiting", &Order::Prune, ago(1));
            (waits.state, waits.started_at) = (RunState::Queued, None);
            runs.push(waits);
        }
        Scenario::Restoring => runs.push(at_work("restoring", &restore, ago(4))),
        Scenario::Stopped => {
            let mut run = by_hand("stopped", &restore, ago(40), 512);
            run.state = RunState::Failure;
            run.ending = Some(Ending {
                exit: Some(14),
                ..failed(
                    "neo4j does not hold what was backed up: 1,204 nodes are missing; the platform stays stopped on purpose",
                    "go on with `stillpoint restore resume`, go back with `stillpoint restore undo`",
                )
            });
            runs.push(run);
        }
        Scenario::Undoable => {
            let mut run = by_hand("restored", &restore, ago(70), 640);
            run.ending = Some(well(
                "Backup is restored; every store holds what was backed up.",
                json!({"backup": newest, "platform": "acme", "old_data_kept": true, "degraded": []}),
            ));
            runs.push(run);
        }
        Scenario::Overdue => {
            for days in [3, 2, 1] {
                let at = content::id(scenario, -days).timestamp();
                let run = RunId::new(format!("{}-host7-4711-1", at.as_millisecond()));
                let mut run = scheduled(run, &Order::Backup { mode: None }, at, 31);
                run.state = RunState::Failure;
                run.ending = Some(failed(
                    "there is no room for the backup: s3://backups has 1.20 GiB left, 19.60 GiB are needed",
                    "free room, or shorten `BACKUP_RETENTION_DAYS`",
                ));
                runs.insert(0, run);
            }
        }
        _ => {}
    }
    runs
}

fn scheduled(run: RunId, order: &Order, at: Timestamp, seconds: i64) -> RunRecord {
    let mut record = by_hand("", order, at, seconds);
    record.run = run;
    record.asked = Asked {
        way: Way::Schedule,
        by: format!("{} at {at}", order.job()),
    };
    record
}

fn by_hand(name: &str, order: &Order, at: Timestamp, seconds: i64) -> RunRecord {
    let mut record = at_work(name, order, at);
    record.state = RunState::Success;
    record.ended_at = Some(at + SignedDuration::from_secs(seconds));
    record.ending = Some(well("All is well.", Value::Null));
    record
}

fn at_work(name: &str, order: &Order, at: Timestamp) -> RunRecord {
    RunRecord {
        number: None,
        run: RunId::new(name),
        job: order.job().to_owned(),
        options: serde_json::to_value(order).unwrap(),
        platform: Some(Project::new("acme")),
        asked: Asked {
            way: Way::Ui,
            by: "anna".to_owned(),
        },
        host: "host7".to_owned(),
        process: 4711,
        state: RunState::Started,
        asked_at: at,
        started_at: Some(at),
        ended_at: None,
        ending: None,
    }
}

fn well(said: &str, result: Value) -> Ending {
    Ending {
        exit: Some(0),
        said: Some(said.to_owned()),
        result: Some(result),
        ..Ending::default()
    }
}

fn failed(reason: &str, hint: &str) -> Ending {
    Ending {
        exit: Some(1),
        reason: Some(reason.to_owned()),
        hint: Some(hint.to_owned()),
        ..Ending::default()
    }
}

fn address(service: &str) -> Address {
    Address {
        project: Project::new("acme"),
        service: service.to_owned(),
        number: 1,
    }
}

/// What happened in a run.
pub fn facts(run: &RunRecord) -> Vec<Fact> {
    let began = run.started_at.unwrap_or(run.asked_at);
    let mut facts = Vec::new();
    let mut tell = |millis: i64, kind: EventKind| {
        let event = Event {
            seq: facts.len() as u64 + 1,
            run: run.run.clone(),
            at: began + SignedDuration::from_millis(millis),
            kind,
        };
        facts.push(Fact {
            seq: event.seq,
            event: serde_json::to_value(&event).unwrap(),
        });
    };
    let steps: &[Step] = match run.job.as_str() {
        "full_restore_job" => &[Step::Preflight, Step::Verify, Step::Claim, Step::Stop, Step::Load],
        "backup_job" => &[
            Step::Preflight,
            Step::Claim,
            Step::Stop,
            Step::Pin,
            Step::Start,
            Step::Drain,
        ],
        _ => &[Step::Verify],
    };
    for (index, step) in steps.iter().enumerate() {
        let at = 1_000 * i64::try_from(index).unwrap();
        tell(at, EventKind::StepBegan { step: *step });
        match step {
            Step::Stop => {
                tell(at + 10, EventKind::ClientsGoDown { workloads: 4 });
                for service in ["openwebui", "langfuse-web", "dagster-daemon", "litellm"] {
                    let killed = service == "litellm";
                    tell(
                        at + 300,
                        EventKind::Stopped {
                            workload: address(service),
                            killed,
                        },
                    );
                }
            }
            Step::Start => tell(at + 900, EventKind::ClientsAreBack { millis: 9_200 }),
            Step::Drain => {
                let artifact = ArtifactName::of(&["valkey.rdb"]);
                let store = StoreName::new("valkey");
                tell(
                    at + 700,
                    EventKind::ArtifactDone {
                        store,
                        artifact,
                        bytes: 100_663_296,
                    },
                );
                tell(
                    at + 800,
                    EventKind::Warning {
                        message: "clients of postgres-main wait for a lock".to_owned(),
                    },
                );
            }
            _ => {}
        }
        if run.state.is_over() || index + 1 < steps.len() {
            tell(
                at + 950,
                EventKind::StepEnded {
                    step: *step,
                    millis: 950,
                    ok: true,
                },
            );
        }
    }
    facts
}

/// One artifact of many.
pub fn artifact(run: &RunRecord, seq: u64) -> Fact {
    let event = Event {
        seq,
        run: run.run.clone(),
        at: run.started_at.unwrap_or(run.asked_at),
        kind: EventKind::ArtifactDone {
            store: StoreName::new("milvus"),
            artifact: ArtifactName::of(&[&format!("line-{seq}")]),
            bytes: 1,
        },
    };
    Fact {
        seq,
        event: serde_json::to_value(&event).unwrap(),
    }
}
