//! How backups keep clients away, and for how long at most.

use std::time::Duration;

use stillpoint_core::engine::site::StandstillRules;

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 3] = [MODE, MAX, JOBS];

const MODE: Key = Key {
    path: "standstill.mode",
    variable: "BACKUP_MODE",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Value("pin"),
    about: "`pin`: clients start again when every store is pinned; `hold`: when the last byte was read.",
};

const MAX: Key = Key {
    path: "standstill.max_seconds",
    variable: "BACKUP_STANDSTILL_SECONDS",
    flag: None,
    shape: Shape::Number {
        unit: "seconds",
        least: 1,
    },
    fallback: Fallback::Words("`600`; no limit where clients wait until a store is copied"),
    about: "Clients are down for a backup at most so long; then they start and the backup fails.",
};

const JOBS: Key = Key {
    path: "standstill.jobs_seconds",
    variable: "BACKUP_JOBS_SECONDS",
    flag: None,
    shape: Shape::Number {
        unit: "seconds",
        least: 0,
    },
    fallback: Fallback::Value("60"),
    about: "A backup waits at most so long for the end of jobs that run once, before it stops anything.",
};

pub(super) fn read(settings: &Settings) -> Result<StandstillRules, Failure> {
    let mode = settings.text_or_default(&MODE);
    let max = settings.found(MAX.variable).map(|_| settings.number(&MAX));
    Ok(StandstillRules {
        mode: mode.parse().map_err(|wrong| settings.refuse(&MODE, wrong))?,
        max: max.transpose()?.map(Duration::from_secs),
        jobs: Duration::from_secs(settings.number(&JOBS)?),
    })
}
