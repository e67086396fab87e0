//! The moments that a cron expression means in a time zone.
//!
//! The expression speaks of clocks on the wall. Where these are set forward, a time that does not exist fires once at the
//! moment of the change; where they are set back, a time that exists twice fires the first time. An expression whose hour
//! begins with `*` speaks of spans instead: it fires in both passes of an hour, and not in an hour that does not exist.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included};

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Longer than any zone has ever set its clocks at once: the date line moved by a day.
const LONGEST_CHANGE: SignedDuration = SignedDuration::from_hours(25);

/// No expression has longer pauses: 29 February, where a century skips a leap year.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(24 * 366 * 9);

/// The first window in which fires are looked for.
const WINDOW: SignedDuration = SignedDuration::from_hours(25);

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    text: String,
    cron: Cron,
    zone: TimeZone,
    /// It speaks of spans.
    by_span: bool,
}

/// A text that is no cron expression that ever fires.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no schedule: {why}")]
pub struct NotACalendar {
    text: String,
    why: String,
}

impl Calendar {
    /// Reads five fields: minute, hour, day of the month, month, day of the week.
    pub fn new(text: &str, zone: TimeZone) -> Result<Self, NotACalendar> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let refused = |why: String| NotACalendar {
            text: text.clone(),
            why,
        };
        let fields: Vec<&str> = text.split(' ').collect();
        let [_, hour, ..] = fields[..] else {
            return Err(refused(wanted(fields.len())));
        };
        if fields.len() != 5 {
            return Err(refused(wanted(fields.len())));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed);
        let cron = parser.build().parse(&text).map_err(|why| refused(why.to_string()))?;
        let any = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        if cron.find_next_occurrence(&any, true).is_err() {
            return Err(refused("there is no such day".to_owned()));
        }
        Ok(Self {
            by_span: hour.starts_with('*'),
            cron,
            zone,
            text,
        })
    }

    /// The expression.
    pub fn expression(&self) -> &str {
        &self.text
    }

    /// Its zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// What it means, as a sentence in English.
    pub fn sentence(&self) -> String {
        self.cron.describe()
    }

    /// The next so many fires after this moment.
    pub fn next_fires(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        let mut window = WINDOW;
        loop {
            let until = later(after, window);
            let mut fires = self.between(after, until);
            if fires.len() >= count || until == Timestamp::MAX {
                fires.truncate(count);
                return fires;
            }
            window = window.saturating_mul(2);
        }
    }

    /// The last fire after the first moment and not after the second.
    pub fn last_fire(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let mut window = WINDOW;
        loop {
            let from = until.checked_sub(window).unwrap_or(Timestamp::MIN).max(after);
            let last = self.between(from, until).pop();
            if last.is_some() || from <= after || window > LONGEST_PAUSE {
                return last;
            }
            window = window.saturating_mul(2);
        }
    }

    /// All fires after the first moment and not after the second, in order.
    fn between(&self, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        if until <= after {
            return Vec::new();
        }
        let civil = |at: Timestamp| self.zone.to_datetime(at);
        let last = civil(until).saturating_add(LONGEST_CHANGE);
        let mut at = civil(after).saturating_sub(LONGEST_CHANGE);
        let mut fires = BTreeSet::new();
        while let Ok(next) = self.cron.find_next_occurrence(&at, false)
            && next <= last
        {
            fires.extend(self.moments(next));
            at = next;
        }
        fires.range((Excluded(after), Included(until))).copied().collect()
    }

    /// When the clocks on the wall show this.
    fn moments(&self, civil: DateTime) -> Vec<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(civil);
        let found = match (ambiguous.offset(), self.by_span) {
            (AmbiguousOffset::Unambiguous { .. }, _) | (AmbiguousOffset::Fold { .. }, false) => {
                vec![ambiguous.earlier()]
            }
            (AmbiguousOffset::Fold { .. }, true) => vec![ambiguous.earlier(), ambiguous.later()],
            (AmbiguousOffset::Gap { .. }, true) => Vec::new(),
            (AmbiguousOffset::Gap { .. }, false) => {
                let shifted = ambiguous.later().ok();
                return shifted
                    .and_then(|shifted| self.change_before(shifted))
                    .into_iter()
                    .collect();
            }
        };
        found.into_iter().filter_map(Result::ok).collect()
    }

    /// The last moment at which the clocks were changed, this one counted.
    fn change_before(&self, at: Timestamp) -> Option<Timestamp> {
        let just_after = later(at, SignedDuration::from_secs(1));
        let change = self.zone.preceding(just_after).next()?;
        Some(change.timestamp())
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn wanted(fields: usize) -> String {
    format!("five fields are wanted (minute, hour, day, month, weekday), not {fields}")
}
