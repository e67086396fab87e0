//! Retention: examples of each rule, and properties of all of them over random histories.

mod documentation;
mod histories;
mod properties;
mod rules;
mod summer_time;

use super::*;

/// The moment of every example: noon, so that a daily backup at midnight is half a day old.
const NOW: &str = "2026-02-17T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// The directory of a run that began so long before [`NOW`].
fn entry(standing: Standing, age: SignedDuration) -> Entry {
    Entry {
        id: BackupId::at(now() - age),
        standing,
        exempt: None,
    }
}

/// Complete backups of these ages in days.
fn complete(days: &[i64]) -> Vec<Entry> {
    days.iter()
        .map(|days| entry(Standing::Complete, hours(24 * days)))
        .collect()
}

fn protected(entry: Entry) -> Entry {
    Entry {
        exempt: Some(Exempt::Protected),
        ..entry
    }
}

/// A policy of the two numbers alone.
fn numbers(days: u32, minimum: u32) -> Policy {
    let periods = Periods::default();
    Policy { days, minimum, periods }
}

/// The reasons under the default policy, in the order of `entries`.
fn reasons(entries: &[Entry]) -> Vec<Reason> {
    reasons_under(Policy::default(), entries)
}

fn reasons_under(policy: Policy, entries: &[Entry]) -> Vec<Reason> {
    let plan = plan(entries, &policy, now());
    let reason = |entry: &Entry| plan.verdicts.iter().find(|verdict| verdict.id == entry.id);
    entries.iter().map(|entry| reason(entry).unwrap().reason).collect()
}
