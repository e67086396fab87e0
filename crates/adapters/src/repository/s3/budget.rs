//! The memory of all uploads together: [`BLOCKS`] blocks, however many uploads there are. A part
//! takes them one by one while it is gathered; each comes back when its bytes have arrived, and is
//! used again: what an allocator would keep of freed memory of all sizes is not bounded.
//!
//! **No upload waits for ever.** Parts of one object must have one size, so a part that is not full cannot
//! be sent to make room. Of the parts that are being gathered the one that was begun first is the *eldest*; of
//! the others the one that holds most is the *leader*. Either can always become full, a part of [`FULL`] blocks:
//!
//! - the eldest gets a block whenever one is free;
//! - the leader gets one only if, after it, the eldest can still become full;
//! - any other only if, after it, the eldest and the leader can.
//!
//! So `free + on their way >= what the eldest lacks + what the leader lacks` always holds: a block that is
//! granted lessens either both sides or leaves enough on the left; a part that is sent was full, so what it
//! puts on its way is as much as any part can lack that becomes the eldest or the leader now; and all blocks
//! are more than two full parts. What is on its way comes back within the limits of [`super::limits`], whatever
//! any producer does. So the eldest is sent, if its producer delivers or ends; and one producer that delivers
//! nothing for hours keeps nobody else waiting, because the leader is sent meanwhile. Nobody may write to one
//! upload only after another of his own has taken a piece.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Bytes of a block.
pub(super) const BLOCK: usize = 64 << 10;

/// Bytes of a block of a part that is larger than the budget.
const LARGE_BLOCK: usize = 1 << 20;

/// Blocks that parts may hold together, gathered or on their way: 16 MiB. The whole process is to stay below 64.
const BLOCKS: usize = (16 << 20) / BLOCK;

/// Blocks that a part has at most.
const FULL: usize = LARGEST / BLOCK;

/// The size of the largest part that the budget counts.
pub(super) const LARGEST: usize = 5 << 20;

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
    /// Blocks that were used before: at most as many as are free.
    used: Vec<Vec<u8>>,
    /// Blocks that each part holds that is being gathered, the eldest first.
    gathered: BTreeMap<u64, usize>,
    next: u64,
}

/// The account of a part that is being gathered.
#[derive(Debug)]
pub(super) struct Account {
    budget: Arc<Budget>,
    number: u64,
}

/// A piece of memory. It goes back to where it came from when it is dropped.
#[derive(Debug)]
pub(super) struct Block {
    bytes: Vec<u8>,
    home: Option<Arc<Budget>>,
}

