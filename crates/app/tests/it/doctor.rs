//! Doctor and status on the real engine: silent on a platform that is well, and each planted problem found.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use stillpoint_testkit::product::{Product, Ran};
use stillpoint_testkit::testbed::Testbed;

use crate::common::on_mini;

/// What a platform of tests has by its nature: a repository beside it, no service, and nobody who is told.
const KNOWN: &str = "only-copy, no-schedule, nobody-told, boot-unit";

const IDLES: &str = "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";

#[test]
fn what_is_planted_is_found_and_nothing_before() -> Result<()> {
    on_mini("doctor", |testbed, product| {
        let product = &product.clone().with("STILLPOINT_DOCTOR_ACCEPT", KNOWN);
        let never = product.run(&["status"])?.must_end_with(1)?;
        never.must_print("Never backed up")?;
        let backup = product.backup()?;
        product.run(&["verify", &backup])?.must_end_with(0)?;
        silent(testbed, product)?;
        let folder = tempfile::tempdir()?;
        let uploads = folder.path().join("uploads");
        plant(testbed, &uploads)?;
        // It says of one that it ignores its stop.
        product.run(&["backup"])?.must_end_with(0)?;
        let network = format!("{}-gone", testbed.project());
        testbed.docker(&["stop", "-t", "1", &testbed.container("apart")?])?;
        testbed.docker(&["network", "rm", &network])?;
        std::fs::remove_dir(&uploads)?;
        found(testbed, product, &uploads.display().to_string())
    })
}

fn silent(testbed: &Testbed, product: &Product) -> Result<()> {
    let objects = std::fs::read_dir(product.repository.join(".stillpoint"))?.count();
    let said = product.run(&["doctor"])?.must_end_with(0)?;
    let healthy = format!("{} is healthy: nothing was found", testbed.project());
    let said = said.must_print(&healthy)?;
    if said.out.lines().count() != 1 || !said.err.is_empty() {
        bail!("more than a line is said of a healthy platform: {said:?}");
    }
    if std::fs::read_dir(product.repository.join(".stillpoint"))?.count() != objects {
        bail!("a doctor has left something in the repository");
    }
    product.run(&["status"])?.must_end_with(0)?.must_print("Protected.")?;
    let status = product.run(&["status", "--json"])?.must_end_with(0)?.summary()?;
    assert_eq!(status["health"], "healthy", "{status}");
    Ok(())
}

fn plant(testbed: &Testbed, uploads: &std::path::Path) -> Result<()> {
    std::fs::create_dir(uploads)?;
    let bind = format!("--volume={}:/uploads", uploads.display());
    let volume = format!("--volume={}_webui:/data", testbed.project());
    let restarts = "--restart=unless-stopped";
    let slow = ["--health-cmd=true", "--health-interval=90s"];
    let webui = [&[restarts, bind.as_str(), &volume][..], &slow].concat();
    testbed.guest("webui", "IDLE", &webui, &["sh", "-c", IDLES])?;
    let deaf = "trap '' TERM; while :; do sleep 1; done";
    testbed.guest("deaf", "IDLE", &[restarts, "--stop-timeout=1"], &["sh", "-c", deaf])?;
    testbed.guest("forgotten", "IDLE", &["--expose=80"], &["sh", "-c", IDLES])?;
    let network = format!("{}-gone", testbed.project());
    testbed.docker(&["network", "create", &network])?;
    let network = format!("--network={network}");
    testbed.guest("apart", "IDLE", &[restarts, &network], &["sh", "-c", IDLES])?;
    let script = IDLES.replace('\'', "\"");
    let server = format!("printf '#!/bin/sh\\n{script}' > /bin/mysqld; chmod +x /bin/mysqld; exec mysqld");
    testbed.guest("orders", "IDLE", &[restarts], &["sh", "-c", &server])?;
    Ok(())
}

fn found(testbed: &Testbed, product: &Product, uploads: &str) -> Result<()> {
    let json = product.run(&["doctor", "--json"])?.must_end_with(1)?;
    let diagnosis = json.summary()?;
    let findings = diagnosis["findings"].as_array().context("no findings")?;
    let told = |finding: &Value| -> Option<(String, String, String)> {
        let text = |key: &str| finding[key].as_str().map(ToOwned::to_owned);
        text("remedy")?;
        Some((text("check")?, text("severity")?, text("what")?))
    };
    let mut told: Vec<_> = findings.iter().filter_map(told).collect();
    assert_eq!(told.len(), findings.len(), "one says not what to do: {diagnosis}");
    let volume = format!("volume {}_webui at /data, of webui", testbed.project());
    for (check, severity, words) in [
        (
            "cannot-start",
            "refuses",
            format!("webui uses {uploads} of the host, which is gone"),
        ),
        (
            "cannot-start",
            "warns",
            format!("its network {}-gone was removed", testbed.project()),
        ),
        (
            "ignores-stop",
            "warns",
            "deaf did not end within its grace of 1 s".to_owned(),
        ),
        (
            "restart-policy",
            "warns",
            "forgotten runs with restart policy `no`".to_owned(),
        ),
        (
            "unknown-database",
            "warns",
            "orders looks like a database (MySQL)".to_owned(),
        ),
        (
            "slow-health",
            "advises",
            "the health of webui is first checked 90 s after a start".to_owned(),
        ),
        ("left-out", "advises", volume),
        ("left-out", "advises", format!("{uploads} at /uploads, of webui")),
    ] {
        let at = told
            .iter()
            .position(|(by, how, what)| by == check && how == severity && what.contains(&words));
        let at = at.with_context(|| format!("{check} ({severity}) does not say `{words}`: {diagnosis}"))?;
        told.remove(at);
    }
    assert_eq!(told, [], "what was not planted is found");
    let wrong = product
        .clone()
        .with("STILLPOINT_POSTGRES_MAIN_PASSWORD", "planted-wrong");
    let refused = wrong
        .run(&["doctor"])?
        .must_end_with(1)?
        .must_print("postgres-main refused user `postgres`")?;
    for ran in [json, refused] {
        holds_no_secret(testbed, &ran)?;
    }
    Ok(())
}

fn holds_no_secret(testbed: &Testbed, ran: &Ran) -> Result<()> {
    let logins = testbed.logins().into_iter().map(|(_, secret)| secret);
    let secrets = logins.chain(["planted-wrong".to_owned(), "postgres-secret".to_owned()]);
    for secret in secrets.filter(|secret| secret.contains("secret") || secret.contains("planted")) {
        if ran.out.contains(&secret) || ran.err.contains(&secret) {
            bail!("`{secret}` is said: {ran:?}");
        }
    }
    Ok(())
}
