//! What diagnostics tell, and what they never tell.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::Shape;

use crate::common::{PROGRAM, on};

/// The diagnostics among the lines of standard error.
fn told(err: &str) -> Result<Vec<Value>> {
    let lines = err.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).context(line.to_owned()))
        .collect()
}

/// Whether this belongs to a step of a backup.
fn in_step(one: &Value, step: &str) -> bool {
    let spans = one["spans"].as_array().into_iter().flatten();
    let of_run = spans
        .clone()
        .any(|span| span["name"] == "run" && span["job"] == "backup");
    of_run && spans.clone().any(|span| span["step"] == step)
}

#[test]
fn every_request_and_tool_is_told_and_no_secret_is() -> Result<()> {
    on("told", Shape::Stores, |testbed, product| {
        let quiet = product.run(&["backup"])?.must_end_with(0)?;
        assert_eq!(told(&quiet.err)?, Vec::<Value>::new(), "nothing is told unasked");

        let traced = product.clone().with("STILLPOINT_LOG", "trace");
        let ran = traced.run(&["backup"])?.must_end_with(0)?;
        let all = told(&ran.err)?;
        let tells = |what: &dyn Fn(&Value) -> bool| all.iter().any(what);
        ensure!(tells(&|one| one["tool"] == "pg_dump"
            && one["code"] == 0
            && in_step(one, "Drain")));
        ensure!(tells(&|one| one["target"] == "stillpoint::engine"
            && one["call"] == "stop"
            && in_step(one, "Stop")));
        let draining = |one: &Value| one["spans"].to_string().contains("draining nats");
        let uploads = |one: &Value| one["target"] == "stillpoint::repository" && one["call"] == "complete an upload";
        ensure!(tells(&|one| uploads(one) && in_step(one, "Drain") && draining(one)));
        let secrets = [
            "postgres-secret",
            "valkey-secret",
            "app-secret",
            "bk-secret",
            "other-secret",
            "sys-secret",
        ];
        for secret in secrets {
            ensure!(!ran.err.contains(secret), "{secret} is told:\n{}", ran.err);
        }

        let ran = product
            .run(&["backup", "-v", "--platform", testbed.project()])?
            .must_end_with(0)?;
        ensure!(told(&ran.err)?.iter().any(|one| one["tool"] == "pg_dump"));
        Ok(())
    })
}

#[test]
fn a_form_can_be_asked_for_and_a_mistyped_filter_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let product = Product::new(PROGRAM, folder.path());
    let text = product.clone().with("STILLPOINT_LOG_FORMAT", "text");
    let ran = text.run(&["backups", "ls", "-v"])?.must_end_with(0)?;
    ensure!(told(&ran.err)?.is_empty());
    ran.must_say("stillpoint::repository: repository call=\"list\"")?;
    let mistyped = product.with("STILLPOINT_LOG", "debgu");
    let ran = mistyped.run(&["backups", "ls"])?.must_end_with(2)?;
    ran.must_say("STILLPOINT_LOG (environment): `debgu` is neither a level")
        .map(drop)
}
