//! A backup is its directory and nothing else: what the product has put into a bucket is, copied to a disk
//! with curl, the same backup, and the other way round. The commands are those of
//! `docs/operating/by-hand.md`, taken from the page as they stand; the copies are restored and proven.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::seaweed::{BACKUP, BUCKET, REGION, Seaweed, prefix};
use stillpoint_testkit::testbed::{Testbed, Truth, WitnessState};
use stillpoint_testkit::tree;

use crate::common::{is_back, make_executable, on_mini, standing};
use crate::page;

/// The dump of the testbed's database `we "ird' db #1%`.
const ODD: &str = "postgres-main/we%20%22ird%27%20db%20%231%25.dump";

/// How the request for it ends: the one that gets no answer where a copy breaks off.
const CUT: &str = "we%2520%2522ird%2527%2520db%2520%25231%2525.dump";

#[test]
fn a_backup_that_stock_tools_copied_between_bucket_and_directory_is_the_same_backup() -> Result<()> {
    on_mini("copied", |testbed, product| {
        let server = Seaweed::shared()?;
        let (made_in, sent_to) = (prefix("made")?, prefix("sent")?);
        let in_bucket = |prefix: &str| product.clone().in_s3(&server.endpoint(), BACKUP, prefix);
        let in_s3 =
            |prefix: &str| Ok::<BTreeSet<_>, anyhow::Error>(server.folder(prefix).keys()?.into_iter().collect());
        let scene = Scene::of(testbed)?;

        let (local, remote) = (product.backup()?, in_bucket(&made_in).backup()?);
        let (on_disk, in_made) = (names(&product.repository)?, in_s3(&made_in)?);
        assert_eq!(without(&on_disk, &local), without(&in_made, &remote));
        assert!(on_disk.contains(&format!("{local}/{ODD}")), "{on_disk:?}");

        let fetched = tempfile::tempdir()?;
        let fetch = Copy::new("From a bucket into a directory", fetched.path(), &server, &made_in);
        let there = product.clone().keeping_backups_in(fetched.path());
        fetch.breaks_off(&remote, &there)?;
        fetch.run(&remote, None)?;
        assert_eq!(names(fetched.path())?, below(&in_made, &remote));
        scene.restored(&there, &remote)?;

        let send = Copy::new("From a directory into a bucket", &product.repository, &server, &sent_to);
        let there = in_bucket(&sent_to);
        send.breaks_off(&local, &there)?;
        send.run(&local, None)?;
        assert_eq!(in_s3(&sent_to)?, below(&on_disk, &local));
        scene.restored(&there, &local)
    })
}

/// A platform, and what a restore must bring back.
struct Scene<'a> {
    testbed: &'a Testbed,
    truth: Truth,
}

impl<'a> Scene<'a> {
    fn of(testbed: &'a Testbed) -> Result<Self> {
        testbed.tick()?;
        let truth = testbed.truth()?;
        Ok(Self { testbed, truth })
    }

    /// Wrecks the platform and brings it back from a copy, which is a repository like any other.
    fn restored(&self, from: &Product, id: &str) -> Result<()> {
        let Self { testbed, truth } = self;
        let before = standing(testbed)?;
        from.run(&["verify", id])?.must_end_with(0)?;
        testbed.wreck()?;
        assert_ne!(truth.differences(&testbed.truth()?), Vec::<String>::new());
        from.restore(id)?;
        is_back(testbed, &before)?;
        assert_eq!(truth.differences(&testbed.truth()?), Vec::<String>::new());
        let is_that = |witness: &WitnessState| witness.is_whole() && witness.last == 1;
        assert!(testbed.witness()?.values().all(is_that), "another point in time");
        from.run(&["prune"])?.must_end_with(0)?;
        assert_eq!(from.backups()?, [id]);
        Ok(())
    }
}

/// The page's commands under a heading, run where an operator would stand.
struct Copy<'a> {
    heading: &'a str,
    place: &'a Path,
    server: &'a Seaweed,
    prefix: &'a str,
}

impl<'a> Copy<'a> {
    fn new(heading: &'a str, place: &'a Path, server: &'a Seaweed, prefix: &'a str) -> Self {
        Self {
            heading,
            place,
            server,
            prefix,
        }
    }

    /// Copies a backup, with the programs of a folder before the stock ones.
    fn run(&self, id: &str, programs: Option<&Path>) -> Result<()> {
        let mut commands = page::commands("Moving a backup")?;
        commands.extend(page::commands(self.heading)?);
        let mut shell = Command::new("sh");
        shell
            .args(["-euc", &commands.concat()])
            .current_dir(self.place)
            .env("BACKUP_S3_ENDPOINT", self.server.endpoint())
            .env("BACKUP_S3_BUCKET", BUCKET)
            .env("BACKUP_S3_REGION", REGION)
            .env("BACKUP_S3_PREFIX", self.prefix)
            .env("BACKUP_S3_ACCESS_KEY_ID", BACKUP.id)
            .env("BACKUP_S3_SECRET_ACCESS_KEY", BACKUP.secret)
            .env("BACKUP", id);
        if let Some(programs) = programs {
            let stock = std::env::var("PATH")?;
            shell.env("PATH", format!("{}:{stock}", programs.display()));
        }
        let output = shell.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {}\n{said}", self.heading, output.status);
        Ok(())
    }

    /// What a copy leaves whose connection fails in the middle is no backup.
    fn breaks_off(&self, id: &str, there: &Product) -> Result<()> {
        let programs = tempfile::tempdir()?;
        let curl = programs.path().join("curl");
        let script = format!("#!/bin/sh\ncase \"$*\" in *{CUT}) exit 56;; esac\nexec /usr/bin/curl \"$@\"\n");
        std::fs::write(&curl, script)?;
        make_executable(&curl)?;
        ensure!(
            self.run(id, Some(programs.path())).is_err(),
            "{}: it goes on after a failure",
            self.heading
        );
        ensure!(
            there.backups()?.is_empty(),
            "{}: half a copy is listed as a backup",
            self.heading
        );
        Ok(())
    }
}

fn names(folder: &Path) -> Result<BTreeSet<String>> {
    Ok(tree::files(folder)?.into_keys().collect())
}

/// The names with this backup's id left out.
fn without(names: &BTreeSet<String>, id: &str) -> BTreeSet<String> {
    names.iter().map(|name| name.replace(id, "ID")).collect()
}

/// Those of one backup.
fn below(names: &BTreeSet<String>, id: &str) -> BTreeSet<String> {
    let folder = format!("{id}/");
    names.iter().filter(|name| name.starts_with(&folder)).cloned().collect()
}
