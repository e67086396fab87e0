//! Every kind of channel and heartbeat against a recorded server: the right shape, the secret kept, attempted again; and that
//! who does not answer holds up nobody.

mod addresses;
mod beats;
mod mail;
mod posts;
mod shapes;
mod texts;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use stillpoint_core::names::{Project, RunId};
use stillpoint_core::ports::history::{Asked, Ending, RunRecord, RunState, Way};
use stillpoint_core::ports::notices::{Notice, NoticeKind};
use wiremock::{MockServer, Request};

use crate::Place;

/// What must never be seen.
const SECRET: &str = "s3cr3t-Tok3n-Value";

fn at() -> Timestamp {
    Timestamp::constant(1_771_286_400, 0)
}

fn place() -> Place {
    Place {
        host: "vm1".to_owned(),
        platform: Some("acme".to_owned()),
        zone: TimeZone::get("Europe/Zurich").unwrap(),
        pages: Some("https://backup.example.org".to_owned()),
    }
}

fn notice() -> Notice {
    Notice {
        key: "ended:1".to_owned(),
        kind: NoticeKind::Failed,
        job: Some("backup_job".to_owned()),
        run: Some("42".to_owned()),
        platform: Some("acme".to_owned()),
        host: "vm1".to_owned(),
        at: at(),
        title: "Backup FAILED: acme on vm1".to_owned(),
        text: "no <space> & nothing else".to_owned(),
        hint: Some("make room".to_owned()),
        link: Some("https://backup.example.org/runs/42".to_owned()),
    }
}

fn run(state: RunState, exit: Option<u8>) -> RunRecord {
    RunRecord {
        number: Some(42),
        run: RunId::new("1771286400000-vm1-7-0"),
        job: "backup_job".to_owned(),
        options: json!({ "order": "backup" }),
        platform: Some(Project::new("acme")),
        asked: Asked {
            way: Way::Schedule,
            by: "0 1 * * * for Tue".to_owned(),
        },
        host: "vm1".to_owned(),
        process: 7,
        state,
        asked_at: at(),
        started_at: Some(at()),
        ended_at: Some(at() + jiff::SignedDuration::from_secs(306)),
        ending: Some(Ending {
            exit,
            reason: Some("the disk is full".to_owned()).filter(|_| state == RunState::Failure),
            hint: Some("make room".to_owned()).filter(|_| state == RunState::Failure),
            ..Ending::default()
        }),
    }
}

/// The only request that a server has got.
async fn only(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).map_or("", |value| value.to_str().unwrap())
}
