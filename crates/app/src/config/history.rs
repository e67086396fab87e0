//! How long it is known which runs there were.

use stillpoint_core::ports::history::HistoryLimits;

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 2] = [DAYS, RUNS];

const DAYS: Key = Key {
    path: "history.days",
    variable: "BACKUP_HISTORY_DAYS",
    flag: None,
    shape: Shape::Number { unit: "days", least: 1 },
    fallback: Fallback::Value("365"),
    about: "Runs are forgotten after so many days; backups have nothing to do with it.",
};

const RUNS: Key = Key {
    path: "history.runs",
    variable: "BACKUP_HISTORY_RUNS",
    flag: None,
    shape: Shape::Number { unit: "runs", least: 1 },
    fallback: Fallback::Value("10000"),
    about: "So many runs are known, the newest.",
};

pub(super) fn read(settings: &Settings) -> Result<HistoryLimits, Failure> {
    Ok(HistoryLimits {
        days: settings.number(&DAYS)?,
        runs: settings.number(&RUNS)?,
    })
}
