//! How fast rows go: WAL fills disks, and a replica must be able to follow.

use std::time::Duration;

/// The rows of a batch: with fewer its round trip is all that counts.
const FEWEST: u64 = 100;
/// With so few one begins that does not know yet what a row writes.
const FIRST: u64 = 200;
/// A batch writes what the budget lets go in a fiftieth of a second: whoever commits beside it waits until that is on the disk too.
const BATCHES_PER_MINUTE: u64 = 60 * 50;
/// A batch that took longer is followed by a smaller one.
const LONG: Duration = Duration::from_millis(250);

/// How fast a cleanup may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// So many bytes of WAL may the server write in a minute while rows go; 0: any number.
    pub wal_per_minute: u64,
    /// By more bytes of WAL no replica may be behind; 0: by any number.
    pub max_lag: u64,
}

/// A replica that does not come nearer for so long is a matter for its operator.
const PATIENCE: Duration = Duration::from_mins(10);

/// What to do about a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// It is near enough.
    GoOn,
    /// It is to come nearer first.
    Wait,
    /// It does not.
    GiveUp,
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
    /// So many rows a batch has at most: more would be too long a transaction.
    pub const MOST: u64 = 20_000;

    /// How many rows the first batch may have.
    pub fn first(&self) -> u64 {
        if self.wal_per_minute == 0 { Self::MOST } else { FIRST }
    }

    /// How many rows the next batch may have, after one of so many that took so long, while which the server wrote so many bytes
    /// of WAL. The budget is spread evenly: what is written at once keeps everybody else's commits waiting.
    pub fn next(&self, rows: u64, wal: u64, lasted: Duration) -> u64 {
        if self.wal_per_minute == 0 {
            return Self::MOST;
        }
        let scaled = |by: u128, of: u128| u64::try_from(u128::from(rows) * by / of.max(1)).unwrap_or(u64::MAX);
        let by_wal = scaled(u128::from(self.wal_per_minute / BATCHES_PER_MINUTE), u128::from(wal));
        let by_time = scaled(LONG.as_micros(), lasted.as_micros());
        let grown = rows.saturating_mul(2);
        by_wal.min(by_time).min(grown).clamp(FEWEST, Self::MOST)
    }

    /// How long to wait after a batch that took so long, while which the server wrote so many bytes of WAL.
    pub fn pause(&self, wal: u64, lasted: Duration) -> Duration {
        if self.wal_per_minute == 0 {
            return Duration::ZERO;
        }
        let micros = u128::from(wal) * 60_000_000 / u128::from(self.wal_per_minute);
        let due = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        due.saturating_sub(lasted)
    }

    /// What to do about a replica that is so many bytes behind and has been waited for so long.
    pub fn follow(&self, lag: u64, waited: Duration) -> Follow {
        if !self.is_behind(lag) {
            Follow::GoOn
        } else if waited < PATIENCE {
            Follow::Wait
        } else {
            Follow::GiveUp
        }
    }

    /// Whether a replica that is so many bytes behind has to be waited for.
    fn is_behind(&self, lag: u64) -> bool {
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
    fn batches_get_as_large_as_a_fiftieth_of_a_seconds_budget_and_are_never_long() {
        let pace = Pace {
            wal_per_minute: 3_000_000,
            max_lag: 0,
        };
        let quick = Duration::from_millis(3);
        assert_eq!(pace.next(200, 1_000, quick), 200, "it writes what it may");
        assert_eq!(pace.next(1_000, 4_000, quick), 250, "it writes four times as much");
        assert_eq!(pace.next(200, 10, quick), 400, "it grows by steps");
        assert_eq!(pace.next(15_000, 0, quick), 20_000);
        assert_eq!(
            pace.next(1_000, 1, Duration::from_secs(1)),
            250,
            "it takes four times as long as it may"
        );
        assert_eq!(pace.next(100, u64::MAX, Duration::from_hours(1)), 100);
        let free = Pace {
            wal_per_minute: 0,
            ..pace
        };
        assert_eq!([free.first(), free.next(100, u64::MAX, quick)], [20_000; 2]);
        assert!(pace.first() < 1_000);
    }

    #[test]
    fn a_million_rows_go_within_the_budget_of_a_few_minutes() {
        let pace = Pace::default();
        let (mut rows, mut left, mut took) = (pace.first(), 1_000_000_u64, Duration::ZERO);
        while left > 0 {
            // A row of 600 bytes of WAL in 5 µs.
            let (wal, lasted) = (rows * 600, Duration::from_micros(500 + rows * 5));
            took += lasted + pace.pause(wal, lasted);
            left = left.saturating_sub(rows);
            rows = pace.next(rows, wal, lasted);
        }
        assert!(
            took > Duration::from_secs(30) && took < Duration::from_secs(40),
            "{took:?}"
        );
    }

    #[test]
    fn a_replica_is_waited_for_only_if_it_is_further_behind_than_allowed() {
        let pace = Pace {
            wal_per_minute: 0,
            max_lag: 100,
        };
        let follow = |lag, minutes| pace.follow(lag, Duration::from_mins(minutes));
        assert_eq!(follow(100, 0), Follow::GoOn);
        assert_eq!([follow(101, 0), follow(101, 9)], [Follow::Wait; 2]);
        assert_eq!(follow(101, 10), Follow::GiveUp);
        assert_eq!(follow(100, 10), Follow::GoOn, "it has come nearer");
        let any = Pace { max_lag: 0, ..pace };
        assert_eq!(any.follow(u64::MAX, Duration::from_hours(1)), Follow::GoOn);
    }

    #[test]
    fn the_last_tick_may_have_less_to_do() {
        assert_eq!([ticks(0, 10), ticks(1, 10), ticks(10, 10), ticks(11, 10)], [0, 1, 1, 2]);
        assert_eq!(ticks(5, 0), 5, "a limit of none would never end");
    }
}
