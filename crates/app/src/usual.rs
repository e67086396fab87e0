//! How long backups usually take, by those that the history knows: for people who wait. No rule reads it.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use stillpoint_core::events::millis;
use stillpoint_core::manifest::{Mode, Standstill};
use stillpoint_core::names::Project;
use stillpoint_core::ports::History;
use stillpoint_core::ports::history::{HistoryError, RunFilter, RunRecord, RunState};

use crate::display::words;

/// So many backups are looked at, the newest.
const LOOKED_AT: u32 = 20;

/// What earlier backups took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Usual {
    /// How many were looked at.
    pub(crate) backups: usize,
    /// How long clients were down, in milliseconds; none if none of them says so.
    pub(crate) down: Option<Spread>,
    /// How long the run took, in milliseconds.
    pub(crate) took: Spread,
}

/// The middle and the ends of some spans, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Spread {
    /// As many took longer as took less.
    pub(crate) median: u64,
    /// The shortest.
    pub(crate) least: u64,
    /// The longest.
    pub(crate) most: u64,
}

impl Usual {
    /// For people who wait.
    pub(crate) fn sentence(&self) -> String {
        let span = |millis| words::span(Duration::from_millis(millis));
        let took = span(self.took.median);
        match self.down {
            Some(down) => format!(
                "usually clients are down for {}, and all takes {took}",
                span(down.median)
            ),
            None => format!("usually it takes {took}"),
        }
    }
}

impl Spread {
    fn of(mut spans: Vec<u64>) -> Option<Self> {
        spans.sort_unstable();
        Some(Self {
            median: *spans.get(spans.len() / 2)?,
            least: *spans.first()?,
            most: *spans.last()?,
        })
    }
}

/// What backups of this platform in this mode have usually taken; none if the history knows of none. Where no platform is named,
/// of that of the last backup.
pub(crate) async fn of_backups(
    history: &dyn History,
    platform: Option<&Project>,
    mode: Mode,
) -> Result<Option<Usual>, HistoryError> {
    let wanted = RunFilter {
        job: Some("backup_job".to_owned()),
        state: Some(RunState::Success),
        ..RunFilter::default()
    };
    let runs = history.find(&wanted, LOOKED_AT).await?;
    let last = || Some(Project::new(runs.first().and_then(platform_of)?));
    let Some(platform) = platform.cloned().or_else(last) else {
        return Ok(None);
    };
    let alike = runs.iter().filter_map(|run| Sample::of(run, &platform, mode));
    Ok(usual(&alike.collect::<Vec<_>>()))
}

fn usual(samples: &[Sample]) -> Option<Usual> {
    Some(Usual {
        backups: samples.len(),
        down: Spread::of(samples.iter().filter_map(|sample| sample.down).collect()),
        took: Spread::of(samples.iter().map(|sample| sample.took).collect())?,
    })
}

fn manifest_of(run: &RunRecord) -> Option<&Value> {
    run.ending.as_ref()?.result.as_ref()?.get("manifest")
}

fn platform_of(run: &RunRecord) -> Option<&str> {
    manifest_of(run)?.get("platform")?.as_str()
}

/// One backup, in milliseconds.
struct Sample {
    down: Option<u64>,
    took: u64,
}

impl Sample {
    /// None for one of another platform or mode: it says nothing about the next.
    fn of(run: &RunRecord, platform: &Project, mode: Mode) -> Option<Self> {
        let manifest = manifest_of(run)?;
        let is = |key: &str, value: &str| manifest.get(key).and_then(|found| found.as_str()) == Some(value);
        if !is("platform", platform.as_str()) || !is("mode", &mode.to_string()) {
            return None;
        }
        let took: Duration = run.ended_at?.duration_since(run.started_at?).unsigned_abs();
        let standstill = manifest.get("standstill").cloned();
        let standstill: Option<Standstill> = standstill.and_then(|found| serde_json::from_value(found).ok());
        Some(Self {
            down: standstill.map(|window| millis(window.down())),
            took: millis(took),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_what_was_is_what_is_usual() {
        let sample = |down, took| Sample { down, took };
        assert_eq!(usual(&[]), None);
        let found = usual(&[sample(Some(9), 100), sample(None, 900), sample(Some(7), 300)]);
        let expected = Usual {
            backups: 3,
            down: Some(Spread {
                median: 9,
                least: 7,
                most: 9,
            }),
            took: Spread {
                median: 300,
                least: 100,
                most: 900,
            },
        };
        assert_eq!(found.as_ref(), Some(&expected));
        assert_eq!(
            expected.sentence(),
            "usually clients are down for 0.1 s, and all takes 0.3 s"
        );
    }

    #[test]
    fn a_backup_of_another_platform_or_mode_says_nothing() {
        let run = |platform: &str, mode: &str| -> RunRecord {
            serde_json::from_value(serde_json::json!({
                "number": 1, "run": "r", "job": "backup_job", "options": null, "platform": null,
                "asked": {"way": "cli", "by": "op"}, "host": "h", "process": 1, "state": "SUCCESS",
                "asked_at": "2026-02-17T00:00:00Z", "started_at": "2026-02-17T00:00:00Z",
                "ended_at": "2026-02-17T00:01:00Z",
                "ending": {"exit": 0, "said": null, "reason": null, "hint": null, "result": {"manifest": {
                    "platform": platform, "mode": mode, "standstill": {
                        "stopping": "2026-02-17T00:00:10Z", "began": "2026-02-17T00:00:12Z",
                        "ended": "2026-02-17T00:00:15Z", "back": "2026-02-17T00:00:19Z"}}}}
            }))
            .unwrap()
        };
        let of = |run: &RunRecord| Sample::of(run, &Project::new("acme"), Mode::Pin).map(|one| (one.down, one.took));
        assert_eq!(of(&run("acme", "pin")), Some((Some(9_000), 60_000)));
        assert_eq!(of(&run("acme", "hold")), None);
        assert_eq!(of(&run("other", "pin")), None);
    }
}
