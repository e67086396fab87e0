//! Filling it by real runs: each leaves other traces that the pages show.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Dagster;
use super::runs::{ASSETS, has_ended, runs};
use crate::patience::until;

/// Two runs with it wait for each other.
const LOCK: (&str, &str) = ("postgres-mutex", "platform");

const PARTITION: &str = "dagster/partition";

/// The runs of a filled Dagster that a test goes on with. All others have ended.
#[derive(Debug)]
pub struct Filled {
    /// It is at work until [`Dagster::let_go`].
    pub held: String,
    /// It waits for that one.
    pub queued: String,
    /// They failed half-way: a job with two steps, and one whose steps come of the data.
    pub failed: [String; 2],
    /// It succeeded.
    pub succeeded: String,
}

impl Dagster<'_> {
    /// Fills it and returns when nothing moves any more: sensor and schedule are stopped, one run is held at work, one is queued.
    pub fn fill(&self) -> Result<Filled> {
        for key in ["done", "held", "waits"] {
            self.act("partition", &json!({"key": key}))?;
        }
        let held = self.launch(ASSETS, &["restored"], &[(PARTITION, "held"), LOCK])?;
        let filled = Filled {
            // Each of them twice: only the newest of what was planned for an asset is shown.
            succeeded: self.launch(ASSETS, &["spoken", "made", "used"], &[])?,
            failed: [self.launch("two_steps", &[], &[])?, self.launch("fan", &[], &[])?],
            queued: self.launch_rest(&held)?,
            held,
        };
        self.settle(&filled)?;
        Ok(filled)
    }

    /// All but those that a test goes on with; the queued one.
    fn launch_rest(&self, held: &str) -> Result<String> {
        self.launch(ASSETS, &["spoken", "made"], &[])?;
        self.launch(ASSETS, &["fails", "after_fails"], &[])?;
        self.launch(ASSETS, &["tries_twice"], &[])?;
        self.launch(ASSETS, &["dies"], &[])?;
        self.launch(ASSETS, &["source"], &[])?;
        self.launch(ASSETS, &["reported"], &[])?;
        self.launch(ASSETS, &["restored"], &[(PARTITION, "done")])?;
        let days = ["2024-03-02", "2024-03-03"];
        let order = json!({"assetSelection": [{"path": ["by_day"]}], "partitionNames": days});
        let answer = self.act("backfill", &json!({"order": order}))?;
        ensure!(
            answer["launchPartitionBackfill"]["backfillId"].is_string(),
            "no backfill: {answer}"
        );
        self.until("the held run is at work", |standing| {
            runs(standing).any(|run| run["runId"] == held && run["stepStats"][0]["status"] == "IN_PROGRESS")
        })?;
        let cancelled = self.launch(ASSETS, &["by_day"], &[(PARTITION, "2024-03-04"), LOCK])?;
        let queued = self.launch(ASSETS, &["restored"], &[(PARTITION, "waits"), LOCK])?;
        self.cancel(&cancelled)?;
        Ok(queued)
    }

    fn settle(&self, filled: &Filled) -> Result<()> {
        self.until("the sensor has skipped, launched and failed", |standing| {
            let ticks = statuses(&state(standing, "sensor")["ticks"]);
            ["SKIPPED", "SUCCESS", "FAILURE"]
                .iter()
                .all(|status| ticks.contains(status))
        })?;
        self.stop("sensor", "stopSensor")?;
        self.until("the schedule has launched a run", |standing| {
            statuses(&state(standing, "schedule")["ticks"]).contains(&"SUCCESS")
        })?;
        self.stop("schedule", "stopSchedule")?;
        self.until(
            "all runs but two have ended, and what follows from them is known",
            |standing| {
                let moves = |run: &&Value| !has_ended(run["status"].as_str().unwrap_or_default());
                let moving: Vec<&Value> = runs(standing).filter(moves).map(|run| &run["runId"]).collect();
                let backfill = &standing["partitionBackfillsOrError"]["results"][0]["status"];
                moving.len() == 2
                    && moving.iter().all(|run| **run == filled.held || **run == filled.queued)
                    && *backfill == "COMPLETED_FAILED"
                    && is_fresh(standing)
            },
        )?;
        Ok(())
    }

    /// Stops the sensor or the schedule, again and again: a tick that is being evaluated writes down what it knew when it began.
    fn stop(&self, kind: &str, order: &str) -> Result<()> {
        until(&format!("the {kind} is stopped"), || {
            let standing = self.standing()?;
            let state = state(&standing, kind);
            if state["status"] == "STOPPED" {
                return Ok(!statuses(&state["ticks"]).contains(&"STARTED"));
            }
            let id = state["id"].as_str().context("it has no id")?;
            self.act(order, &json!({"id": id})).map(|_| false)
        })
    }
}

/// The one asset that has to be fresh was found to be.
fn is_fresh(standing: &Value) -> bool {
    let assets = standing["assetNodes"].as_array().into_iter().flatten();
    assets
        .into_iter()
        .any(|asset| asset["freshnessStatusInfo"]["freshnessStatus"] == "HEALTHY")
}

/// Of the one sensor or the one schedule.
fn state<'a>(standing: &'a Value, kind: &str) -> &'a Value {
    &standing["repositoryOrError"][format!("{kind}s")][0][format!("{kind}State")]
}

fn statuses(list: &Value) -> Vec<&str> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|one| one["status"].as_str()).collect()
}
