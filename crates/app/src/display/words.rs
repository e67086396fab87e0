//! Numbers and events as a person would say them, on this machine.

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) use stillpoint_core::words::{bytes, clock, seconds, sentence, span};

/// The zone that a service tells times in, whatever its machine or container thinks.
static ZONE: OnceLock<TimeZone> = OnceLock::new();

/// From now on times are told in this zone.
pub(crate) fn tell_times_in(zone: TimeZone) {
    // Once for each process; there is one service in it.
    let _ = ZONE.set(zone);
}

/// A moment in this machine's time zone, or that of the service; ids are in UTC, people are not.
pub(crate) fn local(moment: Timestamp) -> String {
    moment
        .to_zoned(ZONE.get().cloned().unwrap_or_else(TimeZone::system))
        .strftime("%a %d %b %Y %H:%M:%S %Z")
        .to_string()
}
