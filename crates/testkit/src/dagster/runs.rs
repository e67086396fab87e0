//! Launching, cancelling and repeating runs, and what became of them.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Dagster;
use crate::patience::until_within;

/// For a few dozen runs, each the start of a Python, on a machine that has other things to do.
const LIMIT: Duration = Duration::from_mins(4);

/// The job that Dagster makes up for assets which are materialized by hand.
pub(super) const ASSETS: &str = "__ASSET_JOB";

impl Dagster<'_> {
    /// Orders a run; its id.
    pub(super) fn launch(&self, job: &str, assets: &[&str], tags: &[(&str, &str)]) -> Result<String> {
        let mut selector =
            json!({"repositoryLocationName": "platform", "repositoryName": "__repository__", "pipelineName": job});
        if !assets.is_empty() {
            selector["assetSelection"] = assets.iter().map(|asset| json!({"path": [asset]})).collect();
        }
        let tags: Value = tags
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect();
        let order =
            json!({"selector": selector, "mode": "default", "runConfigData": {}, "executionMetadata": {"tags": tags}});
        let answer = self.act("launch", &json!({"order": order}))?;
        launched(&answer["launchRun"])
    }

    /// Cancels a run.
    pub(super) fn cancel(&self, run: &str) -> Result<()> {
        self.act("cancel", &json!({"run": run})).map(drop)
    }

    /// Executes a failed run again from its failure, and waits for the new one's end: `SUCCESS`, `FAILURE` or `CANCELED`. An error if
    /// Dagster cannot even begin.
    pub fn run_again(&self, run: &str) -> Result<String> {
        let answer = self.act("again", &json!({"run": run}))?;
        self.end_of(&launched(&answer["launchRunReexecution"])?)
    }

    /// Waits for the end of a run: `SUCCESS`, `FAILURE` or `CANCELED`.
    pub fn end_of(&self, run: &str) -> Result<String> {
        let mut status = String::new();
        until_within(LIMIT, &format!("run {run} has ended"), || {
            status = self.status(run)?;
            Ok(has_ended(&status))
        })?;
        Ok(status)
    }

    /// What there is and what it is doing.
    pub(super) fn standing(&self) -> Result<Value> {
        self.act("standing", &json!({}))
    }

    fn status(&self, run: &str) -> Result<String> {
        let standing = self.standing()?;
        let found = runs(&standing).find(|one| one["runId"] == run);
        let status = found.and_then(|one| one["status"].as_str()).map(str::to_owned);
        status.with_context(|| format!("there is no run {run}"))
    }

    /// Waits until all is as wanted.
    pub(super) fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut standing = Value::Null;
        until_within(LIMIT, what, || {
            standing = self.standing()?;
            Ok(wanted(&standing))
        })?;
        Ok(standing)
    }
}

pub(super) fn runs(standing: &Value) -> impl Iterator<Item = &Value> {
    standing["runsOrError"]["results"].as_array().into_iter().flatten()
}

pub(super) fn has_ended(status: &str) -> bool {
    ["SUCCESS", "FAILURE", "CANCELED"].contains(&status)
}

fn launched(answer: &Value) -> Result<String> {
    let run = answer["run"]["runId"].as_str().map(str::to_owned);
    run.with_context(|| format!("no run is launched: {answer}"))
}
