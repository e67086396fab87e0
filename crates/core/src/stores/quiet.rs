//! What keeps a server from writing by itself while its point in time is fixed.

use async_trait::async_trait;

/// A server whose own jobs rest. Dropped, it lets them go on by itself.
#[async_trait]
pub trait Quiet: Send {
    /// Lets them go on. Called at most once: when all marks were compared, before the clients start; where the clients wait until
    /// the store is drained, then.
    async fn end(&mut self);
}

/// A server that does nothing by itself.
pub struct AsEver;

#[async_trait]
impl Quiet for AsEver {
    async fn end(&mut self) {}
}
