//! The memory of one gateway: requests that write take their share of [`WRITING`] before they read a byte, requests that
//! read an object take one of [`READERS`] places, and whoever gets none waits. A client is not read meanwhile, so
//! that what it sends stays with it.
//!
//! A writer's share is what it can hold at most: the piece in hand, the pieces that are being hashed, and what an upload
//! into a directory gathers. An upload into a bucket takes less here and the rest of the repository's own budget.
//! Whoever holds a share waits for nothing but its client, which is given up when it sends nothing, and the repository,
//! whose waits have limits. Shares are granted in the order in which they were asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that all that write may hold together.
pub(super) const WRITING: usize = 18 << 20;

/// Objects that are read at the same time: each holds a piece of at most 1 MiB and half of that for its hash.
const READERS: usize = 16;

/// The largest share: 3 MiB for the upload, 1 MiB for a chunk whose signature is checked, half of one for its hash.
const LARGEST: usize = (4 << 20) + (512 << 10);

/// The least share.
const LEAST: usize = 64 << 10;

/// What a semaphore counts.
const UNIT: usize = 1 << 10;

/// Bytes that a gateway's writers hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Now.
    pub held: usize,
    /// At most since it was started.
    pub most: usize,
    /// What it never exceeds.
    pub limit: usize,
}

#[derive(Debug)]
pub(super) struct Room {
    writing: Arc<Semaphore>,
    reading: Arc<Semaphore>,
    count: Arc<Count>,
}

/// Counts on its own what is held: it shows whether the semaphore keeps its promise. And what has passed.
#[derive(Debug, Default)]
struct Count {
    held: AtomicUsize,
    most: AtomicUsize,
    moved: AtomicU64,
}

/// A writer's share of memory; it goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    count: Arc<Count>,
    bytes: usize,
    _granted: Option<OwnedSemaphorePermit>,
}

/// The right to read an object.
pub(super) type Reader = Option<OwnedSemaphorePermit>;

impl Room {
    pub(super) fn new() -> Self {
        Self {
            writing: Arc::new(Semaphore::new(WRITING / UNIT)),
            reading: Arc::new(Semaphore::new(READERS)),
            count: Arc::default(),
        }
    }

    /// What a writer of so many bytes may hold, as soon as it is to be had.
    pub(super) async fn write(&self, size: u64) -> Share {
        let bytes = share(size);
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX);
        // It is never closed.
        let granted = self.writing.clone().acquire_many_owned(units).await.ok();
        let held = self.count.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.count.most.fetch_max(held, Ordering::Relaxed);
        Share {
            count: self.count.clone(),
            bytes,
            _granted: granted,
        }
    }

    /// The right to read an object, as soon as it is to be had.
    pub(super) async fn read(&self) -> Reader {
        self.reading.clone().acquire_owned().await.ok()
    }

    /// What counts bytes that clients read.
    pub(super) fn counter(&self) -> Passed {
        Passed(self.count.clone())
    }

    /// Bytes that have passed so far, in or out.
    pub(super) fn moved(&self) -> u64 {
        self.count.moved.load(Ordering::Relaxed)
    }

    pub(super) fn memory(&self) -> Memory {
        Memory {
            held: self.count.held.load(Ordering::Relaxed),
            most: self.count.most.load(Ordering::Relaxed),
            limit: WRITING,
        }
    }
}

/// A piece is in hand or being hashed, and in the upload.
fn share(size: u64) -> usize {
    let twice = usize::try_from(size).unwrap_or(usize::MAX).saturating_mul(2);
    twice.saturating_add(LEAST).min(LARGEST).next_multiple_of(UNIT)
}

/// Counts what passes.
#[derive(Clone, Debug)]
pub(super) struct Passed(Arc<Count>);

impl Passed {
    pub(super) fn add(&self, bytes: usize) {
        self.0.moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Share {
    /// So many bytes were taken in.
    pub(super) fn passed(&self, bytes: usize) {
        self.count.moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.count.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_grows_with_the_body_up_to_what_a_writer_can_hold() {
        assert_eq!(share(0), LEAST);
        assert_eq!(share(1), LEAST + UNIT);
        assert_eq!(share(1 << 20), LEAST + (2 << 20));
        assert_eq!([share(64 << 20), share(u64::MAX)], [LARGEST; 2]);
        assert!(share(u64::MAX) <= WRITING);
    }

    #[tokio::test]
    async fn whoever_gets_no_share_waits_for_one() {
        let room = Room::new();
        let mut shares = Vec::new();
        for _ in 0..WRITING / LARGEST {
            shares.push(room.write(u64::MAX).await);
        }
        assert!(futures::FutureExt::now_or_never(room.write(u64::MAX)).is_none());
        shares.pop();
        assert!(futures::FutureExt::now_or_never(room.write(u64::MAX)).is_some());
        drop(shares);
        assert_eq!(room.memory().held, 0);
        assert!(room.memory().most <= WRITING);
    }
}
