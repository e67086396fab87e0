//! What each day brought: from the repository, and from the history what the repository does not tell. Pure.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use stillpoint_core::names::StoreName;
use stillpoint_core::operations::BackupList;
use stillpoint_core::ports::history::{RunRecord, RunState};

use super::{BACKUP_JOB, counts};
use crate::wire::overview::{Day, DayState};

/// Days in a row, in a zone.
pub(crate) struct Period {
    first: Date,
    last: Date,
    zone: TimeZone,
}

/// What was seen on a day.
#[derive(Clone, Copy, Default)]
struct Seen {
    good: bool,
    trouble: bool,
}

impl Period {
    /// So many days, the last of which is that of `now`.
    pub(crate) fn ending(now: Timestamp, days: i64, zone: &TimeZone) -> Self {
        let last = now.to_zoned(zone.clone()).date();
        Self {
            first: last.checked_sub((days - 1).days()).unwrap_or(last),
            last,
            zone: zone.clone(),
        }
    }

    fn date(&self, moment: Timestamp) -> Date {
        moment.to_zoned(self.zone.clone()).date()
    }

    /// What each day brought, to one store or to all.
    pub(crate) fn of(
        &self,
        list: Option<&BackupList>,
        runs: &[RunRecord],
        overdue_since: Option<Timestamp>,
        store: Option<&StoreName>,
    ) -> Vec<Day> {
        let mut seen: BTreeMap<Date, Seen> = BTreeMap::new();
        for backup in list
            .iter()
            .flat_map(|list| &list.backups)
            .filter(|backup| counts(backup))
        {
            let holds = |name: &StoreName| backup.manifest.stores.iter().any(|store| store.name == *name);
            let is_damaged = backup.verified.is_some_and(|verified| !verified.sound);
            let is_whole = store.map_or_else(
                || backup.manifest.stores.len() == super::stores_of_platform(backup),
                holds,
            );
            let day = seen.entry(self.date(backup.id.timestamp())).or_default();
            day.good |= !is_damaged && (is_whole || store.is_none());
            day.trouble |= is_damaged || !is_whole;
        }
        let broken = list.iter().flat_map(|list| list.unreadable.iter().chain(&list.partial));
        for (id, _) in broken {
            seen.entry(self.date(id.timestamp())).or_default().trouble = true;
        }
        for run in runs.iter().filter(|run| run.job == BACKUP_JOB) {
            let day = seen.entry(self.date(run.asked_at)).or_default();
            match run.state {
                // Its backup may have gone since: retention lets go what has been good.
                RunState::Success => day.good |= !day.trouble,
                RunState::Degraded => {
                    day.good |= !day.trouble;
                    day.trouble |= store.is_none();
                }
                RunState::Failure => day.trouble = true,
                _ => {}
            }
        }
        let overdue_since = overdue_since.map(|since| self.date(since));
        let days = self.first.series(1.day()).take_while(|date| *date <= self.last);
        days.map(|date| Day {
            date,
            state: match seen.get(&date) {
                Some(Seen {
                    good: true,
                    trouble: false,
                }) => DayState::Good,
                Some(Seen {
                    good: true,
                    trouble: true,
                }) => DayState::Trouble,
                Some(Seen {
                    good: false,
                    trouble: true,
                }) => DayState::Failed,
                _ if overdue_since.is_some_and(|since| since <= date) => DayState::Overdue,
                _ => DayState::Idle,
            },
        })
        .collect()
    }
}
