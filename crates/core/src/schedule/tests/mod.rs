//! Ten years of a zone with summer time against a reference, the nights in which the clocks change one by one, and the queue
//! under any sequence of events.

mod calendar;
mod due;
mod queue;
mod reference;
mod windows;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;

/// Europe/Zurich as a rule, so that no database of time zones is needed.
fn zurich() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

fn calendar(text: &str) -> Calendar {
    Calendar::new(text, zurich()).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
