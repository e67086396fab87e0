//! `Idempotency-Key`: what is sent again with the same key is the same run, so that who heard no answer may ask again.
//! Kept in memory, for so many: a service that starts anew knows none.

use std::collections::VecDeque;

use axum::http::HeaderMap;
use stillpoint_core::names::{Project, RunId};
use stillpoint_core::operations::Order;

use crate::auth::Who;
use crate::wire::{Problem, Submission};

/// So many keys are known.
const KEPT: usize = 1000;

/// So long a key may be.
const LONGEST: usize = 255;

/// The keys that were sent last.
#[derive(Default)]
pub(crate) struct Keys {
    /// The oldest first.
    sent: VecDeque<Sent>,
}

struct Sent {
    by: String,
    key: String,
    order: Order,
    platform: Option<Project>,
    run: RunId,
}

/// Whether a key was sent before.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// No, as far as is known.
    Never,
    /// With the same order, which is this run.
    AsThis(RunId),
    /// With another order.
    AsOther,
}

impl Keys {
    pub(super) fn seen(&self, who: &Who, key: &str, submission: &Submission) -> Seen {
        match self.sent.iter().find(|sent| sent.key == key && sent.by == who.name) {
            None => Seen::Never,
            Some(sent) if (&sent.order, &sent.platform) == (&submission.order, &submission.platform) => {
                Seen::AsThis(sent.run.clone())
            }
            Some(_) => Seen::AsOther,
        }
    }

    pub(super) fn remember(&mut self, who: &Who, key: String, submission: &Submission, run: RunId) {
        while self.sent.len() >= KEPT {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            by: who.name.clone(),
            key,
            order: submission.order.clone(),
            platform: submission.platform.clone(),
            run,
        });
    }
}

/// The key of a request, if it has one.
pub(super) fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key.to_str().ok().filter(|key| (1..=LONGEST).contains(&key.len()));
    let wrong = || {
        Problem::unusable(
            "this is no Idempotency-Key",
            "take a random text of at most 255 letters and digits",
        )
    };
    key.map(|key| Some(key.to_owned())).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(order: Order) -> Submission {
        Submission {
            order,
            platform: None,
            asked: Who::local().asked(),
        }
    }

    #[test]
    fn a_key_is_one_order_of_one_asker_and_the_oldest_is_forgotten() {
        let mut keys = Keys::default();
        let (who, other) = (
            Who::local(),
            Who {
                name: "other".to_owned(),
                ..Who::local()
            },
        );
        let prune = sent(Order::Prune);
        keys.remember(&who, "k".to_owned(), &prune, RunId::new("1"));
        assert_eq!(keys.seen(&who, "k", &prune), Seen::AsThis(RunId::new("1")));
        assert_eq!(keys.seen(&who, "k", &sent(Order::DiscardOld)), Seen::AsOther);
        assert_eq!(keys.seen(&other, "k", &prune), Seen::Never);
        for number in 0..KEPT {
            keys.remember(&who, number.to_string(), &prune, RunId::new("2"));
        }
        assert_eq!(keys.seen(&who, "k", &prune), Seen::Never);
        assert_eq!(keys.sent.len(), KEPT);
    }
}
