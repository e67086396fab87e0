//! How much is read back, and when.

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 1] = [DAILY_BYTES];

const DAILY_BYTES: Key = Key {
    path: "verify.daily_bytes",
    variable: "BACKUP_VERIFY_DAILY_BYTES",
    flag: None,
    shape: Shape::Number {
        unit: "bytes",
        least: 0,
    },
    fallback: Fallback::Value("0"),
    about: "So much is read back and compared each day, the longest unverified first; 0 for nothing.",
};

/// What is verified without being asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verify {
    /// So many bytes each day; 0 for none.
    pub(crate) daily_bytes: u64,
}

pub(super) fn read(settings: &Settings) -> Result<Verify, Failure> {
    Ok(Verify {
        daily_bytes: settings.number(&DAILY_BYTES)?,
    })
}
