//! How backups keep clients away, and for how long at most.

use std::time::Duration;

use stillpoint_core::engine::site::StandstillRules;

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 5] = [MODE, MAX, JOBS, BUSY, WHEN_BUSY];

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

const BUSY: Key = Key {
    path: "standstill.busy_seconds",
    variable: "BACKUP_BUSY_SECONDS",
    flag: None,
    shape: Shape::Number {
        unit: "seconds",
        least: 0,
    },
    fallback: Fallback::Value("600"),
    about: "A backup waits at most so long for work that it would cut: runs of Dagster, clients whose command in the label `stillpoint.idle` does not end with 0.",
};

const WHEN_BUSY: Key = Key {
    path: "standstill.when_busy",
    variable: "BACKUP_WHEN_BUSY",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Value("go-on"),
    about: "What a backup does when that has not ended: `go-on` and name what it cuts, or `skip`.",
};

pub(super) fn read(settings: &Settings) -> Result<StandstillRules, Failure> {
    let mode = settings.text_or_default(&MODE);
    let max = settings.found(MAX.variable).map(|_| settings.number(&MAX));
    Ok(StandstillRules {
        mode: mode.parse().map_err(|wrong| settings.refuse(&MODE, wrong))?,
        max: max.transpose()?.map(Duration::from_secs),
        jobs: Duration::from_secs(settings.number(&JOBS)?),
        busy: Duration::from_secs(settings.number(&BUSY)?),
        when_busy: settings
            .text_or_default(&WHEN_BUSY)
            .parse()
            .map_err(|wrong: String| settings.refuse(&WHEN_BUSY, wrong))?,
    })
}
