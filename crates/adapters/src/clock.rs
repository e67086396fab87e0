//! The system's clock. The only reader of real time behind [`Clock`].

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stillpoint_core::ports::Clock;
use tokio::time::Instant;

/// Real time, from the moment it was made.
#[derive(Debug)]
pub struct SystemClock {
    began: Instant,
}

impl SystemClock {
    /// A clock that begins to count now.
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn elapsed_counts_what_was_slept() {
        let clock = SystemClock::new();
        clock.sleep(Duration::from_secs(90)).await;
        assert_eq!(clock.elapsed(), Duration::from_secs(90));
    }

    #[test]
    fn now_is_the_system_s_time() {
        let clock = SystemClock::new();
        assert!(clock.now().as_second() >= 1_767_225_600, "before 2026");
    }
}
