//! Heartbeats: what is heard where, again where it was not, and by the same run under the same id.

use std::time::Duration;

use stillpoint_core::ports::history::RunState;
use stillpoint_testkit::fakes::FakeClock;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{SECRET, run};
use crate::sender::Sender;
use crate::{Beat, Heartbeat, Patience};

fn heartbeat(server: &MockServer, path: &str) -> Heartbeat {
    let text = format!("backup_job={}{path}", server.uri());
    crate::heartbeats(&text, &["backup_job"]).unwrap().all.remove(0)
}

async fn told(heartbeat: &Heartbeat, beat: &Beat) -> Result<(), String> {
    let sender = Sender::new();
    heartbeat.tell(&sender, &FakeClock::new(), Patience::Short, beat).await
}

async fn paths(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let path = |request: &wiremock::Request| match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    requests.iter().map(path).collect()
}

fn began() -> Beat {
    Beat::Began {
        run: run(RunState::Started, None).run,
    }
}

#[tokio::test]
async fn healthchecks_hears_begin_success_and_failure_of_one_run() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let heartbeat = heartbeat(&server, "/ping/1234-5678");
    for beat in [
        began(),
        Beat::ended(&run(RunState::Success, Some(0))),
        Beat::ended(&run(RunState::Failure, Some(12))),
        Beat::ended(&run(RunState::Degraded, Some(3))),
    ] {
        told(&heartbeat, &beat).await.unwrap();
    }
    let paths = paths(&server).await;
    let rid = paths[0].split("rid=").nth(1).unwrap();
    assert_eq!(rid.len(), 36);
    assert_eq!((&rid[8..9], &rid[14..15]), ("-", "8"));
    let expected = ["start?", "?", "fail?", "fail?"].map(|word| {
        let slash = if word == "?" { "" } else { "/" };
        format!("/ping/1234-5678{slash}{word}rid={rid}")
    });
    assert_eq!(paths, expected);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[2].body, b"FAILURE: the disk is full");
}

#[tokio::test]
async fn kuma_hears_how_it_ended_and_how_long_it_took() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let heartbeat = heartbeat(&server, "/api/push/Abc123?status=up&msg=OK&ping=");
    for beat in [
        began(),
        Beat::ended(&run(RunState::Success, Some(0))),
        Beat::ended(&run(RunState::Failure, Some(12))),
    ] {
        told(&heartbeat, &beat).await.unwrap();
    }
    let expected = [
        "/api/push/Abc123?status=up&msg=OK&ping=306000",
        "/api/push/Abc123?status=down&msg=FAILURE%3A+the+disk+is+full&ping=306000",
    ];
    assert_eq!(paths(&server).await, expected);
}

/// A clock that does not wait, and says how long it would have.
struct Impatient(std::sync::Mutex<Vec<Duration>>);

#[async_trait::async_trait]
impl stillpoint_core::ports::Clock for Impatient {
    fn now(&self) -> jiff::Timestamp {
        super::at()
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, span: Duration) {
        self.0.lock().unwrap().push(span);
    }
}

#[tokio::test]
async fn one_that_is_not_heard_is_sent_again_and_then_told_without_its_secret() {
    let server = MockServer::start().await;
    let refusing = ResponseTemplate::new(503).set_body_string(format!("no {SECRET}"));
    Mock::given(any())
        .respond_with(refusing)
        .up_to_n_times(2)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let beats = heartbeat(&server, &format!("/{SECRET}"));
    let clock = Impatient(std::sync::Mutex::default());
    let sender = Sender::new();
    beats.tell(&sender, &clock, Patience::Long, &began()).await.unwrap();
    assert_eq!(paths(&server).await.len(), 3);
    assert_eq!(
        *clock.0.lock().unwrap(),
        [Duration::from_secs(2), Duration::from_secs(30)]
    );

    let server = MockServer::start().await;
    let refusing = ResponseTemplate::new(404).set_body_string(format!("no {SECRET}"));
    Mock::given(any()).respond_with(refusing).mount(&server).await;
    let beats = heartbeat(&server, &format!("/{SECRET}"));
    let why = beats
        .tell(&sender, &clock, Patience::Short, &began())
        .await
        .unwrap_err();
    assert_eq!(why, "it answered 404 Not Found: no (hidden)");
    assert_eq!(paths(&server).await.len(), 2);
}
