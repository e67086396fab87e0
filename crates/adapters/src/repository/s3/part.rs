//! One part of an object: how large it may become, and the memory in which it is gathered. A byte
//! is copied once, into memory that the budget has granted before.

use bytes::{Buf, Bytes, BytesMut};
use object_store::PutPayload;
use tokio::sync::OwnedSemaphorePermit;

use super::budget::{BUDGET, Held, Sent};

/// Parts that an object may have at most.
const MOST: usize = 10_000;

/// The least size of a part that is not the last (Amazon's manual, "Multipart upload limits").
pub(super) const LEAST: usize = 5 << 20;

/// Memory grows by what was gathered so far, within these bounds.
const STEPS: (usize, usize) = (64 << 10, 1 << 20);

/// The full size of a part by its number, counted from 0; none after the last. It grows, so that an
/// object can have more than 1 TiB, even if each part but the largest was sent at [`LEAST`].
///
/// From about 109 GiB of an object on, a part is larger than the budget. Such a part is not counted
/// there; only one at a time is gathered or on its way in the whole process, and costs 256 MiB.
pub(super) fn full_size(number: usize) -> Option<usize> {
    match number {
        ..2_000 => Some(8 << 20),
        2_000..4_000 => Some(16 << 20),
        4_000..6_000 => Some(32 << 20),
        6_000..MOST => Some(256 << 20),
        MOST.. => None,
    }
}

/// Whether a part of this size stands outside of the budget.
pub(super) fn is_oversize(size: usize) -> bool {
    size > BUDGET
}

/// By what right a part takes memory.
#[derive(Debug)]
pub(super) enum Right {
    /// The budget counts it.
    Counted(Held),
    /// It is larger than the budget, and the only such part.
    Alone(OwnedSemaphorePermit),
}

/// What keeps a part's memory counted until the part has arrived.
#[derive(Debug)]
#[expect(dead_code, reason = "held, never looked at")]
pub(super) enum Flight {
    Counted(Sent),
    Alone(OwnedSemaphorePermit),
}

/// A part that is being gathered.
#[derive(Debug)]
pub(super) struct Part {
    right: Right,
    pieces: Vec<BytesMut>,
    size: usize,
    full: usize,
}

impl Part {
    pub(super) fn new(right: Right, full: usize) -> Self {
        Self {
            right,
            pieces: Vec::new(),
            size: 0,
            full,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn is_full(&self) -> bool {
        self.size == self.full
    }

    /// Bytes that can be taken now.
    pub(super) fn room(&self) -> usize {
        let last = self.pieces.last().map_or(0, |piece| piece.capacity() - piece.len());
        last.min(self.full - self.size)
    }

    fn step(&self) -> usize {
        self.size.clamp(STEPS.0, STEPS.1).min(self.full - self.size)
    }

    /// Makes room for more if memory is to be had at once.
    pub(super) fn try_grow(&mut self) -> bool {
        let granted = match &self.right {
            Right::Counted(held) => held.try_grow(self.step()),
            Right::Alone(_) => true,
        };
        if granted {
            self.pieces.push(BytesMut::with_capacity(self.step()));
        }
        granted
    }

    /// Makes room for more, as soon as memory is to be had.
    pub(super) async fn grow(&mut self) {
        if let Right::Counted(held) = &self.right {
            held.grow(self.step()).await;
        }
        self.pieces.push(BytesMut::with_capacity(self.step()));
    }

    /// Takes from `bytes` what there is room for.
    pub(super) fn take(&mut self, bytes: &mut Bytes) {
        let count = self.room().min(bytes.len());
        if let Some(piece) = self.pieces.last_mut() {
            piece.extend_from_slice(&bytes[..count]);
            bytes.advance(count);
            self.size += count;
        }
    }

    /// What was gathered, and the memory that it holds until it has arrived.
    pub(super) fn send(self) -> (PutPayload, Flight) {
        let payload = self.pieces.into_iter().map(BytesMut::freeze).collect();
        let flight = match self.right {
            Right::Counted(held) => Flight::Counted(held.send()),
            Right::Alone(permit) => Flight::Alone(permit),
        };
        (payload, flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIB: u64 = 1 << 40;
    const GIB: u64 = 1 << 30;

    fn sizes() -> impl Iterator<Item = usize> {
        (0..).map_while(full_size)
    }

    #[test]
    fn the_parts_of_an_object_hold_more_than_a_tebibyte() {
        assert_eq!(sizes().count(), 10_000);
        assert!(sizes().map(|size| size as u64).sum::<u64>() > TIB);
    }

    #[test]
    fn they_do_so_if_every_part_within_the_budget_was_sent_early() {
        let least = sizes().map(|size| if is_oversize(size) { size } else { LEAST });
        assert!(least.map(|size| size as u64).sum::<u64>() > TIB);
    }

    #[test]
    fn parts_outside_of_the_budget_begin_at_109_gib() {
        let within: u64 = sizes()
            .take_while(|size| !is_oversize(*size))
            .map(|size| size as u64)
            .sum();
        assert_eq!(within / GIB, 109);
    }
}
