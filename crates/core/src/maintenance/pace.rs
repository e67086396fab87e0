//! How fast rows go: WAL fills disks, and a replica must be able to follow.

use std::time::Duration;

/// How fast a cleanup may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// So many bytes of WAL may the server write in a minute while rows go; 0: any number.
    pub wal_per_minute: u64,
    /// By more bytes of WAL no replica may be behind; 0: by any number.
    pub max_lag: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            wal_per_minute: 1 << 30,
            max_lag: 256 << 20,
        }
    }
}

impl Pace {
    /// How long to wait after a batch that took so long, while which the server wrote so many bytes of WAL.
    pub fn pause(&self, wal: u64, lasted: Duration) -> Duration {
        if self.wal_per_minute == 0 {
            return Duration::ZERO;
        }
        let millis = u128::from(wal) * 60_000 / u128::from(self.wal_per_minute);
        let due = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        due.saturating_sub(lasted)
    }

    /// Whether a replica that is so many bytes behind has to be waited for.
    pub fn is_behind(&self, lag: u64) -> bool {
        self.max_lag > 0 && lag > self.max_lag
    }
}

/// How many runs it takes until nothing is left, where each deletes so many rows at most. Rows that come meanwhile are not
/// in it.
pub fn ticks(left: u64, limit: u64) -> u64 {
    left.div_ceil(limit.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_followed_by_a_pause_until_its_wal_is_within_the_budget() {
        let pace = Pace {
            wal_per_minute: 60 << 20,
            max_lag: 0,
        };
        let after = |megabytes: u64, seconds| pace.pause(megabytes << 20, Duration::from_secs(seconds));
        assert_eq!(after(10, 2), Duration::from_secs(8));
        assert_eq!(after(10, 10), Duration::ZERO);
        assert_eq!(after(0, 0), Duration::ZERO);
        let free = Pace {
            wal_per_minute: 0,
            ..pace
        };
        assert_eq!(free.pause(u64::MAX, Duration::ZERO), Duration::ZERO);
        // No number of bytes makes it panic.
        let slowest = Pace {
            wal_per_minute: 1,
            ..pace
        };
        assert!(slowest.pause(u64::MAX, Duration::ZERO) > Duration::from_hours(24));
    }

    #[test]
    fn a_replica_is_waited_for_only_if_it_is_further_behind_than_allowed() {
        let pace = Pace {
            wal_per_minute: 0,
            max_lag: 100,
        };
        assert!(!pace.is_behind(100));
        assert!(pace.is_behind(101));
        assert!(!Pace { max_lag: 0, ..pace }.is_behind(u64::MAX));
    }

    #[test]
    fn the_last_tick_may_have_less_to_do() {
        assert_eq!([ticks(0, 10), ticks(1, 10), ticks(10, 10), ticks(11, 10)], [0, 1, 1, 2]);
        assert_eq!(ticks(5, 0), 5, "a limit of none would never end");
    }
}