impl Budget {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            accounts: Mutex::new(Accounts {
                free: BLOCKS,
                used: Vec::new(),
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
    pub(super) fn open(self: &Arc<Self>) -> Account {
        let mut accounts = self.accounts();
        let number = accounts.next;
        accounts.next += 1;
        accounts.gathered.insert(number, 0);
        Account {
            budget: self.clone(),
            number,
        }
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accounts {
    /// Blocks that are for the eldest and the leader, if this part is neither.
    fn kept_from(&self, number: u64) -> usize {
        let lacks = |held: usize| FULL.saturating_sub(held);
        let mut others = self.gathered.iter();
        let Some((eldest, held)) = others.next().filter(|(eldest, _)| **eldest != number) else {
            return 0;
        };
        debug_assert!(*eldest < number, "numbers grow");
        // Of those that hold the same the elder.
        match others.rev().max_by_key(|(_, held)| **held) {
            Some((leader, most)) if *leader != number => lacks(*held) + lacks(*most),
            _ => lacks(*held),
        }
    }

    fn take(&mut self, number: u64) -> Option<Vec<u8>> {
        if self.free < 1 + self.kept_from(number) {
            return None;
        }
        self.free -= 1;
        *self.gathered.entry(number).or_default() += 1;
        Some(self.used.pop().unwrap_or_else(|| Vec::with_capacity(BLOCK)))
    }
}

impl Account {
    /// A block, if it is to be had at once.
    pub(super) fn try_take(&self) -> Option<Block> {
        let bytes = self.budget.accounts().take(self.number)?;
        let home = Some(self.budget.clone());
        Some(Block { bytes, home })
    }

    /// A block, as soon as it is to be had. Nothing is taken if this is dropped.
    pub(super) async fn take(&self) -> Block {
        loop {
            let mut changed = std::pin::pin!(self.budget.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(block) = self.try_take() {
                return block;
            }
            changed.await;
        }
    }
}

/// The part was sent or given up: another may be the eldest now.
impl Drop for Account {
    fn drop(&mut self) {
        self.budget.accounts().gathered.remove(&self.number);
        self.budget.changed.notify_waiters();
    }
}

impl Block {
    /// A block that no budget counts.
    pub(super) fn outside() -> Self {
        Self {
            bytes: Vec::with_capacity(LARGE_BLOCK),
            home: None,
        }
    }

    /// Bytes that it can still take.
    pub(super) fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// Takes bytes, no more than it has room for: it would grow otherwise.
    pub(super) fn fill(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let Some(budget) = self.home.take() else {
            return;
        };
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut accounts = budget.accounts();
        accounts.used.push(bytes);
        accounts.free += 1;
        drop(accounts);
        budget.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::*;

    fn take(account: &Account, count: usize) -> Option<Vec<Block>> {
        (0..count).map(|_| account.try_take()).collect()
    }

    /// So many parts of the same size at once, each of which is sent when it is full.
    async fn all_arrive(parts: usize, blocks: usize) -> bool {
        let budget = Budget::new();
        let mut tasks = JoinSet::new();
        for _ in 0..parts {
            let budget = budget.clone();
            tasks.spawn(async move {
                let account = budget.open();
                let mut part = Vec::new();
                for _ in 0..blocks {
                    part.push(account.take().await);
                    tokio::task::yield_now().await;
                }
                drop(account);
                tokio::time::sleep(Duration::from_millis(100)).await;
            });
        }
        let arrived = tokio::time::timeout(Duration::from_hours(1), tasks.join_all()).await;
        arrived.is_ok() && budget.accounts().free == BLOCKS
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_hundred_parts_each_has_its_turn() {
        assert!(all_arrive(200, FULL).await);
        assert!(all_arrive(200, 2).await);
    }

    #[test]
    fn what_the_eldest_and_the_leader_lack_is_kept_for_them() {
        let budget = Budget::new();
        let (eldest, leader, other) = (budget.open(), budget.open(), budget.open());
        let _first = eldest.try_take().unwrap();
        let _leading = take(&leader, 20).unwrap();
        let rest = BLOCKS - 2 * FULL;
        assert!(rest >= 20, "{rest}");
        let others = take(&other, 19).unwrap();
        assert_eq!(budget.accounts().kept_from(other.number), 2 * FULL - 21);
        drop(others);
        let _full = take(&leader, FULL - 20).unwrap();
        let _eldest = take(&eldest, FULL - 1).unwrap();
    }

    /// The eldest's producer delivers nothing, and neither do others that hold a little.
    #[test]
    fn nobody_waits_for_those_who_deliver_nothing() {
        let budget = Budget::new();
        let idle: Vec<Account> = (0..40).map(|_| budget.open()).collect();
        let _held: Vec<Block> = idle.iter().map(|account| account.try_take().unwrap()).collect();
        let busy = budget.open();
        let full = take(&busy, FULL);
        assert!(full.is_some(), "{:?}", budget.accounts());
        drop((busy, full));
        // Two at once: one after the other.
        let (first, second) = (budget.open(), budget.open());
        let mut parts = [Vec::new(), Vec::new()];
        while let Some(block) = second.try_take() {
            parts[1].push(block);
            parts[0].extend(first.try_take());
        }
        let more = take(&first, FULL - parts[0].len()).or_else(|| take(&second, FULL - parts[1].len()));
        assert!(
            more.is_some(),
            "neither can be sent: {:?}",
            parts.map(|part| part.len())
        );
    }

    #[test]
    fn blocks_come_back_and_are_used_again() {
        let budget = Budget::new();
        let account = budget.open();
        for _ in 0..3 {
            let mut blocks = take(&account, 2).unwrap();
            assert_eq!(budget.accounts().free, BLOCKS - 2);
            blocks[0].fill(b"old");
            drop(blocks);
            assert_eq!(budget.accounts().free, BLOCKS);
            assert_eq!(budget.accounts().used.len(), 2);
        }
        let again = account.try_take().unwrap();
        assert_eq!((again.as_ref().len(), again.room()), (0, BLOCK));
        drop(account);
        assert!(budget.accounts().gathered.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_whose_upload_was_dropped_while_it_waited_takes_nothing() {
        let budget = Budget::new();
        let (eldest, other) = (budget.open(), budget.open());
        let _held = take(&other, BLOCKS - FULL).unwrap();
        let waits = tokio::time::timeout(Duration::from_secs(1), other.take()).await;
        assert!(waits.is_err());
        assert!(take(&eldest, FULL).is_some());
    }
}
