//! One part of an object: how large it may become, and the memory in which it is gathered. A byte
//! is copied once, into memory that the budget has granted before.

use bytes::{Buf, Bytes};
use object_store::PutPayload;
use tokio::sync::OwnedSemaphorePermit;

use super::budget::{Account, Block, LARGEST};

/// Parts that an object may have at most.
const MOST: usize = 10_000;

/// The least size of a part that is not the last (Amazon's manual, "Multipart upload limits").
pub(super) const LEAST: usize = 5 << 20;

/// The full size of a part by its number, counted from 0; none after the last. All are of the size that was set,
/// which Cloudflare's R2 asks for, as long as an object's size leaves a choice: from the 5,000th part on they grow,
/// so that an object whose size nobody knew can have more than 1 TiB.
///
/// A part that is larger than the budget allows is not counted there; only one at a time is gathered or on its way
/// in the whole process. It costs 32 MiB from 24 GiB of an object on, from 55 GiB on 256 MiB.
pub(super) fn full_size(number: usize, set: usize) -> Option<usize> {
    match number {
        ..5_000 => Some(set),
        5_000..6_000 => Some(set.max(32 << 20)),
        6_000..MOST => Some(set.max(256 << 20)),
        MOST.. => None,
    }
}

/// Whether a part of this size stands outside of the budget.
pub(super) fn is_oversize(size: usize) -> bool {
    size > LARGEST
}

/// By what right a part takes memory.
#[derive(Debug)]
pub(super) enum Right {
    /// The budget counts it.
    Counted(Account),
    /// It is larger than the budget, and the only such part.
    Alone(OwnedSemaphorePermit),
}

/// A part that is being gathered.
#[derive(Debug)]
pub(super) struct Part {
    right: Right,
    blocks: Vec<Block>,
    size: usize,
    full: usize,
}

impl Part {
    pub(super) fn new(right: Right, full: usize) -> Self {
        Self {
            right,
            blocks: Vec::new(),
            size: 0,
            full,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.size == self.full
    }

    /// Bytes that can be taken now.
    pub(super) fn room(&self) -> usize {
        let last = self.blocks.last().map_or(0, Block::room);
        last.min(self.full - self.size)
    }

    /// Makes room for more if memory is to be had at once.
    pub(super) fn try_grow(&mut self) -> bool {
        let block = match &self.right {
            Right::Counted(account) => account.try_take(),
            Right::Alone(_) => Some(Block::outside()),
        };
        let grown = block.is_some();
        self.blocks.extend(block);
        grown
    }

    /// Makes room for more, as soon as memory is to be had.
    pub(super) async fn grow(&mut self) {
        let block = match &self.right {
            Right::Counted(account) => account.take().await,
            Right::Alone(_) => Block::outside(),
        };
        self.blocks.push(block);
    }

    /// Takes from `bytes` what there is room for.
    pub(super) fn take(&mut self, bytes: &mut Bytes) {
        let count = self.room().min(bytes.len());
        if let Some(block) = self.blocks.last_mut() {
            block.fill(&bytes[..count]);
            bytes.advance(count);
            self.size += count;
        }
    }

    /// What was gathered; its memory goes back when it is dropped. A part larger than the budget
    /// also has the right to be the only one, which is to be kept until it has arrived.
    pub(super) fn send(self) -> (PutPayload, Option<OwnedSemaphorePermit>) {
        let payload = self.blocks.into_iter().map(Bytes::from_owner).collect();
        let alone = match self.right {
            Right::Counted(_) => None,
            Right::Alone(permit) => Some(permit),
        };
        (payload, alone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn bytes(numbers: std::ops::Range<usize>, set: usize) -> u64 {
        let sizes = numbers.map_while(|number| full_size(number, set));
        sizes.map(|size| size as u64).sum()
    }

    #[test]
    fn the_parts_of_an_object_hold_more_than_a_tebibyte() {
        assert_eq!((0..).map_while(|number| full_size(number, LEAST)).count(), MOST);
        assert!(bytes(0..MOST, LEAST) > 1024 * GIB);
    }

    #[test]
    fn they_are_equal_as_long_as_the_documents_say() {
        for set in [LEAST, 16 << 20] {
            assert!((0..5_000).all(|number| full_size(number, set) == Some(set)));
        }
        assert_eq!(bytes(0..5_000, LEAST) / GIB, 24);
        assert_eq!(bytes(0..6_000, LEAST) / GIB, 55);
        assert!(!is_oversize(LEAST) && is_oversize(LEAST + 1));
    }
}
