//! A place for bytes on their way, where a store's own format needs to know a size before its content.
//! Only what a plan has named with place and size is spooled.

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite};

/// A file without a name.
pub trait SpoolFile: AsyncRead + AsyncWrite + AsyncSeek + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + AsyncSeek + Send + Sync + Unpin> SpoolFile for T {}

/// Temporary files on this host.
#[async_trait]
pub trait Spool: Send + Sync {
    /// Where they lie, for messages.
    fn place(&self) -> String;

    /// Bytes that fit there now.
    async fn room(&self) -> Result<u64, SpoolError>;

    /// A new, empty file that only its holder sees. It is gone when it is dropped, and with the
    /// process, however that ends: nobody ever has to clean up.
    async fn create(&self) -> Result<Box<dyn SpoolFile>, SpoolError>;
}

/// The spool cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{place}: {cause}")]
pub struct SpoolError {
    /// Where.
    pub place: String,
    /// What went wrong.
    pub cause: String,
}
