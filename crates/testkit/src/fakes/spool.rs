//! Temporary files in memory.

use std::io::Cursor;

use async_trait::async_trait;
use stillpoint_core::ports::{Spool, SpoolError, SpoolFile};

/// More than any fake store spools.
const ROOM: u64 = 1 << 30;

/// A spool that holds its files in memory.
pub struct FakeSpool;

#[async_trait]
impl Spool for FakeSpool {
    fn place(&self) -> String {
        "memory".into()
    }

    async fn room(&self) -> Result<u64, SpoolError> {
        Ok(ROOM)
    }

    async fn create(&self) -> Result<Box<dyn SpoolFile>, SpoolError> {
        Ok(Box::new(Cursor::new(Vec::new())))
    }
}
