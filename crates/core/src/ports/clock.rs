//! Time. The only place from which the rules learn it, so that a test can turn it.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use jiff::Timestamp;

/// A clock that can be waited on.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present moment, in UTC. May jump: never subtract two of them to measure.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;

    /// Returns after `span`.
    async fn sleep(&self, span: Duration);
}

/// A wait that came to its limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} took longer than {} s", limit.as_secs_f32())]
pub struct Overdue {
    /// What was awaited.
    pub what: String,
    /// How long.
    pub limit: Duration,
}

/// Awaits `future` for at most `limit`; it is dropped when the limit comes first.
pub async fn within<F: Future>(
    clock: &dyn Clock,
    limit: Duration,
    what: &str,
    future: F,
) -> Result<F::Output, Overdue> {
    match select(pin!(future), pin!(clock.sleep(limit))).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(_) => Err(Overdue {
            what: what.to_owned(),
            limit,
        }),
    }
}
