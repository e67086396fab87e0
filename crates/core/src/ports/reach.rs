//! Talking to a store in its own protocol.

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use super::EngineError;
use crate::names::WorkloadId;

/// A byte stream both ways.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A way to a workload's port through a port of this host's loopback. It ends when this is dropped.
pub struct Forward {
    port: u16,
    _guard: Box<dyn Send + Sync>,
}

impl Forward {
    /// A way through `port` that is open as long as `guard` is held.
    pub fn new(port: u16, guard: Box<dyn Send + Sync>) -> Self {
        Self { port, _guard: guard }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Connects to ports of workloads.
#[async_trait]
pub trait Reach: Send + Sync {
    /// Connects to a TCP port of the workload, whether or not the platform publishes it.
    ///
    /// A refused connection is [`EngineError::Refused`] and may be tried again: the server may not
    /// listen yet. The stream ends when either side closes it.
    async fn dial(&self, workload: &WorkloadId, port: u16) -> Result<Box<dyn ByteStream>, EngineError>;

    /// Opens a way to a TCP port of the workload for clients that take an address and no stream. Each
    /// connection to it dials anew; one that cannot be dialled is closed at once. While it is open every
    /// user of this host can go it, so the server's own login must be what keeps others out.
    async fn forward(&self, workload: &WorkloadId, port: u16) -> Result<Forward, EngineError>;
}
