//! Bytes that cannot be compressed and cost next to nothing: pieces of one random block, each from another
//! place in it. They are the same in every process, and of the size in which a container's output arrives.

use bytes::Bytes;

const BLOCK: usize = 2 << 20;
const PIECE: usize = 32 << 10;

#[derive(Clone)]
pub(crate) struct Source {
    block: Bytes,
    random: u64,
    left: u64,
}

impl Source {
    pub(crate) fn of(bytes: u64) -> Self {
        let mut random = 1;
        let words = (0..BLOCK / 8).map(|_| next(&mut random).to_le_bytes());
        Self {
            block: words.flatten().collect::<Vec<_>>().into(),
            random,
            left: bytes,
        }
    }

    /// The same block, read on from elsewhere.
    pub(crate) fn fork(&self, seed: u64, bytes: u64) -> Self {
        Self {
            block: self.block.clone(),
            random: self.random ^ (seed + 1),
            left: bytes,
        }
    }
}

impl Iterator for Source {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let size = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        if size == 0 {
            return None;
        }
        self.left -= size as u64;
        let places = (BLOCK - PIECE) as u64;
        let from = usize::try_from(next(&mut self.random) % places).unwrap_or(0);
        Some(self.block.slice(from..from + size))
    }
}

/// Marsaglia's xorshift64: every state but 0 comes once.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_as_many_bytes_as_asked_and_the_same_ones_again() {
        let all = |source: Source| source.map(|piece| piece.to_vec()).collect::<Vec<_>>().concat();
        let once = all(Source::of(100_001));
        assert_eq!(once.len(), 100_001);
        assert!(once == all(Source::of(100_001)));
        assert!(once != all(Source::of(1).fork(7, 100_001)));
    }
}
