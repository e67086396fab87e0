//! When the service begins what by itself, and how it ends.

use std::time::Duration;

use jiff::tz::TimeZone;
use stillpoint_core::maintenance::{CleanupWish, Rules};
use stillpoint_core::operations::{Order, Scope};
use stillpoint_core::schedule::{Calendar, NotAWindow, Schedule, Window};

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use super::surroundings::Surroundings;
use super::verify::Verify;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 8] = [
    BACKUP,
    VERIFY,
    CLEANUP,
    REPACK,
    TIMEZONE,
    CATCH_UP,
    FOREIGN_WINDOWS,
    GRACE,
];

const BACKUP: Key = Key {
    path: "schedule.backup",
    variable: "BACKUP_SCHEDULE",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Value("0 1 * * *"),
    about: "When the service makes a backup: minute, hour, day, month, weekday; `off`: never.",
};

const VERIFY: Key = Key {
    path: "schedule.verify",
    variable: "BACKUP_VERIFY_SCHEDULE",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Value("0 5 * * *"),
    about: "When the service reads back what `verify.daily_bytes` allows; `off`: never.",
};

const CLEANUP: Key = Key {
    path: "schedule.cleanup",
    variable: "DAGSTER_CLEANUP_SCHEDULE",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Value("0 3 * * 0"),
    about: "When the service deletes old logs and events of Dagster's databases; `off`: never.",
};

const REPACK: Key = Key {
    path: "schedule.repack",
    variable: "POSTGRES_REPACK_SCHEDULE",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Value("0 4 * * 0#1"),
    about: "When the service gives the room back that deleted rows take; `off`: never.",
};

const TIMEZONE: Key = Key {
    path: "schedule.timezone",
    variable: "BACKUP_TIMEZONE",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Words("`TZ`, else `Europe/Zurich`"),
    about: "The time zone of the schedules, by its IANA name.",
};

const CATCH_UP: Key = Key {
    path: "schedule.catch_up_seconds",
    variable: "BACKUP_CATCH_UP_SECONDS",
    flag: None,
    shape: Shape::Number {
        unit: "seconds",
        least: 60,
    },
    fallback: Fallback::Value("21600"),
    about: "A run whose time the service has missed begins up to so long after it; without a success by then the job is overdue.",
};

const FOREIGN_WINDOWS: Key = Key {
    path: "schedule.foreign_windows",
    variable: "BACKUP_FOREIGN_WINDOWS",
    flag: None,
    shape: Shape::List,
    fallback: Fallback::Value("02:00-03:00 observation, 03:00 cleanup"),
    about: "When others are at work, in the schedules' zone: a schedule that meets one is warned about; `off`: never.",
};

const GRACE: Key = Key {
    path: "service.grace_seconds",
    variable: "STILLPOINT_GRACE_SECONDS",
    flag: None,
    shape: Shape::Number {
        unit: "seconds",
        least: 0,
    },
    fallback: Fallback::Value("60"),
    about: "A service that is told to end lets what is at work go on for so long, then it is undone.",
};

/// The zone where nobody names one.
const ZONE: &str = "Europe/Zurich";

/// A job that comes by itself.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// Its name.
    pub(crate) job: &'static str,
    /// What is asked for.
    pub(crate) order: Order,
    /// When.
    pub(crate) schedule: Schedule,
}

pub(super) fn read(
    settings: &Settings,
    surroundings: &Surroundings,
    verify: Verify,
    maintenance: Rules,
) -> Result<(Vec<Planned>, Vec<String>), Failure> {
    let (zone, warnings) = zone(settings, surroundings)?;
    let catch_up = Duration::from_secs(settings.number(&CATCH_UP)?);
    let scope = Scope::Within(verify.daily_bytes);
    let is_maintained = !maintenance.disabled;
    let orders = [
        (&BACKUP, Some(Order::Backup { mode: None })),
        (&VERIFY, (verify.daily_bytes > 0).then_some(Order::Verify { scope })),
        (
            &CLEANUP,
            is_maintained.then_some(Order::Cleanup(CleanupWish::default())),
        ),
        (&REPACK, is_maintained.then_some(Order::Repack)),
    ];
    let mut planned = Vec::new();
    for (key, order) in orders {
        // What is wrong is told also where it has no effect yet.
        let Some(calendar) = calendar(settings, key, &zone)? else {
            continue;
        };
        planned.extend(order.map(|order| Planned {
            job: order.job(),
            order,
            schedule: Schedule { calendar, catch_up },
        }));
    }
    Ok((planned, warnings))
}

/// When others are at work.
pub(super) fn foreign_windows(settings: &Settings) -> Result<Vec<Window>, Failure> {
    let windows = settings.list(&FOREIGN_WINDOWS);
    if matches!(&windows[..], [only] if only.trim() == "off") {
        return Ok(Vec::new());
    }
    let read = |text: &String| {
        text.parse()
            .map_err(|why: NotAWindow| settings.refuse(&FOREIGN_WINDOWS, why))
    };
    windows.iter().map(read).collect()
}

pub(super) fn grace(settings: &Settings) -> Result<Duration, Failure> {
    settings.number(&GRACE).map(Duration::from_secs)
}

fn calendar(settings: &Settings, key: &Key, zone: &TimeZone) -> Result<Option<Calendar>, Failure> {
    let text = settings.text_or_default(key);
    if text.trim() == "off" {
        return Ok(None);
    }
    let refused = |why| {
        let example = "write minute, hour, day, month and weekday, as `0 1 * * *` for every night at one, or `off`";
        settings.refuse(key, format!("{why}; {example}"))
    };
    Calendar::new(&text, zone.clone()).map(Some).map_err(refused)
}

/// A zone that we are told must be one; that of the environment, which is not ours, is warned of.
fn zone(settings: &Settings, surroundings: &Surroundings) -> Result<(TimeZone, Vec<String>), Failure> {
    if let Some(name) = settings.text(&TIMEZONE) {
        let wrong = |_| {
            settings.refuse(
                &TIMEZONE,
                format!("`{name}` is no time zone, as `Europe/Zurich` is one"),
            )
        };
        return TimeZone::get(&name).map_err(wrong).map(|zone| (zone, Vec::new()));
    }
    let usual = || TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
    let named = surroundings.environment.get(std::ffi::OsStr::new("TZ"));
    let named = named.map(|name| name.to_string_lossy().into_owned());
    let Some(name) = named.filter(|name| !name.is_empty()) else {
        return Ok((usual(), Vec::new()));
    };
    if let Ok(zone) = TimeZone::get(name.trim_start_matches(':')) {
        return Ok((zone, Vec::new()));
    }
    let warning = format!("TZ (environment) is `{name}`, no IANA name: schedules are in {ZONE}");
    Ok((usual(), vec![warning]))
}
