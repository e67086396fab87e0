//! What is overdue is told within a minute of its time, in virtual time; once, also by the service after this one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use stillpoint_core::operations::Order;
use stillpoint_core::ports::history::HistoryLimits;
use stillpoint_core::ports::notices::{Notice, NoticeKind};
use stillpoint_core::ports::{Clock, History};
use stillpoint_core::schedule::Schedule as Times;
use stillpoint_notify::{Carrier, Channel, Place, Post};
use stillpoint_testkit::fakes::history::Disk;
use stillpoint_testkit::fakes::{FakeClock, FakeHistory, FakeOutbox};

use super::*;

/// Takes everything, but for the channel that never answers.
#[derive(Default)]
struct Receivers(Mutex<Vec<(String, Timestamp, Notice)>>);

impl Receivers {
    fn got(&self, kind: NoticeKind) -> Vec<(Timestamp, Notice)> {
        let got = self.0.lock().unwrap();
        let of = got
            .iter()
            .filter(|(to, _, notice)| to == "ntfy:a" && notice.kind == kind);
        of.map(|(_, at, notice)| (*at, notice.clone())).collect()
    }
}

struct Carries(Arc<Receivers>, FakeClock);

#[async_trait]
impl Carrier for Carries {
    async fn carry(&self, channel: &Channel, notice: &Notice) -> Result<String, String> {
        let entry = (channel.name().to_owned(), self.1.now(), notice.clone());
        self.0.0.lock().unwrap().push(entry);
        if channel.kind() == "gotify" {
            std::future::pending::<()>().await;
        }
        Ok("taken".to_owned())
    }
}

struct Stage {
    history: FakeHistory,
    outbox: FakeOutbox,
    receivers: Arc<Receivers>,
    clock: FakeClock,
}

impl Stage {
    fn new() -> Self {
        Self {
            history: FakeHistory::default(),
            outbox: FakeOutbox::default(),
            receivers: Arc::default(),
            clock: FakeClock::new(),
        }
    }

    /// A service that looks for so long.
    async fn serves(&self, span: Duration) {
        let calendar = |text: &str| Calendar::new(text, TimeZone::UTC).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let channels = stillpoint_notify::channels("ntfy://a/t gotify://b/T").unwrap();
        let carries = Carries(self.receivers.clone(), self.clock.clone());
        let post = Post::new(
            Arc::new(self.outbox.clone()),
            clock.clone(),
            Arc::new(carries),
            Arc::new(channels),
            NoticeKind::ALL.to_vec(),
        );
        let place = Place {
            host: "vm1".to_owned(),
            platform: None,
            zone: TimeZone::UTC,
            pages: None,
        };
        let lookout = Lookout {
            planned: vec![Planned {
                job: "backup_job",
                order: Order::Backup { mode: None },
                schedule: Times {
                    calendar: calendar("0 1 * * *"),
                    catch_up: Duration::from_hours(6),
                },
            }],
            // Tuesdays; the virtual day is one.
            digest: Some(calendar("0 8 * * 2")),
            historian: Historian {
                history: Arc::new(self.history.clone()),
                clock: clock.clone(),
                limits: HistoryLimits { days: 365, runs: 100 },
            },
            notices: Notices::by(post, place, clock),
            unreadable: None,
        };
        let over = CancellationToken::new();
        let looking = lookout.begin(&over);
        tokio::time::sleep(span).await;
        over.cancel();
        looking.await;
    }
}

/// The virtual day begins at midnight; the backup is due at one, and overdue six hours later.
#[tokio::test(start_paused = true)]
async fn what_is_overdue_is_told_within_a_minute_once_also_after_a_restart_and_beside_who_never_answers() {
    let stage = Stage::new();
    let midnight = stage.clock.now();
    stage.history.handled("backup_job", midnight).await.unwrap();
    let due = midnight + SignedDuration::from_hours(7);
    stage.serves(Duration::from_mins(6 * 60 + 55)).await;
    assert!(stage.receivers.got(NoticeKind::Overdue).is_empty(), "before its time");
    stage.serves(Duration::from_mins(10)).await;
    let told = stage.receivers.got(NoticeKind::Overdue);
    assert_eq!(told.len(), 1, "{told:?}");
    let (at, notice) = &told[0];
    assert!(due < *at && *at <= due + SignedDuration::from_mins(1), "{at}");
    assert_eq!(notice.title, "Backup is OVERDUE: vm1");
    for _ in 0..3 {
        stage.serves(Duration::from_hours(3)).await;
    }
    assert_eq!(stage.receivers.got(NoticeKind::Overdue).len(), 1, "it was told twice");
    // The next time that is not met is not told apart: the first still stands.
    let weeks = stage.receivers.got(NoticeKind::Digest);
    assert_eq!(weeks.len(), 1, "{weeks:?}");
    assert!(
        weeks[0].1.text.contains("Backup: 0 succeeded; OVERDUE"),
        "{}",
        weeks[0].1.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_history_that_cannot_be_read_is_told_once_as_long_as_it_lasts() {
    let stage = Stage::new();
    stage.history.handled("backup_job", stage.clock.now()).await.unwrap();
    stage.history.disk(Disk::IsBroken);
    stage.serves(Duration::from_hours(2)).await;
    let told = stage.receivers.got(NoticeKind::Failed);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].1.title.starts_with("Nobody can tell what is overdue"),
        "{}",
        told[0].1.title
    );
}
