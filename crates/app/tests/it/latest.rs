//! `latest`, dry runs, checks of stores, copies and removals on a real platform: what they mean, that they stop nothing, and that a
//! copy brings the platform back.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;
use stillpoint_testkit::product::Product;

use crate::common::{is_back, on_mini, standing};
use crate::schemas::is_as_promised;

/// What a command answers with `--json`, as its schema promises.
fn answer(product: &Product, schema: &str, arguments: &[&str], code: i32) -> Result<Value> {
    let ran = product.run(&[arguments, &["--json"]].concat())?;
    let document = ran.must_end_with(code)?.summary()?;
    is_as_promised(schema, &document)?;
    Ok(document)
}

#[test]
fn the_latest_backup_is_looked_at_copied_and_restored_and_nothing_else_is_stopped() -> Result<()> {
    on_mini("latest", |testbed, product| {
        let before = standing(testbed)?;
        let events = testbed.events_recorder()?;
        looks(product)?;
        let touched = events.stop()?;
        assert!(
            touched.iter().all(|event| event.action != "die"),
            "something was stopped: {touched:?}"
        );
        assert!(!product.repository.exists() || product.backups()?.is_empty());

        let truth = testbed.truth()?;
        let quiet = product.run(&["backup", "--quiet"])?.must_end_with(0)?;
        assert_eq!(quiet.out, "");
        let first = product.backups()?.pop().context("no backup")?;
        testbed.tick()?;
        let second = answer(product, "backup", &["backup"], 0)?["manifest"]["id"].clone();
        let second = second.as_str().context("no id")?;
        is_back(testbed, &before)?;
        estimates(product, &first)?;
        names(product, &first, second)?;
        confirmations(product, &first, second)?;
        is_back(testbed, &before)?;

        let into = product.repository.with_file_name("copy");
        let at = into.display().to_string();
        let copied = answer(product, "backups-get", &["backups", "get", "latest", "-o", &at], 0)?;
        assert_eq!(copied["backup"], first.as_str());
        testbed.wreck()?;
        let there = product.clone().keeping_backups_in(&into);
        let restore = ["restore", "latest", "--confirm", &first, "--discard-old"];
        answer(&there, "restore", &restore, 0)?;
        assert_eq!(truth.differences(&testbed.truth()?), Vec::<String>::new());

        let last = product
            .run(&["backups", "rm", &first, "--confirm", &first])?
            .must_end_with(12)?;
        last.must_say("no good backup would be left")?;
        let gone = answer(
            product,
            "backups-rm",
            &["backups", "rm", second, "--confirm", second],
            0,
        )?;
        assert_eq!(gone["gone"][0], second);
        assert_eq!(product.backups()?, [first]);
        product
            .run(&["config", "init", "-"])?
            .must_print(&format!("name = \"{}\"", testbed.project()))?;
        is_back(testbed, &before)
    })
}

/// Commands that look, before there is a backup.
fn looks(product: &Product) -> Result<()> {
    let none = product.run(&["backup", "--dry-run"])?.must_end_with(0)?;
    none.must_print("How long that takes is not known")?.must_print("1. ")?;
    let stores = answer(product, "stores-ls", &["stores", "ls"], 0)?;
    assert_eq!(stores["stores"][0]["store"], "postgres-main");
    let checked = answer(product, "stores-check", &["stores", "check", "postgres-main"], 0)?;
    assert_eq!(checked["stores"][0]["ok"], true);
    product
        .run(&["stores", "check"])?
        .must_end_with(0)?
        .must_print("Every store can be backed up.")?;
    let unknown = product.run(&["stores", "check", "postgres"])?.must_end_with(10)?;
    unknown
        .must_say("there is no store postgres")?
        .must_say("postgres-main")?;
    answer(product, "containers-plan", &["containers", "plan"], 0)?;
    product
        .run(&["restore", "latest"])?
        .must_end_with(10)?
        .must_say("there is no complete backup")?;
    let locked_out = product
        .clone()
        .with("STILLPOINT_POSTGRES_MAIN_PASSWORD", "not this one");
    let failed = answer(&locked_out, "stores-check", &["stores", "check"], 12)?;
    assert_eq!(failed["stores"][0]["ok"], false);
    let refused = answer(&locked_out, "backup-dry-run", &["backup", "--dry-run"], 12)?;
    assert_eq!(refused["findings"][0]["severity"], "refuses");
    Ok(())
}

/// What is usual, by the two backups that there are.
fn estimates(product: &Product, first: &str) -> Result<()> {
    let looked = answer(product, "backup-dry-run", &["backup", "--dry-run"], 0)?;
    assert_eq!(looked["usual"]["backups"], 2);
    assert!(looked["usual"]["down"]["median"].as_u64() > Some(0), "{looked}");
    assert!(looked["stores"][0]["last_bytes"].as_u64() > Some(0), "{looked}");
    let on_hold = answer(product, "backup-dry-run", &["backup", "--dry-run", "--mode", "hold"], 0)?;
    assert_eq!((&on_hold["mode"], &on_hold["usual"]), (&"hold".into(), &Value::Null));
    let difference = answer(product, "backups-diff", &["backups", "diff", first, "latest"], 0)?;
    assert_eq!(difference["stores"][0]["fate"], "stayed");
    assert!(
        !difference["stores"][0]["counts"]
            .as_array()
            .context("no counts")?
            .is_empty()
    );
    Ok(())
}

/// The second one is damaged, and is not the latest any more once that is known.
fn names(product: &Product, first: &str, second: &str) -> Result<()> {
    let show = |arguments: &[&str]| answer(product, "backups-show", &[&["backups", "show"], arguments].concat(), 0);
    assert_eq!(show(&["latest"])?["id"], second);
    let at = first.replacen('_', "T", 1);
    let (day, time) = at.split_once('T').context("no time")?;
    let at = format!("{day}T{}Z", time.replace('-', ":"));
    assert_eq!(show(&["--at", &at])?["id"], first);
    let dump = product.repository.join(second).join("postgres-main/globals.sql.gz");
    let mut bytes = fs::read(&dump)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&dump, bytes)?;
    product.run(&["verify", "latest"])?.must_end_with(15)?;
    let ran = product.run(&["backups", "show", "latest"])?.must_end_with(0)?;
    ran.must_say("is newer and is passed over")?
        .must_print(&format!("Backup {first} of"))?;
    Ok(())
}

/// What is restored is what was confirmed, by its id.
fn confirmations(product: &Product, first: &str, second: &str) -> Result<()> {
    let ran = product.run(&["restore", "latest"])?.must_end_with(2)?;
    ran.must_say(&format!("--confirm {first}"))?;
    let ran = product
        .run(&["restore", "latest", "--confirm", second])?
        .must_end_with(2)?;
    ran.must_say("nothing was done")?;
    answer(product, "restore-dry-run", &["restore", "latest", "--dry-run"], 0)?;
    Ok(())
}
