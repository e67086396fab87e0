//! Virtual time: tokio's, which a test pauses and which then leaps to the next timer as soon as
//! everything waits. A wait of ten minutes takes microseconds.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stillpoint_core::ports::Clock;
use tokio::time::Instant;

/// Begins at 2026-02-17 00:00:00 UTC. Use it under `#[tokio::test(start_paused = true)]`.
#[derive(Clone, Debug)]
pub struct FakeClock {
    began: Instant,
    /// What it showed then, since midnight.
    already: Duration,
}

impl FakeClock {
    /// A clock that begins to count now.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            already: Duration::ZERO,
        }
    }

    /// A clock that shows the same now, for a world that begins in the middle of another one's time.
    #[must_use]
    pub fn branch(&self) -> Self {
        Self {
            began: Instant::now(),
            already: self.elapsed(),
        }
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let midnight = Timestamp::constant(1_771_286_400, 0);
        midnight + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.already + self.began.elapsed()
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}
