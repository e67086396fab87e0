//! Numbers and events as a person would say them.

use std::time::Duration;

use crate::events::{EventKind, Step, millis};

/// `1.40 MiB`, in the units of IEC 80000-13.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut rest = count;
    // What is shown has two decimals: a double is exact enough, once it is small.
    for (place, unit) in UNITS.iter().enumerate() {
        let is_last = place + 1 == UNITS.len();
        if rest < 1024 && place == 0 {
            return format!("{count} B");
        }
        rest /= 1024;
        if rest < 1024 || is_last {
            let shift = 10 * (place + 1);
            let hundredths = (u128::from(count) * 100 + (1 << (shift - 1))) >> shift;
            return format!("{}.{:02} {unit}", hundredths / 100, hundredths % 100);
        }
    }
    format!("{count} B")
}

/// `7.4 s`, or from a minute on `01:07`.
pub fn span(span: Duration) -> String {
    if span < Duration::from_mins(1) {
        seconds(millis(span))
    } else {
        clock(span)
    }
}

/// `01:07`.
pub fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// `12.3 s`.
pub fn seconds(millis: u64) -> String {
    let tenths = millis.div_ceil(100);
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// What a fact of a run means; none for what only a bar can show.
pub fn sentence(kind: &EventKind) -> Option<String> {
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
        EventKind::WaitsForWork { work, seconds } => {
            format!("waiting up to {seconds} s for the end of {}", work.join("; "))
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
        EventKind::Repacked {
            database,
            table,
            before,
            after,
        } => format!(
            "database `{database}`: {table} takes {} now, {} before",
            bytes(*after),
            bytes(*before)
        ),
        EventKind::Warning { message } => format!("warning: {message}"),
        EventKind::Progress { .. } | EventKind::RowsDeleted { .. } | EventKind::StatementProgress { .. } => {
            return None;
        }
    })
}

/// What a run does in a step.
pub fn doing(step: Step) -> &'static str {
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
        Step::Prepare => "seeing to indexes and settings",
        Step::DebugLogs => "deleting old debug logs",
        Step::InfoLogs => "deleting old info logs",
        Step::WarningLogs => "deleting old warnings",
        Step::FrameworkEvents => "deleting old framework events",
        Step::Repack => "repacking tables",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_units_of_iec_80000() {
        let said: Vec<String> = [0, 1023, 1024, 1_468_006, 5 << 30, u64::MAX].map(bytes).into();
        assert_eq!(said, ["0 B", "1023 B", "1.00 KiB", "1.40 MiB", "5.00 GiB", "16.00 EiB"]);
    }
}
