//! A backup of one platform into another one, in which a store has another name: as after a move to a new host.

use std::fs;

use anyhow::Result;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::{PROGRAM, is_back, on, standing};

/// What the other platform has of its own, and what only the old one had.
fn change(testbed: &Testbed) -> Result<()> {
    testbed.psql("litellm", "create table of_here as select generate_series(1, 77) as n")?;
    testbed
        .beside("valkey", "valkey-cli SET of:here 1 >/dev/null")
        .map(drop)?;
    let stream = "nats stream add HERE --subjects here --storage file --defaults >/dev/null 2>&1
        nats publish --jetstream --quiet --count 20 here 'message {{Count}}' >/dev/null 2>&1";
    testbed.beside("nats", stream).map(drop)
}

#[test]
fn a_backup_goes_into_another_platform_and_back_and_its_repository_stays_its_own() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let repository = folder.path().join("repository");
    let (mut backup, mut old, mut truth) = (String::new(), String::new(), None);
    on("moveout", Shape::Stores, |testbed, product| {
        let product = product.clone().keeping_backups_in(&repository);
        testbed.rest()?;
        testbed.psql("litellm", "create table of_there as select generate_series(1, 55) as n")?;
        testbed.tick()?;
        truth = Some(testbed.truth()?);
        backup = product.backup()?;
        testbed.project().clone_into(&mut old);
        Ok(())
    })?;
    on("movein", Shape::Stores, |testbed, product| {
        testbed.rest()?;
        change(testbed)?;
        let before = standing(testbed)?;
        let present = testbed.truth()?;
        let file = product.state.with_file_name("stillpoint.toml");
        fs::write(&file, "[stores.postgres-main]\nname = 'pgdb'\n")?;
        let product = Product::of(PROGRAM, folder.path(), testbed).with("STILLPOINT_CONFIG", file);
        let here = testbed.project();

        let told = format!("--from {old} --map postgres-main=pgdb");
        product
            .run(&["restore", &backup, "--confirm", &backup])?
            .must_end_with(13)?
            .must_say(&format!("it is a backup of platform {old}, not of {here}"))?
            .must_say("it holds nothing of store pgdb (postgres), but of postgres-main")?
            .must_say(&format!("`stillpoint restore {backup} {told}`"))?;
        let restore = [&["restore", &backup], &told.split(' ').collect::<Vec<_>>()[..]].concat();
        let another = format!("of platform {old}, into platform {here}");
        product
            .run(&[&restore[..], &["--dry-run"]].concat())?
            .must_end_with(0)?
            .must_print(&another)?
            .must_print("Store postgres-main of the backup → pgdb.")?;
        is_back(testbed, &before)?;
        product
            .run(&[&restore[..], &["--confirm", &backup]].concat())?
            .must_end_with(0)?
            .must_print(&another)?
            .must_print("Store postgres-main of the backup → pgdb.")?;
        is_back(testbed, &before)?;
        let restored = truth
            .iter()
            .flat_map(|truth| truth.differences(&testbed.truth().unwrap_or_default()));
        // What only this platform has stays beside it, as after every restore.
        let beside = ["sp_", "settings of all roles in template1", "stream HERE"];
        let left: Vec<String> = restored
            .filter(|line| !beside.iter().any(|word| line.contains(word)))
            .collect();
        assert_eq!(left, [""; 0]);

        // It is a guest there: what it would write is refused, and nothing of it is left after the undoing.
        product
            .run(&["backup"])?
            .must_end_with(12)?
            .must_say(&format!("is the repository of platform {old}"))?;
        product.run(&["restore", "undo", "--confirm", here])?.must_end_with(0)?;
        is_back(testbed, &before)?;
        assert_eq!(present.differences(&testbed.truth()?), [""; 0]);
        assert_eq!(product.backups()?, [backup.clone()]);
        let own = Product::of(PROGRAM, &folder.path().join("own"), testbed);
        own.backup().map(drop)
    })
}
