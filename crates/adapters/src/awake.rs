//! Limits for answers of others. What this process spends frozen or suspended says nothing about whoever was to answer,
//! and does not count: the answer may have come long since, unread.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

/// Within such a slice it shows whether this process itself stood still.
const SLICE: Duration = Duration::from_secs(1);

/// A slice that took so long was slept through. A machine at its limits delays by less.
const FROZEN: Duration = Duration::from_secs(3);

/// The limit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elapsed;

/// Awaits `future` for at most `limit` of the time in which this process runs; it is dropped when the limit comes first.
pub(crate) fn timeout<F: Future>(limit: Duration, future: F) -> impl Future<Output = Result<F::Output, Elapsed>> {
    // Whoever waits need not be as large as what is awaited.
    wait(limit, Box::pin(future))
}

async fn wait<F: Future>(limit: Duration, mut future: Pin<Box<F>>) -> Result<F::Output, Elapsed> {
    let mut rest = limit;
    loop {
        let slice = rest.min(SLICE);
        let began = Instant::now();
        if let Ok(output) = tokio::time::timeout(slice, &mut future).await {
            return Ok(output);
        }
        if began.elapsed() < slice + FROZEN {
            rest -= slice;
        }
        if rest.is_zero() {
            return Err(Elapsed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_ends_at_its_limit() {
        for limit in [
            Duration::ZERO,
            Duration::from_millis(250),
            Duration::from_millis(20_500),
        ] {
            let began = Instant::now();
            assert_eq!(timeout(limit, pending::<()>()).await, Err(Elapsed));
            assert!(began.elapsed() >= limit && began.elapsed() < limit + Duration::from_millis(100));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_time_is_answered() {
        let answer = async {
            sleep(Duration::from_secs(19)).await;
            7
        };
        assert_eq!(timeout(Duration::from_secs(20), answer).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_process_stood_still_does_not_count() {
        let (sender, answer) = tokio::sync::oneshot::channel();
        let waiting = tokio::spawn(timeout(Duration::from_secs(20), answer));
        tokio::task::yield_now().await;
        advance(Duration::from_mins(10)).await;
        // The answer lay there all the time; somebody else has to read it first.
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        sender.send(7).ok();
        assert_eq!(waiting.await.ok(), Some(Ok(Ok(7))));
    }
}
