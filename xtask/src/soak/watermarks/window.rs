//! When a standstill was, in the product's own words: from the moment at which every store had been marked and pinned to
//! the one at which the first was to be started again. The marks lie around it.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) begin: f64,
    pub(super) end: f64,
}

impl Window {
    /// Of a backup, from what it said with `--json`.
    pub(super) fn of(out: &str) -> Result<Self> {
        let events: Vec<Value> = out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let at = |what: &str, step: &str| {
            let found = events
                .iter()
                .find(|event| event["event"] == what && event["step"] == step);
            let at: Timestamp = found.and_then(|event| event["at"].as_str())?.parse().ok()?;
            Some(
                Duration::try_from(at.duration_since(Timestamp::UNIX_EPOCH))
                    .ok()?
                    .as_secs_f64(),
            )
        };
        Ok(Self {
            begin: at("step_ended", "pin").context("the run does not say when the stores were pinned")?,
            end: at("step_began", "start").context("the run does not say when it began to start")?,
        })
    }

    pub(super) fn holds(&self, at: f64) -> bool {
        self.begin <= at && at <= self.end
    }

    pub(super) fn seconds(&self) -> f64 {
        self.end - self.begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_the_end_of_the_pin_and_ends_with_the_start() {
        let out = r#"{"seq":1,"at":"2026-01-01T00:00:00Z","event":"step_began","step":"pin"}
            {"seq":2,"at":"2026-01-01T00:00:01.5Z","event":"step_ended","step":"pin","millis":1500,"ok":true}
            {"seq":3,"at":"2026-01-01T00:00:09Z","event":"step_began","step":"start"}"#;
        let window = Window::of(out).unwrap();
        assert!((window.seconds() - 7.5).abs() < 1e-6, "{window:?}");
        assert!(window.holds(1_767_225_602.0) && !window.holds(1_767_225_601.0));
        assert!(Window::of("").is_err());
    }
}
