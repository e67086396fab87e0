//! The post, in virtual time: once each, again after a failure, given up at last; nobody waits for who does not answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use stillpoint_core::ports::notices::{Notice, NoticeKind};
use stillpoint_core::ports::{Clock, Outbox};
use stillpoint_testkit::fakes::{FakeClock, FakeOutbox};

use super::notice;
use crate::channels::Channel;
use crate::{ATTEMPT, Carrier, Post};

/// What a receiver does.
#[derive(Clone, Copy)]
enum Does {
    Takes,
    Refuses,
    Hangs,
}

/// Receivers, and what each has taken.
#[derive(Default)]
struct Receivers {
    does: Mutex<BTreeMap<String, Does>>,
    attempts: Mutex<Vec<(String, String)>>,
}

impl Receivers {
    fn does(&self, channel: &str, does: Does) {
        self.does.lock().unwrap().insert(channel.to_owned(), does);
    }

    fn of(&self, channel: &str) -> Vec<String> {
        let attempts = self.attempts.lock().unwrap();
        let of = attempts.iter().filter(|(to, _)| to == channel);
        of.map(|(_, key)| key.clone()).collect()
    }
}

#[async_trait]
impl Carrier for Receivers {
    async fn carry(&self, channel: &Channel, notice: &Notice) -> Result<String, String> {
        let to = channel.name().to_owned();
        self.attempts.lock().unwrap().push((to.clone(), notice.key.clone()));
        let does = self.does.lock().unwrap().get(&to).copied().unwrap_or(Does::Takes);
        match does {
            Does::Takes => Ok("taken".to_owned()),
            Does::Refuses => Err("it answered 500".to_owned()),
            // Also one that breaks the promise of its limit.
            Does::Hangs => std::future::pending().await,
        }
    }
}

struct Stage {
    post: Post,
    receivers: Arc<Receivers>,
    outbox: FakeOutbox,
    clock: FakeClock,
}

fn stage() -> Stage {
    let (receivers, outbox, clock) = (Arc::<Receivers>::default(), FakeOutbox::default(), FakeClock::new());
    let channels = crate::channels("ntfy://a/t gotify://b/T").unwrap();
    let post = Post::new(
        Arc::new(outbox.clone()),
        Arc::new(FakeClock::new()),
        receivers.clone(),
        Arc::new(channels),
        vec![NoticeKind::Failed],
    );
    Stage {
        post,
        receivers,
        outbox,
        clock,
    }
}

fn at(clock: &FakeClock, key: &str) -> Notice {
    Notice {
        key: key.to_owned(),
        at: clock.now(),
        ..notice()
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_reaches_every_channel_once_however_often_it_is_told() {
    let Stage {
        post, receivers, clock, ..
    } = stage();
    assert!(post.tell(&at(&clock, "x")).await.is_new);
    assert!(!post.tell(&at(&clock, "x")).await.is_new);
    assert_eq!(post.deliver().await.unwrap().len(), 2);
    assert!(post.deliver().await.unwrap().is_empty());
    assert_eq!((receivers.of("ntfy:a").len(), receivers.of("gotify:b").len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_wants_to_hear_is_noted_and_not_delivered() {
    let Stage {
        post, outbox, clock, ..
    } = stage();
    let digest = Notice {
        kind: NoticeKind::Digest,
        ..at(&clock, "week")
    };
    post.tell(&digest).await;
    assert!(post.deliver().await.unwrap().is_empty());
    assert_eq!(outbox.notices(10).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_hangs_costs_one_attempt_and_holds_up_nobody_else() {
    let Stage {
        post, receivers, clock, ..
    } = stage();
    receivers.does("ntfy:a", Does::Hangs);
    for key in ["1", "2", "3"] {
        post.tell(&at(&clock, key)).await;
    }
    let begun = clock.elapsed();
    post.deliver().await.unwrap();
    let took = clock.elapsed().saturating_sub(begun);
    assert!(took <= ATTEMPT + Duration::from_secs(2), "{took:?}");
    assert_eq!(receivers.of("ntfy:a"), ["1"]);
    assert_eq!(receivers.of("gotify:b"), ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_attempted_again_with_growing_pauses_and_given_up_within_a_day() {
    let Stage {
        post,
        receivers,
        outbox,
        clock,
    } = stage();
    receivers.does("ntfy:a", Does::Refuses);
    post.tell(&at(&clock, "x")).await;
    let mut attempts = Vec::new();
    for _ in 0..3 * 24 * 60 {
        let before = receivers.of("ntfy:a").len();
        post.deliver().await.unwrap();
        if receivers.of("ntfy:a").len() > before {
            attempts.push(clock.elapsed().as_secs() / 60);
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    assert_eq!(attempts.len(), 8, "{attempts:?}");
    let pauses: Vec<u64> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.is_sorted() && pauses[0] <= 2, "{pauses:?}");
    assert!(attempts[7] < 24 * 60, "{attempts:?}");
    let noted = outbox.notices(1).await.unwrap();
    let delivery = noted[0]
        .deliveries
        .iter()
        .find(|delivery| delivery.channel == "ntfy:a")
        .unwrap();
    assert!(delivery.again_at.is_none() && delivery.error.as_deref() == Some("it answered 500"));
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_gets_what_it_missed() {
    let Stage {
        post, receivers, clock, ..
    } = stage();
    receivers.does("ntfy:a", Does::Refuses);
    post.tell(&at(&clock, "x")).await;
    post.tell(&at(&clock, "y")).await;
    post.deliver().await.unwrap();
    receivers.does("ntfy:a", Does::Takes);
    tokio::time::sleep(Duration::from_mins(4)).await;
    post.deliver().await.unwrap();
    assert_eq!(receivers.of("ntfy:a"), ["x", "x", "y"]);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_noted_it_is_told_at_once() {
    let Stage {
        post,
        receivers,
        outbox,
        clock,
    } = stage();
    outbox.is_full(true);
    let told = post.tell(&at(&clock, "x")).await;
    assert!(told.unnoted.is_some_and(|why| why.contains("no space")));
    assert_eq!(told.answers.len(), 2);
    assert_eq!(receivers.of("ntfy:a"), ["x"]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_channel_that_is_gone_is_given_up() {
    let Stage {
        post, outbox, clock, ..
    } = stage();
    outbox.note(&at(&clock, "x"), &["slack:gone".to_owned()]).await.unwrap();
    let answers = post.deliver().await.unwrap();
    assert_eq!(answers[0].answer.as_ref().unwrap_err(), "it is not configured any more");
    tokio::time::sleep(Duration::from_hours(48)).await;
    assert!(post.deliver().await.unwrap().is_empty());
}
