//! A daily backup at 01:00 of a zone with summer time, through a whole year: its ids are in UTC, so
//! two of them are 23 or 25 hours apart when the clocks change.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use super::*;

/// Europe/Zurich as a rule, so that no database of time zones is needed.
fn zurich() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

/// The moment at which the daily backup of this day begins.
pub(super) fn daily(day: Date) -> Timestamp {
    day.at(1, 0, 0, 0).to_zoned(zurich()).unwrap().timestamp()
}

#[test]
fn the_change_of_the_clocks_costs_no_day() {
    let policy = Policy::default();
    let mut repository = Vec::new();
    let mut kept = BTreeMap::new();
    for day in date(2026, 1, 1).series(jiff::Span::new().days(1)).take(365) {
        repository.push(Entry {
            id: BackupId::at(daily(day)),
            standing: Standing::Complete,
            exempt: None,
        });
        // Retention runs at the end of the backup's run.
        let plan = plan(&repository, &policy, daily(day) + SignedDuration::from_mins(10));
        repository.retain(|entry| plan.kept().any(|id| id == entry.id));
        kept.insert(day, repository.len());
    }
    let settled = kept.range(date(2026, 1, 7)..);
    let others: Vec<Date> = settled.filter(|(_, kept)| **kept != 7).map(|(day, _)| *day).collect();
    // The week after the night of 23 hours: the backup of the same weekday is an hour short of its age.
    let expected: Vec<Date> = date(2026, 3, 30).series(jiff::Span::new().days(1)).take(7).collect();
    assert_eq!(others, expected);
    assert!(expected.iter().all(|day| kept.get(day) == Some(&8)), "{kept:?}");
}
