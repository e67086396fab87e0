//! How Dagster's databases are kept lean. Windows and limit have the names of the platform's own variables.

use stillpoint_core::maintenance::{Pace, Rules};

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 9] = [DISABLED, DATABASES, DEBUG, INFO, WARNING, FRAMEWORK, LIMIT, WAL, LAG];

const DISABLED: Key = Key {
    path: "maintenance.disabled",
    variable: "MAINTENANCE_DISABLED",
    flag: None,
    shape: Shape::Switch,
    fallback: Fallback::Value("false"),
    about: "Neither cleanup nor repack does anything, also when it is asked for.",
};

const DATABASES: Key = Key {
    path: "maintenance.databases",
    variable: "DAGSTER_DB",
    flag: None,
    shape: Shape::List,
    fallback: Fallback::Words("`dagster`"),
    about: "Dagster's databases, on whichever PostgreSQL of the platform; `dagster_db` of a store stands above it.",
};

const DEBUG: Key = days(
    "maintenance.debug_days",
    "DAGSTER_DEBUG_LOG_RETENTION_DAYS",
    "7",
    "Dagster's debug logs stay for so many days.",
);

const INFO: Key = days(
    "maintenance.info_days",
    "DAGSTER_INFO_LOG_RETENTION_DAYS",
    "60",
    "Dagster's logs of level info stay for so many days.",
);

const WARNING: Key = days(
    "maintenance.warning_days",
    "DAGSTER_WARNING_LOG_RETENTION_DAYS",
    "60",
    "Dagster's warnings stay for so many days.",
);

const FRAMEWORK: Key = days(
    "maintenance.unimportant_event_days",
    "DAGSTER_UNIMPORTANT_EVENT_RETENTION_DAYS",
    "30",
    "Dagster's framework events that no page of it needs stay for so many days.",
);

const LIMIT: Key = Key {
    path: "maintenance.batch_limit",
    variable: "DAGSTER_CLEANUP_BATCH_LIMIT",
    flag: None,
    shape: Shape::Number { unit: "rows", least: 1 },
    fallback: Fallback::Value("1000000"),
    about: "So many rows each handler deletes at most in one run; they go in small transactions.",
};

const WAL: Key = Key {
    path: "maintenance.wal_bytes_per_minute",
    variable: "DAGSTER_CLEANUP_WAL_BYTES_PER_MINUTE",
    flag: None,
    shape: Shape::Number {
        unit: "bytes",
        least: 0,
    },
    fallback: Fallback::Value("1073741824"),
    about: "So much WAL a cleanup lets the server write, spread evenly: less is gentler to others who write; 0: as fast as it can.",
};

const LAG: Key = Key {
    path: "maintenance.max_lag_bytes",
    variable: "DAGSTER_CLEANUP_MAX_LAG_BYTES",
    flag: None,
    shape: Shape::Number {
        unit: "bytes",
        least: 0,
    },
    fallback: Fallback::Value("268435456"),
    about: "A cleanup waits for a replica that is further behind; 0: it waits for none.",
};

const fn days(path: &'static str, variable: &'static str, usual: &'static str, about: &'static str) -> Key {
    Key {
        path,
        variable,
        flag: None,
        shape: Shape::Number { unit: "days", least: 0 },
        fallback: Fallback::Value(usual),
        about,
    }
}

pub(super) fn read(settings: &Settings) -> Result<Rules, Failure> {
    let days = |key: &Key| {
        let days: u64 = settings.number(key)?;
        u32::try_from(days)
            .ok()
            .filter(|days| *days <= 36_500)
            .ok_or_else(|| settings.refuse(key, format!("{days} days are more than 100 years")))
    };
    Ok(Rules {
        disabled: settings.switch(&DISABLED)?,
        debug_days: days(&DEBUG)?,
        info_days: days(&INFO)?,
        warning_days: days(&WARNING)?,
        framework_days: days(&FRAMEWORK)?,
        limit: settings.number(&LIMIT)?,
        pace: Pace {
            wal_per_minute: settings.number(&WAL)?,
            max_lag: settings.number(&LAG)?,
        },
    })
}
