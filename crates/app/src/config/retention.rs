//! How long backups stay.

use stillpoint_core::retention::Policy;

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 2] = [DAYS, MINIMUM];

const DAYS: Key = Key {
    path: "retention.days",
    variable: "BACKUP_RETENTION_DAYS",
    flag: None,
    shape: Shape::Number { unit: "days", least: 0 },
    fallback: Fallback::Value("7"),
    about: "Backups younger than so many times 24 hours stay.",
};

const MINIMUM: Key = Key {
    path: "retention.minimum_keep",
    variable: "BACKUP_MINIMUM_KEEP",
    flag: None,
    shape: Shape::Number {
        unit: "backups",
        least: 0,
    },
    fallback: Fallback::Value("3"),
    about: "So many complete backups stay however old they are; the newest stays even at 0.",
};

pub(super) fn read(settings: &Settings) -> Result<Policy, Failure> {
    Ok(Policy {
        days: settings.number(&DAYS)?,
        minimum: settings.number(&MINIMUM)?,
    })
}
