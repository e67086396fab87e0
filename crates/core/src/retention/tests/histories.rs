//! Random repositories: what years of use, wrong clocks and summer time make of them.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::date;
use proptest::collection::vec;
use proptest::prelude::*;

use super::summer_time::daily;
use super::*;

/// A repository, a policy and a moment.
#[derive(Clone)]
pub(super) struct History {
    pub(super) entries: Vec<Entry>,
    pub(super) policy: Policy,
    pub(super) now: Timestamp,
}

impl History {
    pub(super) fn plan(&self) -> RetentionPlan {
        plan(&self.entries, &self.policy, self.now)
    }

    /// What is left when `gone` is no longer there.
    pub(super) fn without(&self, gone: impl Fn(BackupId) -> bool) -> Self {
        let entries = self.entries.iter().filter(|entry| !gone(entry.id)).copied();
        self.with(entries.collect())
    }

    /// The same without days, weeks, months and years.
    pub(super) fn without_periods(mut self) -> Self {
        self.policy.periods = Periods::default();
        self
    }

    pub(super) fn with(&self, entries: Vec<Entry>) -> Self {
        Self {
            entries,
            ..self.clone()
        }
    }

    /// The complete backups that retention may count, newest first.
    pub(super) fn countable(&self) -> Vec<BackupId> {
        let latest = self.now + CLOCK_TOLERANCE;
        let counts = |entry: &&Entry| {
            entry.standing == Standing::Complete && entry.exempt.is_none() && entry.id.timestamp() <= latest
        };
        let mut ids: Vec<BackupId> = self.entries.iter().filter(counts).map(|entry| entry.id).collect();
        ids.sort();
        ids.reverse();
        ids
    }
}

/// A failing case prints as what an operator would see.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "at {} with {:?}", self.now, self.policy)?;
        for (entry, verdict) in self.entries.iter().zip(self.plan().verdicts) {
            let (id, standing, exempt) = (entry.id, entry.standing, entry.exempt);
            writeln!(
                f,
                "  {id} {standing:?} {exempt:?}: {} ({:?})",
                verdict.fate, verdict.reason
            )?;
        }
        Ok(())
    }
}

/// Daily backups around a change of the clocks, some missing, some made by a wrong clock, some by hand.
pub(super) fn history() -> impl Strategy<Value = History> {
    let first = prop_oneof![Just(date(2026, 3, 10)), Just(date(2026, 10, 5)), Just(date(2026, 6, 1))];
    let days = vec((clock_error(), standing(), exempt()), 0..40);
    let by_hand = vec((0..40 * DAY, standing(), exempt()), 0..8);
    let when = (first, moment());
    (when, days, by_hand, policy(), bad_disk()).prop_map(|((first, moment), days, by_hand, policy, bad_disk)| {
        let start = daily(first);
        let mut entries = BTreeMap::new();
        let mut add = |at: Timestamp, (written, standing): (i64, Standing), exempt| {
            let id = BackupId::at(at);
            let standing = match standing {
                Standing::Complete if bad_disk => Standing::FailedVerification,
                other => other,
            };
            let standing = placed(standing, id.timestamp() + SignedDuration::from_secs(written));
            entries.insert(id, Entry { id, standing, exempt });
        };
        let calendar = first.series(jiff::Span::new().days(1));
        for (day, (error, standing, exempt)) in calendar.zip(days) {
            add(daily(day) + SignedDuration::from_secs(error), standing, exempt);
        }
        for (after, standing, exempt) in by_hand {
            add(start + SignedDuration::from_secs(after), standing, exempt);
        }
        History {
            entries: entries.into_values().collect(),
            policy,
            now: start + SignedDuration::from_millis(moment),
        }
    })
}

/// One day, in seconds.
const DAY: i64 = 86_400;

/// By how many seconds the clock was wrong when a backup was made.
fn clock_error() -> impl Strategy<Value = i64> {
    prop_oneof![
        20 => Just(0),
        3 => -2 * 3600..2 * 3600_i64,
        1 => -400 * DAY..400 * DAY,
    ]
}

/// The moment of retention, in milliseconds after the first backup: at the end of the history, most often.
fn moment() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => 0..45 * DAY * 1000,
        1 => -500 * DAY * 1000..500 * DAY * 1000,
    ]
}

/// Whether nothing in the repository can be trusted any more.
fn bad_disk() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.1)
}

fn policy() -> impl Strategy<Value = Policy> {
    (0..20_u32, 0..10_u32, periods()).prop_map(|(days, minimum, periods)| Policy { days, minimum, periods })
}

pub(super) fn periods() -> impl Strategy<Value = Periods> {
    let some = (0..9_u32, 0..5_u32, 0..3_u32, 0..3_u32).prop_map(|(daily, weekly, monthly, yearly)| Periods {
        daily,
        weekly,
        monthly,
        yearly,
    });
    prop_oneof![1 => Just(Periods::default()), 2 => some]
}

fn exempt() -> impl Strategy<Value = Option<Exempt>> {
    prop_oneof![
        8 => Just(None),
        1 => Just(Some(Exempt::Protected)),
        1 => Just(Some(Exempt::Safety)),
    ]
}

/// What a run left, and how many seconds after its begin it wrote for the last time.
fn standing() -> impl Strategy<Value = (i64, Standing)> {
    let torso = any::<bool>().prop_map(|held| Standing::Torso {
        written: Timestamp::UNIX_EPOCH,
        held,
    });
    let standing = prop_oneof![
        8 => Just(Standing::Complete),
        1 => Just(Standing::FailedVerification),
        1 => any::<bool>().prop_map(|newer| Standing::Unusable { newer }),
        2 => Just(Standing::Partial),
        2 => torso,
        1 => Just(Standing::HalfDeleted),
    ];
    (0..2 * DAY, standing)
}

fn placed(standing: Standing, written: Timestamp) -> Standing {
    match standing {
        Standing::Torso { held, .. } => Standing::Torso { written, held },
        other => other,
    }
}
