//! Lines: for logs, pipes and programs.

use std::sync::mpsc::Receiver;

use jiff::tz::TimeZone;
use stillpoint_core::events::{Event, EventKind};

use super::{print, words};

/// One line for each fact, with the local time. Progress is left out. What is usual comes first.
pub(super) fn lines(events: &Receiver<Event>, usually: Option<&str>) {
    if let Some(usually) = usually {
        print::error(usually);
    }
    for event in events {
        if let Some(line) = line(&event) {
            print::error(&line);
        }
    }
}

/// Warnings alone.
pub(super) fn warnings(events: &Receiver<Event>) {
    for event in events {
        if let (EventKind::Warning { .. }, Some(line)) = (&event.kind, line(&event)) {
            print::error(&line);
        }
    }
}

/// What happened, after the local time of it; none for progress.
pub(crate) fn line(event: &Event) -> Option<String> {
    let sentence = words::sentence(&event.kind)?;
    let at = event.at.to_zoned(TimeZone::system());
    Some(format!("{} {sentence}", at.strftime("%H:%M:%S")))
}

/// One JSON line for each event.
pub(super) fn json_lines(events: &Receiver<Event>) {
    for event in events {
        print::document(&event);
    }
}
