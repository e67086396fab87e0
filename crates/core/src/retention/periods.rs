//! Days, weeks, months and years of which one backup each stays. They are those of the backups' names, so of UTC: two hosts, and one
//! before and after a change of the clocks, say the same of the same repository.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::names::BackupId;

/// Of how many periods of each length the newest complete backup stays. Periods without one do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Periods {
    /// `BACKUP_KEEP_DAILY`.
    pub daily: u32,
    /// `BACKUP_KEEP_WEEKLY`. Weeks begin on Monday.
    pub weekly: u32,
    /// `BACKUP_KEEP_MONTHLY`.
    pub monthly: u32,
    /// `BACKUP_KEEP_YEARLY`.
    pub yearly: u32,
}

/// A length of time of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// Of the calendar.
    Month,
    /// Of the calendar.
    Year,
}

impl Periods {
    /// Each with its number, the longest first: whoever stays for a year's sake does so the longest.
    pub(super) fn all(self) -> [(Period, u32); 4] {
        [
            (Period::Year, self.yearly),
            (Period::Month, self.monthly),
            (Period::Week, self.weekly),
            (Period::Day, self.daily),
        ]
    }
}

impl Period {
    /// Which one of its kind a backup belongs to.
    fn of(self, id: BackupId) -> (i16, i16) {
        let date: Date = id.timestamp().to_zoned(TimeZone::UTC).date();
        match self {
            Self::Day => (date.year(), date.day_of_year()),
            Self::Week => {
                let week = date.iso_week_date();
                (week.year(), i16::from(week.week()))
            }
            Self::Month => (date.year(), i16::from(date.month())),
            Self::Year => (date.year(), 0),
        }
    }

    /// The newest of each of the `keep` newest periods, of backups that are given newest first.
    pub(super) fn newest(self, keep: u32, newest_first: &[BackupId]) -> impl Iterator<Item = BackupId> {
        let mut last = None;
        let firsts = newest_first.iter().copied().filter(move |id| {
            let period = Some(self.of(*id));
            let is_first = period != last;
            last = period;
            is_first
        });
        firsts.take(usize::try_from(keep).unwrap_or(usize::MAX))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        })
    }
}
