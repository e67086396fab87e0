//! Where a run's seconds went, in the tool's own words: the steps of `--json`, the time stamps of the classic scripts.
//! For explanation only; no figure that is compared comes from here, but for what a run named beforehand.

use std::time::Duration;

use serde_json::Value;

/// Name and duration, in order.
pub(super) type Phases = Vec<(String, Duration)>;

/// The ends of steps among the events of `stillpoint … --json`.
pub(super) fn of_events(out: &str) -> Phases {
    let events = out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ends = events.filter(|event| event["event"] == "step_ended");
    ends.filter_map(|event| {
        let step = event["step"].as_str()?.to_owned();
        Some((step, Duration::from_millis(event["millis"].as_u64()?)))
    })
    .collect()
}

/// Bytes that `stillpoint … --json` said, before it stopped anything, that it would put aside for a while.
pub(super) fn spooled(out: &str) -> u64 {
    let events = out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let spools = events.filter(|event| event["event"] == "spools");
    spools.filter_map(|event| event["bytes"].as_u64()).sum()
}

/// Lines `<seconds since 1970> <what begins>`; the last only ends the one before it.
pub(super) fn of_stamps(out: &str) -> Phases {
    let stamps: Vec<(f64, &str)> = out.lines().filter_map(stamp).collect();
    let pairs = stamps.windows(2);
    pairs
        .filter_map(|pair| match pair {
            [(begin, what), (end, _)] => Some(((*what).to_owned(), Duration::try_from_secs_f64(end - begin).ok()?)),
            _ => None,
        })
        .collect()
}

fn stamp(line: &str) -> Option<(f64, &str)> {
    let (at, what) = line.split_once(' ')?;
    Some((at.parse().ok()?, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read() {
        let out = concat!(
            r#"{"seq":1,"event":"step_began","step":"stop"}"#,
            "\n",
            r#"{"seq":2,"event":"step_ended","step":"stop","millis":1500,"ok":true}"#,
            "\n",
            r#"{"manifest":{}}"#,
        );
        assert_eq!(of_events(out), [("stop".to_owned(), Duration::from_millis(1500))]);
    }

    #[test]
    fn stamps_are_read() {
        let out = "1.0 stop\nsomething else\n3.5 dump\n4.0 end\n";
        assert_eq!(
            of_stamps(out),
            [
                ("stop".to_owned(), Duration::from_millis(2500)),
                ("dump".to_owned(), Duration::from_millis(500))
            ]
        );
    }
}
