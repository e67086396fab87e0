//! What is done a few times in every test run and many times in the soak: one round of each, at a random moment.

pub mod grammar;
pub mod moments;
pub mod restarts;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Random moments that a seed brings again. Knuth's MMIX; its high bits.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same moments for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Other moments every time: by the clock, and so that a report of its [`Random::seed`] brings them again.
    pub fn by_the_clock() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::from(now.subsec_micros()))
    }

    /// What brings the same moments again, before the first of them.
    pub fn seed(&self) -> u64 {
        self.0
    }

    /// Less than `most`.
    pub fn moment(&mut self, most: Duration) -> Duration {
        let milliseconds = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(self.next() % milliseconds)
    }

    /// One or the other.
    pub fn coin(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }

    /// Once in so many times.
    pub fn one_in(&mut self, many: u64) -> bool {
        self.next().is_multiple_of(many)
    }

    /// From `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// One of them; there is at least one.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let at = usize::try_from(self.next()).unwrap_or_default() % all.len();
        &all[at]
    }

    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_brings_the_same_moments_again() {
        let second = Duration::from_secs(1);
        let (mut one, mut other) = (Random::seeded(7), Random::seeded(7));
        for _ in 0..100 {
            let moment = one.moment(second);
            assert!(moment < second);
            assert_eq!(moment, other.moment(second));
        }
        assert_ne!(one.seed(), 7);
    }
}
