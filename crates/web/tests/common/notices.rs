//! What the fake platform has told, and whom.

use jiff::{SignedDuration, Timestamp};
use stillpoint_core::ports::notices::{ChannelNote, Delivery, Noted, Notice, NoticeKind};
use stillpoint_web::wire::notices::{Channel, Notices, Tried};

use super::{Scenario, now};

fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

/// Who is told, and what was.
pub fn all(scenario: Scenario) -> Notices {
    if scenario == Scenario::Empty {
        return Notices::default();
    }
    let channel = |name: &str, is_heartbeat, failed_at: Option<Timestamp>| Channel {
        is_heartbeat,
        note: ChannelNote {
            channel: name.to_owned(),
            delivered: 41,
            failed: u64::from(failed_at.is_some()),
            delivered_at: Some(ago(31)),
            failed_at,
            error: failed_at.map(|_| "it answered 401 Unauthorized: <b>who</b>".to_owned()),
        },
    };
    let delivery = |channel: &str, delivered: bool| Delivery {
        channel: channel.to_owned(),
        tries: 2,
        delivered_at: delivered.then(|| ago(2)),
        again_at: (!delivered).then(now),
        error: (!delivered).then(|| "it did not answer within 10 s".to_owned()),
    };
    let name = if scenario == Scenario::Hostile {
        "<script>alert(1)</script>"
    } else {
        "acme"
    };
    let notice = Notice {
        key: "ended:1".to_owned(),
        kind: NoticeKind::Failed,
        job: Some("backup_job".to_owned()),
        run: Some("52".to_owned()),
        platform: Some(name.to_owned()),
        host: "host7".to_owned(),
        at: ago(2),
        title: format!("Backup FAILED: {name} on host7"),
        text: "there is no room for the backup\nRun 52.".to_owned(),
        hint: Some("make room".to_owned()),
        link: None,
    };
    Notices {
        channels: vec![
            channel("email:mail.example.org", false, None),
            channel("ntfy:ntfy.sh", false, Some(ago(1))),
            channel("heartbeat:backup_job:hc-ping.com", true, None),
        ],
        events: NoticeKind::ALL.to_vec(),
        notices: vec![Noted {
            number: 1,
            notice,
            deliveries: vec![
                delivery("email:mail.example.org", true),
                delivery("ntfy:ntfy.sh", false),
            ],
        }],
    }
}

/// What each answers to a test.
pub fn tried() -> Vec<Tried> {
    [
        ("email:mail.example.org", true, "queued"),
        ("ntfy:ntfy.sh", false, "it answered 401"),
    ]
    .map(|(channel, delivered, answer)| Tried {
        channel: channel.to_owned(),
        delivered,
        answer: answer.to_owned(),
    })
    .into()
}
