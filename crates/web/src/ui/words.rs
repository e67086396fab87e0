//! Spans of time, changes and states as a person would say them. Templates pass references.

#![expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]

use jiff::{SignedDuration, Timestamp};
use stillpoint_core::ports::history::RunState;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// `9 s`, `4 min`, `7 h`, `3 d`: one number, to the nearest; the unit changes where one and a half of the next is reached.
pub(crate) fn about(span: SignedDuration) -> String {
    let seconds = (span.abs() + SignedDuration::from_millis(500)).as_secs();
    let whole = |unit: i64| (seconds + unit / 2) / unit;
    match seconds {
        ..90 => format!("{seconds} s"),
        90..5_400 => format!("{} min", whole(MINUTE)),
        5_400..129_600 => format!("{} h", whole(HOUR)),
        _ => format!("{} d", whole(DAY)),
    }
}

/// The same of milliseconds.
pub(crate) fn about_millis(millis: &u64) -> String {
    about(SignedDuration::from_millis(i64::try_from(*millis).unwrap_or(i64::MAX)))
}

/// `12.3 s`, for what is short.
pub(crate) fn seconds(millis: &u64) -> String {
    stillpoint_core::words::seconds(*millis)
}

/// What a job does.
pub(crate) fn job(name: &str) -> &str {
    match name {
        "backup_job" => "Backup",
        "full_restore_job" => "Restore",
        "undo_job" => "Undo of a restore",
        "discard_job" => "Freeing of old data",
        "verify_job" => "Verification",
        "prune_job" => "Retention",
        "dagster_cleanup_job" => "Cleanup of Dagster",
        "postgres_repack_job" => "Repack of PostgreSQL",
        other => other,
    }
}

/// What has become of a run, in a word.
pub(crate) fn run_word(state: &RunState) -> &'static str {
    match state {
        RunState::Queued => "waits",
        RunState::Starting => "begins",
        RunState::Started => "at work",
        RunState::Success => "done",
        RunState::Degraded => "degraded",
        RunState::Failure => "failed",
        RunState::Canceling => "being cancelled",
        RunState::Canceled => "cancelled",
    }
}

/// The class of its colour, which is its icon's name too.
pub(crate) fn run_icon(state: &RunState) -> &'static str {
    match state {
        RunState::Success => "ok",
        RunState::Degraded => "warn",
        RunState::Failure => "bad",
        RunState::Starting | RunState::Started | RunState::Canceling => "live",
        RunState::Queued | RunState::Canceled => "idle",
    }
}

/// `7 h ago`, `in 17 h`, or `now`.
pub(crate) fn relative(moment: Timestamp, now: Timestamp) -> String {
    let since = now.duration_since(moment);
    if since.abs() < SignedDuration::from_secs(1) {
        "now".to_owned()
    } else if since.is_positive() {
        format!("{} ago", about(since))
    } else {
        format!("in {}", about(since))
    }
}

/// `+4.2 %`, `−63 %`, `unchanged`; of nothing there is no part.
pub(crate) fn change(before: &u64, after: &u64) -> String {
    let (before, after) = (*before, *after);
    if before == after {
        return "unchanged".to_owned();
    }
    if before == 0 {
        return "new".to_owned();
    }
    let (sign, apart) = if after > before {
        ("+", after - before)
    } else {
        ("\u{2212}", before - after)
    };
    let thousandths = (u128::from(apart) * 1_000 + u128::from(before) / 2) / u128::from(before);
    match thousandths {
        0 => format!("{sign}<0.1 %"),
        1..100 => format!("{sign}{}.{} %", thousandths / 10, thousandths % 10),
        _ => format!("{sign}{} %", (thousandths + 5) / 10),
    }
}

/// A sentence's beginning.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next();
    first.map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `2 stores`, `1 store`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}

/// A sentence in which commands and names stand between backticks, as they are shown. It may stand in a page as it is.
pub(crate) fn marked(text: &str) -> String {
    let pieces: Vec<String> = text.split('`').map(escaped).collect();
    // An odd backtick is a letter like any other.
    if pieces.len().is_multiple_of(2) {
        return pieces.join("`");
    }
    let pieces = pieces.iter().enumerate();
    pieces.fold(String::new(), |marked, (place, piece)| {
        if place.is_multiple_of(2) {
            marked + piece
        } else {
            format!("{marked}<code>{piece}</code>")
        }
    })
}

/// Text that may stand between elements, and in an attribute.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_by_one_number() {
        let said = [0, 89, 90, 5_399, 5_400, 25_920, 60_480, 129_600, 864_000]
            .map(|seconds| about(SignedDuration::from_secs(seconds)));
        assert_eq!(
            said,
            ["0 s", "89 s", "2 min", "90 min", "2 h", "7 h", "17 h", "2 d", "10 d"]
        );
    }

    #[test]
    fn the_past_and_the_future_are_told_apart() {
        let now: Timestamp = "2026-03-14T07:12:00Z".parse().unwrap();
        assert_eq!(relative("2026-03-14T00:00:00Z".parse().unwrap(), now), "7 h ago");
        assert_eq!(relative("2026-03-15T00:00:00Z".parse().unwrap(), now), "in 17 h");
        assert_eq!(relative(now, now), "now");
    }

    #[test]
    fn a_change_is_told_in_parts_of_what_was() {
        let said = [
            (100, 100),
            (0, 5),
            (1000, 1042),
            (100, 37),
            (100, 0),
            (100_000, 100_001),
        ]
        .map(|(before, after)| change(&before, &after));
        assert_eq!(
            said,
            ["unchanged", "new", "+4.2 %", "\u{2212}63 %", "\u{2212}100 %", "+<0.1 %"]
        );
    }

    #[test]
    fn what_stands_between_backticks_is_marked_and_nothing_breaks_out() {
        assert_eq!(marked("ask `runs ls` <b>"), "ask <code>runs ls</code> &lt;b&gt;");
        assert_eq!(marked("an odd ` stays"), "an odd ` stays");
        assert_eq!(marked("`<script>`"), "<code>&lt;script&gt;</code>");
    }
}
