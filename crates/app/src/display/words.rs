//! Numbers and events as a person would say them, on this machine.

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) use stillpoint_core::words::{bytes, clock, seconds, sentence, span};

/// A moment in this machine's time zone; ids are in UTC, people are not.
pub(crate) fn local(moment: Timestamp) -> String {
    moment
        .to_zoned(TimeZone::system())
        .strftime("%a %d %b %Y %H:%M:%S %Z")
        .to_string()
}
