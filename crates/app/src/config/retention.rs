//! How long backups stay.

use stillpoint_core::retention::{Periods, Policy};

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 6] = [DAYS, MINIMUM, DAILY, WEEKLY, MONTHLY, YEARLY];

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

const DAILY: Key = Key {
    path: "retention.keep_daily",
    variable: "BACKUP_KEEP_DAILY",
    flag: None,
    shape: Shape::Number { unit: "days", least: 0 },
    fallback: Fallback::Value("0"),
    about: "Of so many days that have one the newest complete backup stays, however old.",
};

const WEEKLY: Key = Key {
    path: "retention.keep_weekly",
    variable: "BACKUP_KEEP_WEEKLY",
    flag: None,
    shape: Shape::Number {
        unit: "weeks",
        least: 0,
    },
    fallback: Fallback::Value("0"),
    about: "Of so many weeks, from Monday on, that have one the newest complete backup stays.",
};

const MONTHLY: Key = Key {
    path: "retention.keep_monthly",
    variable: "BACKUP_KEEP_MONTHLY",
    flag: None,
    shape: Shape::Number {
        unit: "months",
        least: 0,
    },
    fallback: Fallback::Value("0"),
    about: "Of so many months that have one the newest complete backup stays.",
};

const YEARLY: Key = Key {
    path: "retention.keep_yearly",
    variable: "BACKUP_KEEP_YEARLY",
    flag: None,
    shape: Shape::Number {
        unit: "years",
        least: 0,
    },
    fallback: Fallback::Value("0"),
    about: "Of so many years that have one the newest complete backup stays.",
};

pub(super) fn read(settings: &Settings) -> Result<Policy, Failure> {
    Ok(Policy {
        days: settings.number(&DAYS)?,
        minimum: settings.number(&MINIMUM)?,
        periods: Periods {
            daily: settings.number(&DAILY)?,
            weekly: settings.number(&WEEKLY)?,
            monthly: settings.number(&MONTHLY)?,
            yearly: settings.number(&YEARLY)?,
        },
    })
}
