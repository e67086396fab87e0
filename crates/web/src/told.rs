//! What happened in a run, as lines: the same on the page, in its live stream, as text and as JSON.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;
use stillpoint_core::events::{Event, EventKind};
use stillpoint_core::ports::history::Fact;
use stillpoint_core::words;

/// So many lines are shown at once.
pub(crate) const LOG: u32 = 500;

/// A line of a run's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// Its number within the run.
    pub(crate) seq: u64,
    /// When.
    pub(crate) at: Option<Timestamp>,
    /// When, on the clocks of the schedules' zone: `01:00:04`.
    pub(crate) clock: String,
    /// What.
    pub(crate) text: String,
    /// How much it matters.
    pub(crate) level: Level,
    /// The store that it is about.
    pub(crate) store: Option<String>,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// It says how far the run is.
    Info,
    /// It should be known.
    Warning,
    /// Something failed.
    Error,
}

impl Level {
    /// Its name, as it is shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A fact as a line; none for what only a bar can show. What another version has written is shown as it is.
pub(crate) fn line(fact: &Fact, zone: &TimeZone) -> Option<Line> {
    match serde_json::from_value::<Event>(fact.event.clone()) {
        Ok(event) => line_of(&event, zone),
        Err(_) => Some(Line {
            seq: fact.seq,
            at: fact
                .event
                .get("at")
                .and_then(Value::as_str)
                .and_then(|at| at.parse().ok()),
            clock: String::new(),
            text: fact.event.to_string(),
            level: Level::Info,
            store: None,
        }),
    }
}

/// An event as a line; none for what only a bar can show.
pub(crate) fn line_of(event: &Event, zone: &TimeZone) -> Option<Line> {
    Some(Line {
        seq: event.seq,
        at: Some(event.at),
        clock: clock(event.at, zone),
        text: text(&event.kind)?,
        level: level(&event.kind),
        store: store(&event.kind),
    })
}

/// The level says that it is a warning.
fn text(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::Warning { message } => Some(message.clone()),
        kind => words::sentence(kind),
    }
}

/// `01:00:04`.
pub(crate) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

fn level(kind: &EventKind) -> Level {
    match kind {
        EventKind::StepEnded { ok: false, .. } => Level::Error,
        EventKind::Warning { .. } | EventKind::ClientsWaited { .. } | EventKind::Stopped { killed: true, .. } => {
            Level::Warning
        }
        _ => Level::Info,
    }
}

fn store(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::ArtifactDone { store, .. }
        | EventKind::Spools { store, .. }
        | EventKind::ClientsWaited { store, .. }
        | EventKind::Progress { store, .. } => Some(store.to_string()),
        _ => None,
    }
}

/// How far an artifact is, in words: `langfuse.dump: 12.00 MiB of 40.00 MiB`.
pub(crate) fn progress(event: &Event) -> Option<String> {
    let EventKind::Progress {
        artifact, bytes, total, ..
    } = &event.kind
    else {
        return None;
    };
    let of = total.map(|total| format!(" of {}", words::bytes(total)));
    Some(format!(
        "{artifact}: {}{}",
        words::bytes(*bytes),
        of.unwrap_or_default()
    ))
}
