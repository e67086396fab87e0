//! What a store's call is given: everything it may reach, and nothing that stops or starts.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::events::Reporter;
use crate::names::RunId;
use crate::ports::{Buckets, Clock, Gateway, Reach, Shell, Spool};

/// What a store's call may use, and for how long.
#[derive(Clone)]
pub struct Cx {
    /// Runs tools in the store's container.
    pub shell: Arc<dyn Shell>,
    /// Speaks the store's protocol.
    pub reach: Arc<dyn Reach>,
    /// Lets the store write and read a backup by itself: see [`Sink::delegate`](crate::sink::Sink::delegate).
    pub gateway: Arc<dyn Gateway>,
    /// Opens buckets in which the store keeps data of its own.
    pub buckets: Arc<dyn Buckets>,
    /// Holds bytes on their way.
    pub spool: Arc<dyn Spool>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Whose work it is: whatever is made outside the store's own processes bears this name, so that
    /// [`Store::reap`](super::Store::reap) finds it after a death.
    pub owner: RunId,
    /// Takes events.
    pub report: Reporter,
    /// Ends the call: what was started outside is ended within 10 s, then [`StoreError::Cancelled`].
    pub cancel: CancellationToken,
    /// How long a stream may stand still before it counts as stuck.
    pub idle_limit: Duration,
    /// How many processors there are for what a store does at once.
    pub processors: usize,
}
