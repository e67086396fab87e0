//! Packing and unpacking what streams by, piece by piece.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder};
use stillpoint_core::stores::StoreError;

/// Packs. The same bytes always give the same.
pub(super) struct Packing(GzEncoder<Vec<u8>>);

impl Packing {
    pub(super) fn new() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::fast()))
    }

    /// What is ready after this piece: nothing, often.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<Bytes, StoreError> {
        self.0.write_all(piece).map_err(|error| failed(&error))?;
        Ok(std::mem::take(self.0.get_mut()).into())
    }

    /// What was left.
    pub(super) fn finish(self) -> Result<Bytes, StoreError> {
        Ok(self.0.finish().map_err(|error| failed(&error))?.into())
    }
}

fn failed(error: &std::io::Error) -> StoreError {
    StoreError::Unfit(format!("packing: {error}"))
}

/// Unpacks.
pub(in crate::postgres) struct Unpacking(GzDecoder<Vec<u8>>);

impl Unpacking {
    pub(in crate::postgres) fn new() -> Self {
        Self(GzDecoder::new(Vec::new()))
    }

    pub(in crate::postgres) fn add(&mut self, piece: &[u8]) -> Result<Vec<u8>, StoreError> {
        // What was unpacked before is in a buffer of the decoder's own until it is told to let go.
        let written = self.0.write_all(piece).and_then(|()| self.0.flush());
        written.map_err(|error| damaged(&error))?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    /// What was left, if all was there.
    pub(in crate::postgres) fn finish(mut self) -> Result<Vec<u8>, StoreError> {
        self.0.try_finish().map_err(|error| damaged(&error))?;
        Ok(std::mem::take(self.0.get_mut()))
    }
}

fn damaged(error: &std::io::Error) -> StoreError {
    StoreError::Damaged(format!("unpacking: {error}"))
}
