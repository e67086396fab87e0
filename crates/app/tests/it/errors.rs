//! What an operator reads when something is missing, wrong or full: what, where, why, what to do,
//! and an exit code that a script can rely on.

use std::path::Path;

use crate::common::{PROGRAM, disk, is_back, on_mini, standing};
use anyhow::Result;
use stillpoint_core::names::BackupId;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::second_engine::SecondEngine;

fn alone(folder: &Path) -> Product {
    Product::new(PROGRAM, folder)
}

#[test]
fn an_unreachable_engine_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let product = alone(folder.path()).with("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let ran = product.run(&["backup"])?.must_end_with(10)?;
    ran.must_say("no container engine answers at unix:///nowhere/docker.sock")?
        .must_say("help: start Docker")?;
    Ok(())
}

#[test]
fn no_platform_and_two_platforms_are_told_apart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    SecondEngine::start()?.examined(|engine| {
        let product = alone(folder.path()).with("DOCKER_HOST", engine.address());
        product
            .run(&["backup"])?
            .must_end_with(10)?
            .must_say("no platform found")?
            .must_say("help:")?;
        engine.container("blog", "web", &[])?;
        product
            .run(&["backup"])?
            .must_end_with(10)?
            .must_say("projects seen: blog")?;
        for project in ["blog", "shop"] {
            engine.labelled_container(project, "db", &[], &["stillpoint.kind=postgres"])?;
        }
        let ran = product
            .run(&["backup"])?
            .must_end_with(10)?
            .must_say("2 platforms found: blog, shop")?;
        ran.must_say("--platform NAME")?;
        let ran = product.run(&["backup", "--platform", "shoe"])?.must_end_with(10)?;
        ran.must_say("no platform `shoe` found (platforms with a store: blog, shop)")?;
        product
            .run(&["backup", "--platform", "shop"])?
            .must_end_with(12)?
            .must_say("store db is created")?;
        Ok(())
    })
}

#[test]
fn a_full_or_read_only_repository_is_refused_before_anything_is_stopped() -> Result<()> {
    on_mini("repository", |testbed, product| {
        let before = standing(testbed)?;
        let events = testbed.events_recorder()?;
        let full = disk(4)?;
        let ran = product
            .clone()
            .keeping_backups_in(full.path())
            .run(&["backup"])?
            .must_end_with(12)?;
        ran.must_say(&full.path().display().to_string())?
            .must_say("is full")?
            .must_say("help: free space")?;
        let closed = disk(16)?;
        closed.make_read_only()?;
        let ran = product
            .clone()
            .keeping_backups_in(closed.path())
            .run(&["backup"])?
            .must_end_with(12)?;
        ran.must_say(&closed.path().display().to_string())?
            .must_say("Read-only")?
            .must_say("help: give this user")?;
        assert!(
            events.stop()?.iter().all(|event| event.action != "die"),
            "something was stopped"
        );
        is_back(testbed, &before)
    })
}

#[test]
fn a_wrong_password_is_refused_before_anything_is_stopped_and_can_be_given() -> Result<()> {
    on_mini("password", |testbed, product| {
        let before = standing(testbed)?;
        testbed.psql("postgres", "alter role postgres password 'changed since'")?;
        let ran = product.run(&["backup"])?.must_end_with(12)?;
        let ran = ran.must_say("postgres-main refused user `postgres`: password authentication failed")?;
        ran.must_say("help: set STILLPOINT_POSTGRES_MAIN_PASSWORD")?;
        is_back(testbed, &before)?;
        let secret = tempfile::NamedTempFile::new()?;
        std::fs::write(secret.path(), "changed since\n")?;
        product
            .clone()
            .with("STILLPOINT_POSTGRES_MAIN_PASSWORD_FILE", secret.path())
            .backup()
            .map(drop)
    })
}

#[test]
fn a_backup_in_a_second_that_is_taken_begins_in_the_next() -> Result<()> {
    on_mini("second", |_, product| {
        let now = jiff::Timestamp::now();
        let mut taken = Vec::new();
        for ahead in 0..8 {
            let id = BackupId::at(now + std::time::Duration::from_secs(ahead));
            std::fs::create_dir_all(product.repository.join(id.to_string()))?;
            std::fs::write(product.repository.join(id.to_string()).join("run.json"), "{}")?;
            taken.push(id.to_string());
        }
        let id = product.backup()?;
        assert!(taken.iter().all(|other| *other < id), "{id} among {taken:?}");
        Ok(())
    })
}

#[test]
fn unknown_backups_and_wrong_usage_are_told() -> Result<()> {
    on_mini("usage", |_, product| {
        let id = "2020-01-01_00-00-00";
        for arguments in [
            &["restore", id, "--confirm", id][..],
            &["backups", "show", id],
            &["verify", id],
        ] {
            let ran = product.run(arguments)?.must_end_with(10)?;
            ran.must_say("there is no complete backup 2020-01-01_00-00-00")?
                .must_say("stillpoint backups ls")?;
        }
        product
            .run(&["verify", "yesterday"])?
            .must_end_with(2)?
            .must_say("is not a backup id")?;
        product
            .run(&["restore", id])?
            .must_end_with(2)?
            .must_say("--confirm 2020-01-01_00-00-00")?;
        let other = "2020-01-01_00-00-01";
        product
            .run(&["restore", id, "--confirm", other])?
            .must_end_with(2)?
            .must_say("nothing was done")?;
        Ok(())
    })
}

#[test]
fn a_second_run_says_who_holds_the_platform() -> Result<()> {
    on_mini("held", |testbed, product| {
        let slow = "case \"$*\" in *--schema-only*) exec /usr/bin/pg_dump \"$@\";; esac\n\
                    touch /tmp/here; until [ -e /tmp/go ]; do sleep 0.1; done; exec /usr/bin/pg_dump \"$@\"";
        crate::common::replace_tool(testbed, "pg_dump", slow)?;
        let before = standing(testbed)?;
        let first = product.start(&["backup"])?;
        let store = testbed.container("postgres-main")?;
        crate::common::until("the first run dumps", || {
            Ok(testbed.docker(&["exec", &store, "test", "-e", "/tmp/here"]).is_ok())
        })?;
        let holder = format!("process {} on", first.id());
        product
            .run(&["backup"])?
            .must_end_with(11)?
            .must_say("is held since")?
            .must_say(&holder)?;
        product
            .run(&["containers", "start"])?
            .must_end_with(11)?
            .must_say(&holder)?;
        testbed.docker(&["exec", &store, "touch", "/tmp/go"])?;
        first.end()?.must_end_with(0)?;
        is_back(testbed, &before)
    })
}
