//! Who is told what, beside those who look.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use secrecy::ExposeSecret;
use stillpoint_core::ports::notices::NoticeKind;
use stillpoint_core::schedule::Calendar;
use stillpoint_notify::{Channels, Heartbeats};

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 5] = [URLS, EVENTS, DIGEST, HEARTBEATS, TEXTFILE];

const URLS: Key = Key {
    path: "notices.urls",
    variable: "NOTIFICATION_URLS",
    flag: None,
    shape: Shape::Secret,
    fallback: Fallback::Words("nobody is told"),
    about: "Addresses of the channels that are told, parted by spaces or commas, as `ntfy://ntfy.sh/topic`.",
};

const EVENTS: Key = Key {
    path: "notices.events",
    variable: "NOTIFICATION_EVENTS",
    flag: None,
    shape: Shape::List,
    fallback: Fallback::Value("failed, degraded, overdue, recovered, not_back, restore, damage, digest"),
    about: "What is told of; there is `success`, too, and `all`.",
};

const DIGEST: Key = Key {
    path: "notices.digest",
    variable: "NOTIFICATION_DIGEST",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Value("0 8 * * 1"),
    about: "When the service tells what happened in the week before: minute, hour, day, month, weekday; `off`: never.",
};

const HEARTBEATS: Key = Key {
    path: "notices.heartbeats",
    variable: "HEARTBEAT_URLS",
    flag: None,
    shape: Shape::Secret,
    fallback: Fallback::Words("none"),
    about: "Who hears that a job begins and how it ends, as `backup_job=https://hc-ping.com/…`, parted by spaces or commas.",
};

const TEXTFILE: Key = Key {
    path: "metrics.textfile",
    variable: "STILLPOINT_METRICS_TEXTFILE",
    flag: None,
    shape: Shape::Path,
    fallback: Fallback::Words("none is written"),
    about: "A file for the textfile collector of a node exporter, which commands write that make a run without a service.",
};

/// The jobs that a heartbeat can be about.
const JOBS: [&str; 8] = [
    "backup_job",
    "verify_job",
    "prune_job",
    "full_restore_job",
    "undo_job",
    "discard_job",
    "dagster_cleanup_job",
    "postgres_repack_job",
];

/// Who is told what.
#[derive(Clone, Debug)]
pub(crate) struct Notices {
    /// Who.
    pub(crate) channels: Arc<Channels>,
    /// Of what.
    pub(crate) events: Vec<NoticeKind>,
    /// When the week is told.
    pub(crate) digest: Option<Calendar>,
    /// Who watches that jobs come.
    pub(crate) heartbeats: Heartbeats,
    /// Where metrics are written that no service tells.
    pub(crate) textfile: Option<PathBuf>,
}

/// Fails on an address that cannot be taken; the failure names its place and kind, and nothing else of it.
pub(super) fn read(settings: &Settings, zone: &TimeZone) -> Result<(Notices, Vec<String>), Failure> {
    let text = |key: &Key| {
        let text = settings.secret(key);
        text.map(|text| text.expose_secret().to_owned()).unwrap_or_default()
    };
    let channels = stillpoint_notify::channels(&text(&URLS)).map_err(|why| settings.refuse(&URLS, why))?;
    let heartbeats = stillpoint_notify::heartbeats(&text(&HEARTBEATS), &JOBS);
    let heartbeats = heartbeats.map_err(|why| settings.refuse(&HEARTBEATS, why))?;
    let of = |warning: &String| format!("{}: {warning}", URLS.variable);
    let warnings = channels.warnings.iter().map(of).collect();
    let notices = Notices {
        channels: Arc::new(channels),
        events: events(settings)?,
        digest: digest(settings, zone)?,
        heartbeats,
        textfile: settings.text(&TEXTFILE).map(PathBuf::from),
    };
    Ok((notices, warnings))
}

fn events(settings: &Settings) -> Result<Vec<NoticeKind>, Failure> {
    let mut events = Vec::new();
    for name in settings.text_or_default(&EVENTS).split(',').map(str::trim) {
        match NoticeKind::ALL.iter().find(|kind| kind.name() == name) {
            Some(kind) => events.push(*kind),
            None if name == "all" => events.extend(NoticeKind::ALL),
            None if name.is_empty() => {}
            None => {
                let known: Vec<&str> = NoticeKind::ALL.iter().map(|kind| kind.name()).collect();
                let why = format!("`{name}` is none of {} and `all`", known.join(", "));
                return Err(settings.refuse(&EVENTS, why));
            }
        }
    }
    Ok(events)
}

fn digest(settings: &Settings, zone: &TimeZone) -> Result<Option<Calendar>, Failure> {
    let text = settings.text_or_default(&DIGEST);
    if text.trim() == "off" {
        return Ok(None);
    }
    let refused = |why| {
        let example = "write minute, hour, day, month and weekday, as `0 8 * * 1` for Mondays at eight, or `off`";
        settings.refuse(&DIGEST, format!("{why}; {example}"))
    };
    Calendar::new(&text, zone.clone()).map(Some).map_err(refused)
}
