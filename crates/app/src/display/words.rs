//! Numbers and events as a person would say them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use stillpoint_core::events::{EventKind, Step, millis};

/// `1.4 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

/// A moment in this machine's time zone; ids are in UTC, people are not.
pub(crate) fn local(moment: Timestamp) -> String {
    moment
        .to_zoned(TimeZone::system())
        .strftime("%a %d %b %Y %H:%M:%S %Z")
        .to_string()
}

/// `7.4 s`, or from a minute on `01:07`.
pub(crate) fn span(span: Duration) -> String {
    if span < Duration::from_mins(1) {
        seconds(millis(span))
    } else {
        clock(span)
    }
}

/// `01:07`.
pub(crate) fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// `12.3 s`.
pub(crate) fn seconds(millis: u64) -> String {
    let tenths = millis.div_ceil(100);
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// What a fact of a run means; none for what only a bar can show.
pub(crate) fn sentence(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::StepBegan { step } => format!("{} …", doing(*step)),
        EventKind::StepEnded { step, millis, ok: true } => format!("{}: done in {}", doing(*step), seconds(*millis)),
        EventKind::StepEnded {
            step,
            millis,
            ok: false,
        } => format!("{}: FAILED after {}", doing(*step), seconds(*millis)),
        EventKind::WaitsForJobs { jobs, seconds } => {
            let jobs: Vec<String> = jobs.iter().map(ToString::to_string).collect();
            format!(
                "waiting up to {seconds} s for the end of what runs once: {}",
                jobs.join(", ")
            )
        }
        EventKind::ClientsGoDown { workloads } => format!("clients go down: {workloads} containers to stop"),
        EventKind::ClientsAreBack { millis } => format!("clients are back: down for {}", seconds(*millis)),
        EventKind::Stopped {
            workload,
            killed: false,
        } => format!("stopped {workload}"),
        EventKind::Stopped { workload, killed: true } => format!("stopped {workload} (killed: it did not end in time)"),
        EventKind::Started { workload } => format!("started {workload}"),
        EventKind::ArtifactDone {
            artifact, bytes: count, ..
        } => format!("{artifact}: {}", bytes(*count)),
        EventKind::Spools {
            store,
            place,
            bytes: count,
        } => {
            format!("{store} needs up to {} in {place} while it is copied", bytes(*count))
        }
        EventKind::ClientsWaited {
            store,
            database,
            millis,
            statement,
        } => format!(
            "clients of {store} waited {} in database `{database}`: {statement}",
            seconds(*millis)
        ),
        EventKind::Sealed { backup } => format!("sealed {backup}"),
        EventKind::Deleted { backup } => format!("deleted {backup}"),
        EventKind::Warning { message } => format!("warning: {message}"),
        EventKind::Progress { .. } => return None,
    })
}

fn doing(step: Step) -> &'static str {
    match step {
        Step::Preflight => "preflight",
        Step::Verify => "verifying the backup",
        Step::Claim => "claiming the platform",
        Step::Stop => "stopping clients",
        Step::Pin => "pinning stores",
        Step::Drain => "draining stores",
        Step::Copy => "copying data that is about to be replaced",
        Step::Load => "loading stores",
        Step::PutBack => "putting the old data back",
        Step::Compare => "comparing inventories",
        Step::LogIn => "trying the clients' logins",
        Step::Start => "starting clients",
        Step::Seal => "sealing",
        Step::Discard => "freeing the data that was replaced",
        Step::Prune => "applying retention",
        Step::Adopt => "adopting",
    }
}
