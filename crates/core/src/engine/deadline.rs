//! A deadline for a store's call. A call that reaches it is told to stop, as by a cancelled run, and is given time to end
//! what it has started; one that does not stop even then is dropped, and whoever recovers the run ends what is left.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tracing::{Instrument, info_span};

use super::limits::{CALL_ENDS, STORE_ANSWERS};
use crate::ports::{Overdue, within};
use crate::stores::{Cx, StoreError};

/// Runs a call that only asks the store something, with the limit of such calls.
pub(crate) async fn asked<T, F: Future<Output = Result<T, StoreError>>>(
    cx: &Cx,
    what: String,
    call: impl FnOnce(Cx) -> F,
) -> Result<T, StoreError> {
    bounded(cx, STORE_ANSWERS, what, call).await
}

/// Runs a call for at most `limit`; `what` says in words what took too long.
pub(super) async fn bounded<T, F: Future<Output = Result<T, StoreError>>>(
    cx: &Cx,
    limit: Duration,
    what: String,
    call: impl FnOnce(Cx) -> F,
) -> Result<T, StoreError> {
    let span = info_span!(target: "stillpoint::run", "store", call = what);
    limited(cx, limit, what, call).instrument(span).await
}

async fn limited<T, F: Future<Output = Result<T, StoreError>>>(
    cx: &Cx,
    limit: Duration,
    what: String,
    call: impl FnOnce(Cx) -> F,
) -> Result<T, StoreError> {
    let stoppable = Cx {
        cancel: cx.cancel.child_token(),
        ..cx.clone()
    };
    let stop = stoppable.cancel.clone();
    let call = pin!(call(stoppable));
    let call = match select(call, pin!(cx.clock.sleep(limit))).await {
        Either::Left((outcome, _)) => return outcome,
        Either::Right(((), call)) => call,
    };
    stop.cancel();
    match within(&*cx.clock, CALL_ENDS, &what, call).await {
        Ok(Err(StoreError::Cancelled)) | Err(_) if !cx.cancel.is_cancelled() => Err(Overdue { what, limit }.into()),
        Ok(outcome) => outcome,
        Err(overdue) => Err(overdue.into()),
    }
}
