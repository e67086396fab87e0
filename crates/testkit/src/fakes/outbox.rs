//! An outbox in memory, whose disk a test can fill.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use stillpoint_core::ports::Outbox;
use stillpoint_core::ports::notices::{
    ChannelNote, Delivery, Noted, Notice, NoticeKind, OutboxError, Outcome, Waiting,
};

use super::lock;

/// An outbox. Clones share it.
#[derive(Clone, Default)]
pub struct FakeOutbox {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// In the order in which they were noted.
    notices: Vec<Noted>,
    channels: BTreeMap<String, ChannelNote>,
    last: u64,
    is_full: bool,
}

impl Kept {
    fn count(&mut self, channel: &str, at: Timestamp, error: Option<&str>) {
        let note = self.channels.entry(channel.to_owned()).or_default();
        channel.clone_into(&mut note.channel);
        match error {
            None => {
                note.delivered += 1;
                note.delivered_at = Some(at);
            }
            Some(error) => {
                note.failed += 1;
                note.failed_at = Some(at);
                note.error = Some(error.to_owned());
            }
        }
    }
}

impl FakeOutbox {
    /// Whether its disk is full.
    pub fn is_full(&self, is_full: bool) {
        lock(&self.kept).is_full = is_full;
    }

    fn write<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> Result<T, OutboxError> {
        let mut kept = lock(&self.kept);
        if kept.is_full {
            return Err(OutboxError {
                place: "memory".to_owned(),
                doing: "written",
                cause: "no space is left on the device".to_owned(),
            });
        }
        Ok(act(&mut kept))
    }
}

#[async_trait]
impl Outbox for FakeOutbox {
    async fn note(&self, notice: &Notice, channels: &[String]) -> Result<bool, OutboxError> {
        self.write(|kept| {
            if kept.notices.iter().any(|noted| noted.notice.key == notice.key) {
                return false;
            }
            kept.last += 1;
            let mut channels = channels.to_vec();
            channels.sort();
            channels.dedup();
            let deliveries = channels.into_iter().map(|channel| Delivery {
                channel,
                tries: 0,
                delivered_at: None,
                again_at: Some(notice.at),
                error: None,
            });
            kept.notices.push(Noted {
                number: kept.last,
                notice: notice.clone(),
                deliveries: deliveries.collect(),
            });
            true
        })
    }

    async fn take(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Waiting>, OutboxError> {
        self.write(|kept| {
            let mut taken = Vec::new();
            for noted in &mut kept.notices {
                for delivery in &mut noted.deliveries {
                    let is_due = delivery.again_at.is_some_and(|again| again <= now);
                    if is_due && taken.len() < limit as usize {
                        delivery.again_at = Some(until);
                        taken.push(Waiting {
                            number: noted.number,
                            channel: delivery.channel.clone(),
                            tries: delivery.tries,
                            notice: noted.notice.clone(),
                        });
                    }
                }
            }
            taken
        })
    }

    async fn attempted(&self, taken: &Waiting, at: Timestamp, outcome: &Outcome) -> Result<(), OutboxError> {
        self.write(|kept| {
            let noted = kept.notices.iter_mut().filter(|noted| noted.number == taken.number);
            let deliveries = noted.flat_map(|noted| &mut noted.deliveries);
            for delivery in deliveries.filter(|delivery| delivery.channel == taken.channel) {
                delivery.tries += 1;
                match outcome {
                    Outcome::Delivered => {
                        delivery.delivered_at = Some(at);
                        delivery.again_at = None;
                        delivery.error = None;
                    }
                    Outcome::Failed { why, again } => {
                        delivery.again_at = *again;
                        delivery.error = Some(why.clone());
                    }
                }
            }
            let error = match outcome {
                Outcome::Delivered => None,
                Outcome::Failed { why, .. } => Some(why.as_str()),
            };
            kept.count(&taken.channel, at, error);
        })
    }

    async fn answered(&self, channel: &str, at: Timestamp, error: Option<&str>) -> Result<(), OutboxError> {
        self.write(|kept| kept.count(channel, at, error))
    }

    async fn last_about(&self, job: &str, kinds: &[NoticeKind]) -> Result<Option<Notice>, OutboxError> {
        let kept = lock(&self.kept);
        let mut about = kept.notices.iter().rev().map(|noted| &noted.notice);
        let found = about.find(|notice| notice.job.as_deref() == Some(job) && kinds.contains(&notice.kind));
        Ok(found.cloned())
    }

    async fn channels(&self) -> Result<Vec<ChannelNote>, OutboxError> {
        Ok(lock(&self.kept).channels.values().cloned().collect())
    }

    async fn notices(&self, limit: u32) -> Result<Vec<Noted>, OutboxError> {
        let kept = lock(&self.kept);
        Ok(kept.notices.iter().rev().take(limit as usize).cloned().collect())
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, OutboxError> {
        self.write(|kept| {
            let had = kept.notices.len();
            kept.notices.retain(|noted| {
                noted.notice.at >= before || noted.deliveries.iter().any(|delivery| delivery.again_at.is_some())
            });
            (had - kept.notices.len()) as u64
        })
    }
}
