//! The pin. JetStream has no point in time of its own: what is deleted while a snapshot runs is missing
//! from it. So nothing is held here, and the drain needs the standstill to its end.

use async_trait::async_trait;
use jiff::Timestamp;
use stillpoint_core::ports::store::Drained;
use stillpoint_core::ports::{Cx, Pinned, StoreError};
use stillpoint_core::sink::Sink;

use super::NatsStore;

/// A server that stands still because nobody is there.
pub(super) struct PinnedServer {
    store: NatsStore,
    version: String,
    at: Timestamp,
}

impl NatsStore {
    pub(super) async fn hold(&self, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError> {
        let mut version = String::new();
        for login in &self.access.logins {
            version = self.open(cx, login).await?.version();
        }
        Ok(Box::new(PinnedServer {
            store: self.clone(),
            version,
            at: cx.clock.now(),
        }))
    }
}

#[async_trait]
impl Pinned for PinnedServer {
    fn needs_standstill(&self) -> bool {
        true
    }

    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        self.store.drain_all(cx, sink, &self.version, self.at).await
    }

    async fn release(&mut self) {}
}
