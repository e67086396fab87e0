//! Waiting that can be cancelled and comes to an end.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use stillpoint_core::ports::within;
use stillpoint_core::stores::{Cx, StoreError};

/// What takes as long as a store is large (an index, a count, a drop). Longer than any that is not
/// stuck; [`stillpoint_core::engine::limits::STREAM_IDLE`] bounds everything that moves bytes.
pub(crate) const BY_SIZE: Duration = Duration::from_hours(12);

/// Awaits `future`, but not after the run was cancelled.
pub(crate) async fn cancellable<F: Future>(cx: &Cx, future: F) -> Result<F::Output, StoreError> {
    match select(pin!(future), pin!(cx.cancel.cancelled())).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(_) => Err(StoreError::Cancelled),
    }
}

/// Awaits `future`, but no longer than the idle limit, and not after the run was cancelled.
pub(crate) async fn guarded<F: Future>(cx: &Cx, what: &str, future: F) -> Result<F::Output, StoreError> {
    Ok(cancellable(cx, within(&*cx.clock, cx.idle_limit, what, future)).await??)
}
