//! Talking to a store in its own protocol.

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use super::EngineError;
use crate::names::WorkloadId;

/// A byte stream both ways.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// Connects to ports of workloads.
#[async_trait]
pub trait Reach: Send + Sync {
    /// Connects to a TCP port of the workload, whether or not the platform publishes it.
    ///
    /// A refused connection is [`EngineError::Refused`] and may be tried again: the server may not
    /// listen yet. The stream ends when either side closes it.
    async fn dial(&self, workload: &WorkloadId, port: u16) -> Result<Box<dyn ByteStream>, EngineError>;
}
