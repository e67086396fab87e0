//! What each day brought: from the repository, and from the history what the repository does not tell. Pure.

use std::collections::{BTreeMap, BTreeSet};

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
        let kept = list.map(known_ids).unwrap_or_default();
        for run in runs.iter().filter(|run| run.job == BACKUP_JOB) {
            let day = seen.entry(self.date(run.asked_at)).or_default();
            match run.state {
                RunState::Success | RunState::Degraded => {
                    // What is still there tells more than its run; what retention has let go was good.
                    let made = made(run);
                    let is_gone = made.as_ref().is_none_or(|made| !kept.contains(made));
                    day.good |= is_gone && store.is_none_or(|store| held(run, store));
                    day.trouble |= run.state == RunState::Degraded && store.is_none();
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

/// The ids of all that the repository holds.
fn known_ids(list: &BackupList) -> BTreeSet<String> {
    let complete = list.backups.iter().map(|backup| backup.id);
    let broken = list.unreadable.iter().chain(&list.partial).map(|(id, _)| *id);
    complete.chain(broken).map(|id| id.to_string()).collect()
}

/// The id of the backup that a run says it has made.
fn made(run: &RunRecord) -> Option<String> {
    let result = run.ending.as_ref()?.result.as_ref()?;
    Some(result["manifest"]["id"].as_str()?.to_owned())
}

/// Whether a run says that its backup held a store; also where it says nothing.
fn held(run: &RunRecord, store: &StoreName) -> bool {
    let result = run.ending.as_ref().and_then(|ending| ending.result.as_ref());
    let stores = result.and_then(|result| result["manifest"]["stores"].as_array());
    stores.is_none_or(|stores| stores.iter().any(|held| held["name"] == *store.as_str()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use stillpoint_core::names::RunId;
    use stillpoint_core::ports::history::{Asked, Ending, Way};

    use super::*;

    fn run(at: &str, state: RunState, result: Value) -> RunRecord {
        RunRecord {
            number: None,
            run: RunId::new(at),
            job: BACKUP_JOB.to_owned(),
            options: Value::Null,
            platform: None,
            asked: Asked {
                way: Way::Schedule,
                by: String::new(),
            },
            host: String::new(),
            process: 1,
            state,
            asked_at: at.parse().unwrap(),
            started_at: None,
            ended_at: None,
            ending: Some(Ending {
                result: Some(result),
                ..Ending::default()
            }),
        }
    }

    fn states(runs: &[RunRecord], overdue: Option<&str>, store: Option<&str>) -> Vec<DayState> {
        let zone = TimeZone::get("Europe/Zurich").unwrap();
        let period = Period::ending("2026-03-14T07:12:00Z".parse().unwrap(), 4, &zone);
        let overdue = overdue.map(|since| since.parse().unwrap());
        let store = store.map(StoreName::new);
        let days = period.of(None, runs, overdue, store.as_ref());
        assert_eq!(days.last().unwrap().date.to_string(), "2026-03-14");
        days.into_iter().map(|day| day.state).collect()
    }

    #[test]
    fn a_day_is_that_of_the_schedules_zone() {
        // 23:30 in UTC is the next day in Zurich.
        let runs = [run("2026-03-12T23:30:00Z", RunState::Success, Value::Null)];
        let wanted = [DayState::Idle, DayState::Idle, DayState::Good, DayState::Idle];
        assert_eq!(states(&runs, None, None), wanted);
    }

    #[test]
    fn a_failure_beside_a_backup_is_trouble_and_alone_it_is_a_failure() {
        let runs = [
            run("2026-03-14T00:00:00Z", RunState::Failure, Value::Null),
            run("2026-03-13T02:00:00Z", RunState::Failure, Value::Null),
            run("2026-03-13T00:00:00Z", RunState::Success, Value::Null),
            run("2026-03-12T00:00:00Z", RunState::Canceled, Value::Null),
        ];
        let wanted = [DayState::Idle, DayState::Idle, DayState::Trouble, DayState::Failed];
        assert_eq!(states(&runs, None, None), wanted);
    }

    #[test]
    fn days_without_a_backup_are_overdue_from_the_first_that_was_not_met() {
        let runs = [run("2026-03-14T00:00:00Z", RunState::Failure, Value::Null)];
        let wanted = [DayState::Idle, DayState::Overdue, DayState::Overdue, DayState::Failed];
        assert_eq!(states(&runs, Some("2026-03-12T00:00:00Z"), None), wanted);
    }

    #[test]
    fn a_backup_that_is_gone_was_one_of_the_stores_that_it_held() {
        let result = json!({"manifest": {"id": "2026-03-13_00-00-00", "stores": [{"name": "valkey"}]}});
        let runs = [run("2026-03-13T00:00:00Z", RunState::Degraded, result)];
        assert_eq!(states(&runs, None, Some("valkey"))[2], DayState::Good);
        assert_eq!(states(&runs, None, Some("nats"))[2], DayState::Idle);
        assert_eq!(states(&runs, None, None)[2], DayState::Trouble);
    }
}
