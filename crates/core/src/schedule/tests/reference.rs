//! The reference: a wall clock is watched minute by minute for ten years, and whatever it shows is compared with five sets of
//! numbers. Nothing of the calendar's code or of its libraries' search is in here.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use jiff::civil::DateTime;
use jiff::{Timestamp, ToSpan};
use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;

use super::{calendar, zurich};

/// 2021-01-01 and 2031-01-01, 00:00 UTC: they hold every kind of week in which the clocks are changed, and two leap days.
const FROM: i64 = 1_609_459_200;
const UNTIL: i64 = 1_925_078_400;

const CASES: u32 = 24;

/// What the clock on the wall shows.
#[derive(Clone, Copy)]
struct Shown {
    minute: i8,
    hour: i8,
    day: i8,
    month: i8,
    weekday: i8,
}

impl Shown {
    fn of(shown: DateTime) -> Self {
        Self {
            minute: shown.minute(),
            hour: shown.hour(),
            day: shown.day(),
            month: shown.month(),
            weekday: shown.weekday().to_sunday_zero_offset(),
        }
    }
}

/// A minute of the ten years.
struct Minute {
    shown: Shown,
    /// The clock shows this for the second time.
    again: bool,
    /// What it has just skipped.
    skipped: Vec<Shown>,
}

/// The ten years.
fn years() -> &'static [Minute] {
    static YEARS: OnceLock<Vec<Minute>> = OnceLock::new();
    YEARS.get_or_init(|| {
        let zone = zurich();
        let mut latest = zone.to_datetime(Timestamp::from_second(FROM - 60).unwrap());
        let mut minutes = Vec::new();
        for second in (FROM..UNTIL).step_by(60) {
            let shown = zone.to_datetime(Timestamp::from_second(second).unwrap());
            let mut skipped = Vec::new();
            let again = shown <= latest;
            if !again {
                let mut next = latest + 1.minute();
                while next < shown {
                    skipped.push(Shown::of(next));
                    next += 1.minute();
                }
                latest = shown;
            }
            minutes.push(Minute {
                shown: Shown::of(shown),
                again,
                skipped,
            });
        }
        minutes
    })
}

/// An expression as sets; an empty one stands for `*`.
#[derive(Clone, Debug)]
struct Fields {
    minutes: BTreeSet<i8>,
    hours: BTreeSet<i8>,
    days: BTreeSet<i8>,
    months: BTreeSet<i8>,
    weekdays: BTreeSet<i8>,
}

impl Fields {
    fn text(&self) -> String {
        let field = |set: &BTreeSet<i8>| {
            let listed: Vec<String> = set.iter().map(i8::to_string).collect();
            if listed.is_empty() {
                "*".to_owned()
            } else {
                listed.join(",")
            }
        };
        let fields = [&self.minutes, &self.hours, &self.days, &self.months, &self.weekdays];
        fields.map(field).join(" ")
    }

    fn matches(&self, shown: Shown) -> bool {
        let has = |set: &BTreeSet<i8>, value| set.is_empty() || set.contains(&value);
        // Days of both kinds: either will do.
        let is_day = match (self.days.is_empty(), self.weekdays.is_empty()) {
            (false, false) => self.days.contains(&shown.day) || self.weekdays.contains(&shown.weekday),
            _ => has(&self.days, shown.day) && has(&self.weekdays, shown.weekday),
        };
        has(&self.minutes, shown.minute) && has(&self.hours, shown.hour) && has(&self.months, shown.month) && is_day
    }

    fn fires(&self) -> Vec<Timestamp> {
        let by_span = self.hours.is_empty();
        let mut fires = Vec::new();
        for (second, minute) in (FROM..UNTIL).step_by(60).zip(years()) {
            let fires_now = if by_span {
                self.matches(minute.shown)
            } else {
                let made_up_for = minute.skipped.iter().any(|skipped| self.matches(*skipped));
                made_up_for || self.matches(minute.shown) && !minute.again
            };
            if fires_now {
                fires.push(Timestamp::from_second(second).unwrap());
            }
        }
        fires
    }
}

fn fields() -> impl Strategy<Value = Fields> {
    let minutes = btree_set(0_i8..60, 1..3);
    // The hours around the changes of the clocks are as likely as all others together.
    let hour = prop_oneof![0_i8..24, 1_i8..4];
    let hours = prop_oneof![4 => btree_set(hour, 1..4), 1 => Just(BTreeSet::new())];
    let days = prop_oneof![2 => Just(BTreeSet::new()), 1 => btree_set(1_i8..32, 1..4)];
    let months = prop_oneof![3 => Just(BTreeSet::new()), 1 => btree_set(1_i8..13, 1..5)];
    let weekdays = prop_oneof![2 => Just(BTreeSet::new()), 1 => btree_set(0_i8..7, 1..3)];
    (minutes, hours, days, months, weekdays)
        .prop_map(|(minutes, hours, days, months, weekdays)| Fields {
            minutes,
            hours,
            days,
            months,
            weekdays,
        })
        // 31 February is refused, which another test says.
        .prop_filter("it fires", |fields| {
            fields.days.iter().any(|day| *day < 29) || fields.days.is_empty()
        })
}

proptest! {
    #![proptest_config(Config { cases: CASES, ..Config::default() })]

    #[test]
    fn ten_years_are_as_a_watcher_of_the_clock_sees_them(fields in fields(), points in [any::<Index>(), any::<Index>()]) {
        let calendar = calendar(&fields.text());
        let wanted = fields.fires();
        let start = Timestamp::from_second(FROM - 1).unwrap();
        let end = Timestamp::from_second(UNTIL - 1).unwrap();
        let found = calendar.next_fires(start, wanted.len());
        let differs = found.iter().zip(&wanted).find(|(found, wanted)| found != wanted);
        prop_assert_eq!(differs, None, "{}", fields.text());
        prop_assert_eq!(found.len(), wanted.len());

        // From anywhere, forward and back, the same are found.
        for point in points {
            let nth = point.index(wanted.len());
            let (fire, next) = (wanted[nth], wanted.get(nth + 1));
            prop_assert_eq!(calendar.last_fire(start, fire), Some(fire));
            if let Some(next) = next {
                prop_assert_eq!(calendar.next_fires(fire, 1), vec![*next]);
                let before = *next - 1.second();
                prop_assert_eq!(calendar.last_fire(start, before), Some(fire));
                prop_assert_eq!(calendar.last_fire(fire, before), None);
            }
        }
        prop_assert_eq!(calendar.last_fire(start, end), wanted.last().copied());
    }
}
