//! The post: what is noted in the outbox is carried to its channels, all of them side by side, and attempted again where it
//! did not arrive. A channel that does not answer holds up no other, and no run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use stillpoint_core::ports::notices::{Notice, NoticeKind, OutboxError, Outcome, Waiting};
use stillpoint_core::ports::{Clock, Outbox};

use crate::channels::{Channel, Channels};
use crate::sender::{ATTEMPT, Carrier};

/// When a delivery that failed is attempted again, counted from each failure. Then it is given up.
const AGAIN: [Duration; 7] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(3),
    Duration::from_hours(6),
    Duration::from_hours(12),
];

/// So long a delivery belongs to whoever took it.
const HELD: SignedDuration = SignedDuration::from_mins(3);

/// So many deliveries are taken at once. Each channel attempts its own one after the other, and no more after a failure.
const AT_ONCE: u32 = 10;

/// Nobody asks for a notice that is older.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 365);

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The channel.
    pub channel: String,
    /// What it answered, or why it has not got it.
    pub answer: Result<String, String>,
}

/// What became of a notice when it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// It was not told before.
    pub is_new: bool,
    /// Why it could not be noted. It was attempted once all the same.
    pub unnoted: Option<String>,
    /// What became of that attempt.
    pub answers: Vec<Answer>,
}

/// Notes notices and delivers them.
pub struct Post {
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
    carrier: Arc<dyn Carrier>,
    channels: Arc<Channels>,
    events: Vec<NoticeKind>,
}

impl Post {
    /// To these channels, of these events.
    pub fn new(
        outbox: Arc<dyn Outbox>,
        clock: Arc<dyn Clock>,
        carrier: Arc<dyn Carrier>,
        channels: Arc<Channels>,
        events: Vec<NoticeKind>,
    ) -> Self {
        Self {
            outbox,
            clock,
            carrier,
            channels,
            events,
        }
    }

    /// The channels.
    pub fn channels(&self) -> &[Channel] {
        &self.channels.all
    }

    /// The outbox.
    pub fn outbox(&self) -> &Arc<dyn Outbox> {
        &self.outbox
    }

    /// Notes a notice for [`Post::deliver`]. One that cannot be noted is carried at once: a disk that is full is just what an
    /// operator should hear of.
    pub async fn tell(&self, notice: &Notice) -> Told {
        let is_wanted = self.events.contains(&notice.kind);
        let named = self.channels.all.iter().filter(|_| is_wanted);
        let named: Vec<String> = named.map(|channel| channel.name().to_owned()).collect();
        match self.outbox.note(notice, &named).await {
            Ok(is_new) => Told {
                is_new,
                ..Told::default()
            },
            Err(error) => Told {
                is_new: true,
                unnoted: Some(error.to_string()),
                answers: if is_wanted {
                    self.at_once(notice).await
                } else {
                    Vec::new()
                },
            },
        }
    }

    async fn at_once(&self, notice: &Notice) -> Vec<Answer> {
        let carried = self.channels.all.iter().map(async |channel| Answer {
            channel: channel.name().to_owned(),
            answer: self.carry(channel, notice).await,
        });
        join_all(carried).await
    }

    /// Attempts everything whose time has come, and returns what became of it. Takes little longer than one attempt for each
    /// channel's notice that arrives, and one for a channel that does not answer.
    pub async fn deliver(&self) -> Result<Vec<Answer>, OutboxError> {
        let mut answers = Vec::new();
        loop {
            let now = self.clock.now();
            let taken = self.outbox.take(now, now + HELD, AT_ONCE).await?;
            if taken.is_empty() {
                break;
            }
            let mut of_channels: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
            for waiting in taken {
                of_channels.entry(waiting.channel.clone()).or_default().push(waiting);
            }
            let delivered = of_channels.into_values().map(|waiting| self.deliver_to_one(waiting));
            for delivered in join_all(delivered).await {
                answers.extend(delivered?);
            }
        }
        self.outbox.prune(self.clock.now() - KEPT).await?;
        Ok(answers)
    }

    async fn deliver_to_one(&self, waiting: Vec<Waiting>) -> Result<Vec<Answer>, OutboxError> {
        let mut answers = Vec::new();
        for one in waiting {
            let named = self.channels.all.iter().find(|channel| channel.name() == one.channel);
            let answer = match named {
                Some(channel) => self.carry(channel, &one.notice).await,
                None => Err("it is not configured any more".to_owned()),
            };
            let at = self.clock.now();
            let outcome = match &answer {
                Ok(_) => Outcome::Delivered,
                Err(why) => Outcome::Failed {
                    why: why.clone(),
                    again: named.and_then(|_| again(one.tries, at)),
                },
            };
            self.outbox.attempted(&one, at, &outcome).await?;
            let is_dead = answer.is_err();
            answers.push(Answer {
                channel: one.channel,
                answer,
            });
            if is_dead && named.is_some() {
                // What else waits for it comes again when it is no longer held.
                break;
            }
        }
        Ok(answers)
    }

    /// Sends something to a channel at once, which is counted and not noted.
    pub async fn try_out(&self, channel: &Channel, notice: &Notice) -> Answer {
        let answer = self.carry(channel, notice).await;
        let error = answer.as_ref().err().map(String::as_str);
        if let Err(error) = self.outbox.answered(channel.name(), self.clock.now(), error).await {
            tracing::warn!(%error, "what a channel answered is not noted");
        }
        Answer {
            channel: channel.name().to_owned(),
            answer,
        }
    }

    /// Bounded here too: whoever carries may be wrong about its own limit.
    async fn carry(&self, channel: &Channel, notice: &Notice) -> Result<String, String> {
        let limit = ATTEMPT + Duration::from_secs(1);
        let carried =
            stillpoint_core::ports::within(&*self.clock, limit, "the attempt", self.carrier.carry(channel, notice));
        carried.await.unwrap_or_else(|late| Err(late.to_string()))
    }
}

fn again(tries: u32, at: Timestamp) -> Option<Timestamp> {
    let span = AGAIN.get(usize::try_from(tries).unwrap_or(usize::MAX))?;
    at.checked_add(*span).ok()
}
