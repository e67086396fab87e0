//! The memory of all uploads together: [`BUDGET`], however many there are. A part takes it in small
//! steps while it is gathered, and gives it back when it has been sent.
//!
//! **No upload waits for ever.** Of the parts that are being gathered the one that was begun first
//! is the *eldest*. Whoever is not the eldest gets a step only if, after it, the eldest can still
//! grow to [`FLOOR`] bytes. Let `B` be the budget and `others` what all gathered parts but the
//! eldest hold. Then always `B - others >= FLOOR`:
//!
//! - a step of another is given only if `free >= step + (FLOOR - held by the eldest)`, and `free` is
//!   never more than `B - others - held by the eldest`;
//! - a step of the eldest changes nothing in `others`;
//! - when the eldest is sent or dropped, the next one becomes the eldest and leaves `others`, which
//!   only shrinks; a new part is the youngest and holds nothing.
//!
//! What of this is not free is on its way to the server, and comes back within the limits of
//! [`super::limits`], whatever any producer does. So the eldest always reaches `FLOOR`, which is
//! more than the least size of a part: it can be sent. Then the next is the eldest, and so every
//! part has its turn. All of this as long as the eldest's producer delivers or ends: nobody may
//! write to one upload only after another of his own has taken a piece. Whoever already holds a
//! part of a sendable size need not wait for its turn: see [`super::upload`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Bytes that parts may hold together, gathered or on their way.
pub(super) const BUDGET: usize = 40 << 20;

/// Bytes that the eldest part can always reach.
pub(super) const FLOOR: usize = 8 << 20;

/// The memory of all uploads.
#[derive(Debug)]
pub(super) struct Budget {
    accounts: Mutex<Accounts>,
    changed: Notify,
    /// For the one part that may be larger than the budget.
    alone: Arc<Semaphore>,
}

#[derive(Debug)]
struct Accounts {
    free: usize,
    /// What each part that is being gathered holds, the eldest first.
    gathered: BTreeMap<u64, usize>,
    next: u64,
}

/// What a part that is being gathered holds. Gives it back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    budget: Arc<Budget>,
    number: u64,
}

/// What a part that is on its way holds. Gives it back when dropped.
#[derive(Debug)]
pub(super) struct Sent {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            accounts: Mutex::new(Accounts {
                free: BUDGET,
                gathered: BTreeMap::new(),
                next: 0,
            }),
            changed: Notify::new(),
            alone: Arc::new(Semaphore::new(1)),
        })
    }

    /// The right to gather a part that is larger than the budget, and is not counted in it. Whoever
    /// has it waits for nothing but his producer and the server, so it comes back.
    pub(super) async fn alone(&self) -> Option<OwnedSemaphorePermit> {
        self.alone.clone().acquire_owned().await.ok()
    }

    /// The account of a new part, the youngest.
    pub(super) fn open(self: &Arc<Self>) -> Held {
        let mut accounts = self.accounts();
        let number = accounts.next;
        accounts.next += 1;
        accounts.gathered.insert(number, 0);
        Held {
            budget: self.clone(),
            number,
        }
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, number: u64) -> usize {
        let held = self.accounts().gathered.remove(&number);
        // Another is the eldest now.
        self.changed.notify_waiters();
        held.unwrap_or(0)
    }

    fn give_back(&self, bytes: usize) {
        self.accounts().free += bytes;
        self.changed.notify_waiters();
    }
}

impl Accounts {
    fn grow(&mut self, number: u64, bytes: usize) -> bool {
        let kept = match self.gathered.first_key_value() {
            Some((eldest, held)) if *eldest != number => FLOOR.saturating_sub(*held),
            _ => 0,
        };
        if self.free < bytes + kept {
            return false;
        }
        self.free -= bytes;
        *self.gathered.entry(number).or_default() += bytes;
        true
    }
}

impl Held {
    /// Takes `bytes` more if they are to be had at once.
    pub(super) fn try_grow(&self, bytes: usize) -> bool {
        self.budget.accounts().grow(self.number, bytes)
    }

    /// Takes `bytes` more, as soon as they are to be had. Nothing is taken if this is dropped.
    pub(super) async fn grow(&self, bytes: usize) {
        loop {
            let mut changed = std::pin::pin!(self.budget.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if self.try_grow(bytes) {
                return;
            }
            changed.await;
        }
    }

    /// The part goes on its way.
    pub(super) fn send(self) -> Sent {
        let bytes = self.budget.close(self.number);
        Sent {
            budget: self.budget.clone(),
            bytes,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let bytes = self.budget.close(self.number);
        self.budget.give_back(bytes);
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::*;

    const STEP: usize = 64 << 10;

    async fn fill(held: &Held, bytes: usize) {
        for _ in 0..bytes / STEP {
            held.grow(STEP).await;
            tokio::task::yield_now().await;
        }
    }

    /// So many parts of the same size at once, each of which is sent when it is full.
    async fn all_arrive(parts: usize, bytes: usize) -> bool {
        let budget = Budget::new();
        let mut tasks = JoinSet::new();
        for _ in 0..parts {
            let budget = budget.clone();
            tasks.spawn(async move {
                let held = budget.open();
                fill(&held, bytes).await;
                let sent = held.send();
                tokio::time::sleep(Duration::from_millis(100)).await;
                drop(sent);
            });
        }
        let arrived = tokio::time::timeout(Duration::from_hours(1), tasks.join_all()).await;
        arrived.is_ok() && budget.accounts().free == BUDGET
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_hundred_parts_each_has_its_turn() {
        assert!(all_arrive(200, FLOOR).await);
        assert!(all_arrive(200, 2 * STEP).await);
    }

    #[test]
    fn what_the_eldest_may_still_need_is_kept_for_it() {
        let budget = Budget::new();
        let (eldest, other) = (budget.open(), budget.open());
        assert!(eldest.try_grow(STEP));
        assert!(
            !other.try_grow(BUDGET - FLOOR + STEP),
            "the eldest cannot reach its floor"
        );
        assert!(other.try_grow(BUDGET - FLOOR));
        assert!(eldest.try_grow(FLOOR - STEP));
        assert!(!eldest.try_grow(1), "more than there is");
    }

    #[test]
    fn memory_comes_back_from_parts_that_arrive_and_from_those_that_are_dropped() {
        let budget = Budget::new();
        let (first, second) = (budget.open(), budget.open());
        assert!(first.try_grow(STEP) && second.try_grow(STEP));
        drop(second);
        let sent = first.send();
        assert_eq!(budget.accounts().free, BUDGET - STEP);
        drop(sent);
        assert_eq!(budget.accounts().free, BUDGET);
        assert!(budget.accounts().gathered.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_whose_upload_was_dropped_while_it_waited_takes_nothing() {
        let budget = Budget::new();
        let (eldest, other) = (budget.open(), budget.open());
        assert!(other.try_grow(BUDGET - FLOOR));
        let waits = tokio::time::timeout(Duration::from_secs(1), other.grow(STEP)).await;
        assert!(waits.is_err());
        assert!(eldest.try_grow(FLOOR));
    }
}
