//! What Dagster's pages show at one moment, and what two moments differ in.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::differences::differences;
use super::graphql::Web;

const PAGES: &str = include_str!("pages.graphql");

/// The section that holds the lines below each run's chart: compared line by line.
const LOGS: &str = "logs";

/// Partitions that were looked at one by one: of each outcome one.
const PARTITIONS: [(&str, &str); 5] = [
    ("by_day", "2024-03-02"),
    ("by_day", "2024-03-03"),
    ("by_day", "2024-03-04"),
    ("restored", "held"),
    ("restored", "waits"),
];

/// Answers by section.
#[derive(Debug, Clone)]
pub struct Snapshot(BTreeMap<String, Value>);

/// A line of a run's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose it is.
    pub run: String,
    /// What that run has come to (`SUCCESS`, `STARTED`, …).
    pub status: String,
    /// The type of the event (`STEP_OUTPUT`); `LOG` for what a user's code has said.
    pub kind: String,
    /// `DEBUG`, `INFO`, `WARNING`, `ERROR`, `CRITICAL`.
    pub level: String,
    /// What it says.
    pub message: String,
}

impl Snapshot {
    pub(super) fn of(web: &Web) -> Result<Self> {
        let mut sections = BTreeMap::new();
        for section in ["runs", LOGS, "assets", "automation", "backfills"] {
            sections.insert(section.to_owned(), web.asked(PAGES, section, &json!({}))?);
        }
        let assets = sections["assets"]["assetNodes"]
            .as_array()
            .context("there are no assets")?;
        let mut keys: Vec<Value> = assets
            .iter()
            .map(|asset| json!({"path": asset["assetKey"]["path"]}))
            .collect();
        // It is no asset of the code location: somebody has only reported it.
        keys.push(json!({"path": ["seen_outside"]}));
        let keys = json!({"assets": keys});
        for section in ["latest", "history"] {
            let mut answer = web.asked(PAGES, section, &keys)?;
            // Dagster keeps these in sets.
            sort(&mut answer);
            sections.insert(section.to_owned(), answer);
        }
        for (asset, partition) in PARTITIONS {
            let which = json!({"asset": {"path": [asset]}, "partition": partition});
            let answer = web.asked(PAGES, "partition", &which)?;
            sections.insert(format!("partition {asset} {partition}"), answer);
        }
        Ok(Self(sections))
    }

    /// Everything in which the other differs, by section and path; but lines that are gone from the log of a run.
    pub fn differences(&self, after: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (section, was) in self.0.iter().filter(|(section, _)| *section != LOGS) {
            let is = after.0.get(section).unwrap_or(&Value::Null);
            found.extend(differences(section, was, is));
        }
        found.extend(self.by_run(after).into_iter().filter_map(|(_, new)| new));
        found
    }

    /// The lines that are gone from the logs of runs.
    pub fn lost_lines(&self, after: &Self) -> Vec<Line> {
        self.by_run(after).into_iter().flat_map(|(lost, _)| lost).collect()
    }

    /// Of each run the lines that are gone, and what is there that was not.
    fn by_run(&self, after: &Self) -> Vec<(Vec<Line>, Option<String>)> {
        let of = |run: &Value| {
            let now = after.runs().find(|other| other["runId"] == run["runId"]);
            let now = now.map_or(&[][..], events);
            let mut rest = now.iter().peekable();
            let is_lost = |event: &&Value| rest.next_if_eq(event).is_none();
            let lost = events(run)
                .iter()
                .filter(is_lost)
                .map(|event| line(run, event))
                .collect();
            let new = rest
                .next()
                .map(|event| format!("logs/{}: new, or moved: {event}", text(&run["runId"])));
            (lost, new)
        };
        self.runs().map(of).collect()
    }

    fn runs(&self) -> impl Iterator<Item = &Value> {
        let runs = self
            .0
            .get(LOGS)
            .and_then(|logs| logs["runsOrError"]["results"].as_array());
        runs.into_iter().flatten()
    }
}

fn events(run: &Value) -> &[Value] {
    run["eventConnection"]["events"].as_array().map_or(&[], Vec::as_slice)
}

fn line(run: &Value, event: &Value) -> Line {
    Line {
        run: text(&run["runId"]),
        status: text(&run["status"]),
        kind: event["eventType"].as_str().unwrap_or("LOG").to_owned(),
        level: text(&event["level"]),
        message: text(&event["message"]),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Puts every list into an order of its own.
fn sort(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.iter_mut().for_each(sort);
            list.sort_by_cached_key(ToString::to_string);
        }
        Value::Object(members) => members.values_mut().for_each(sort),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(events: &[&str]) -> Snapshot {
        let events: Vec<Value> = events
            .iter()
            .map(|kind| json!({"eventType": kind, "level": "DEBUG", "message": ""}))
            .collect();
        let run = json!({"runId": "r", "status": "SUCCESS", "eventConnection": {"events": events}});
        let section = json!({"runsOrError": {"results": [run]}});
        Snapshot([(LOGS.to_owned(), section)].into())
    }

    #[test]
    fn lines_that_are_gone_are_told_from_lines_that_are_new_or_moved() {
        let before = logs(&["A", "B", "A", "C"]);
        let after = logs(&["A", "A", "C"]);
        let lost = before.lost_lines(&after);
        assert_eq!(lost.iter().map(|line| line.kind.as_str()).collect::<Vec<_>>(), ["B"]);
        assert_eq!(before.differences(&after), Vec::<String>::new());
        assert_eq!(before.differences(&logs(&["A", "C", "B"])).len(), 1);
        assert_eq!(before.differences(&logs(&["A", "B", "A", "C", "D"])).len(), 1);
    }
}
