//! ClickHouse by the program, on its real engine: what is special to it. What every store must do is in `conformance`.

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::seaweed::{ADMIN, BACKUP, BUCKET, Seaweed, prefix};
use stillpoint_testkit::testbed::{Shape, Testbed, Truth};

use crate::common::{PROGRAM, disk, has_claim, is_back, on, standing, until};
use crate::page::commands;

const SERVICE: &str = "clickhouse";

fn sql(testbed: &Testbed, statement: &str) -> Result<String> {
    let said = testbed.beside(SERVICE, &format!("set -e; clickhouse-sql <<'END'\n{statement}\nEND"))?;
    Ok(said.trim().to_owned())
}

/// So many mebibytes that do not compress.
fn bulk(testbed: &Testbed, size: u32) -> Result<()> {
    for statement in [
        "CREATE TABLE bulk (b String CODEC(NONE)) ENGINE = MergeTree ORDER BY tuple()",
        &format!("INSERT INTO bulk SELECT randomString(1048576) FROM numbers({size})"),
    ] {
        sql(testbed, statement)?;
    }
    Ok(())
}

/// Everything is as it was.
fn same(testbed: &Testbed, was: &Truth) -> Result<()> {
    let differences = was.differences(&testbed.truth()?);
    ensure!(differences.is_empty(), "{differences:?}");
    Ok(())
}

fn restart(testbed: &Testbed) -> Result<()> {
    let store = testbed.container(SERVICE)?;
    testbed.docker(&["restart", &store])?;
    until("the server answers", || Ok(sql(testbed, "SELECT 1").is_ok()))
}

/// What one more row of `traces` adds to the view that counts them.
fn fed(testbed: &Testbed, id: &str) -> Result<u64> {
    let counted = || -> Result<u64> { Ok(sql(testbed, "SELECT sum(traces) FROM traces_per_day")?.parse()?) };
    let before = counted()?;
    sql(
        testbed,
        &format!(
            "INSERT INTO traces (id, project_id, timestamp, name) VALUES ('{id}', 'p', '2025-03-01 00:00:00', 'n')"
        ),
    )?;
    Ok(counted()? - before)
}

fn ours(testbed: &Testbed) -> Result<String> {
    sql(
        testbed,
        "SELECT name FROM system.databases WHERE startsWith(name, 'sp_') ORDER BY name",
    )
}

#[test]
fn what_a_restore_replaces_comes_back_and_no_view_is_fed_twice() -> Result<()> {
    on("chundone", Shape::Clickhouse, |testbed, product| {
        testbed.rest()?;
        testbed.tick()?;
        // It refreshes itself when it is made, also by a restore.
        for statement in [
            "CREATE TABLE fresh_rows (n UInt8) ENGINE = MergeTree ORDER BY n",
            "CREATE MATERIALIZED VIEW fresh REFRESH EVERY 1 YEAR TO fresh_rows AS SELECT 7 AS n",
            "SYSTEM WAIT VIEW fresh",
        ] {
            sql(testbed, statement)?;
        }
        let backup = product.backup()?;
        let at_backup = testbed.truth()?;
        assert_eq!(fed(testbed, "later")?, 1);
        for statement in [
            "CREATE DATABASE later",
            "CREATE TABLE later.t (n UInt8) ENGINE = MergeTree ORDER BY n",
            "CREATE MATERIALIZED VIEW later.mv TO later.t AS SELECT 1 AS n FROM default.traces",
            "DROP DATABASE empty SYNC",
            "CREATE OR REPLACE FUNCTION per_million AS x -> x",
            "CREATE FUNCTION later AS x -> x",
        ] {
            sql(testbed, statement)?;
        }
        let before_restore = testbed.truth()?;
        let before = standing(testbed)?;

        product
            .run(&["restore", &backup, "--confirm", &backup])?
            .must_end_with(0)?;
        is_back(testbed, &before)?;
        let mut differences = at_backup.differences(&testbed.truth()?);
        differences.retain(|difference| !difference.contains("sp_"));
        ensure!(differences.is_empty(), "{differences:?}");
        // The old views are there still, and are told of nothing, also after a start.
        assert_eq!(fed(testbed, "after the restore")?, 1);
        restart(testbed)?;
        assert_eq!(fed(testbed, "after a start")?, 1);
        product
            .run(&["restore", &backup, "--confirm", &backup])?
            .must_end_with(13)?
            .must_say("still keeps")?
            .must_say("database `later` as `sp_")?
            .must_say("that there was no database `empty`")?;

        let undo = ["restore", "undo", "--confirm", testbed.project()];
        product.run(&undo)?.must_end_with(0)?;
        same(testbed, &before_restore)?;
        assert_eq!(ours(testbed)?, "");
        assert_eq!(fed(testbed, "after the undo")?, 1);
        assert_eq!(
            sql(testbed, "SELECT count() FROM later.t")?,
            "1",
            "a view that was set aside feeds again"
        );

        product
            .run(&["restore", &backup, "--confirm", &backup])?
            .must_end_with(0)?;
        let discard = ["restore", "discard-old", "--confirm", testbed.project()];
        product.run(&discard)?.must_end_with(0)?;
        same(testbed, &at_backup)?;
        assert_eq!(ours(testbed)?, "");
        restart(testbed)?;
        assert_eq!(fed(testbed, "at the end")?, 1);
        Ok(())
    })
}

#[test]
fn a_damaged_part_is_found_after_the_load_and_undone() -> Result<()> {
    on("chdamage", Shape::Clickhouse, |testbed, product| {
        testbed.rest()?;
        testbed.tick()?;
        sql(
            testbed,
            "CREATE TABLE wrong (s String CODEC(NONE)) ENGINE = MergeTree ORDER BY tuple()",
        )?;
        sql(testbed, "INSERT INTO wrong SELECT toString(number) FROM numbers(10000)")?;
        let path = sql(
            testbed,
            "SELECT path FROM system.parts WHERE active AND table = 'wrong'",
        )?;
        let store = testbed.container(SERVICE)?;
        let flip = format!("printf X | dd of={path}data.bin bs=1 seek=5000 conv=notrunc 2>/dev/null");
        testbed.docker(&["exec", &store, "sh", "-ec", &flip])?;
        let backup = product.backup()?;
        sql(testbed, "DROP TABLE wrong SYNC")?;
        let before = testbed.truth()?;
        product
            .run(&["restore", &backup, "--confirm", &backup])?
            .must_end_with(14)?
            .must_say("table default.wrong was loaded")?;
        let undo = ["restore", "undo", "--confirm", testbed.project()];
        product.run(&undo)?.must_end_with(0)?;
        same(testbed, &before)?;
        assert_eq!(ours(testbed)?, "");
        Ok(())
    })
}

#[test]
fn a_run_that_dies_while_it_drains_leaves_nothing_at_work() -> Result<()> {
    on("chkilled", Shape::Clickhouse, |testbed, product| {
        bulk(testbed, 128)?;
        let before = standing(testbed)?;
        // The clients wait: it is met while it copies.
        let mut running = product.start(&["backup", "--json", "--mode", "hold"])?;
        running.until("first bytes", |event| {
            event["event"] == "progress" && event["artifact"] == SERVICE
        })?;
        running.kill()?;
        until("all is as it was", || Ok(is_back(testbed, &before).is_ok()))?;
        let at_work = "SELECT count() FROM system.backups WHERE status IN ('CREATING_BACKUP', 'RESTORING')";
        until("nothing is at work", || Ok(sql(testbed, at_work)? == "0"))?;
        ensure!(!has_claim(testbed)?, "a claim is left");
        product.backup().map(drop)
    })
}

#[test]
fn a_restore_that_dies_while_it_loads_is_repeated_or_undone() -> Result<()> {
    on("chtorn", Shape::Clickhouse, |testbed, product| {
        testbed.rest()?;
        testbed.tick()?;
        bulk(testbed, 128)?;
        let backup = product.backup()?;
        let at_backup = testbed.truth()?;
        testbed.wreck()?;
        let before_restore = testbed.truth()?;
        let die = || -> Result<()> {
            let mut running = product.start(&["restore", &backup, "--confirm", &backup, "--json"])?;
            running.until("the first bytes are loaded", |event| {
                event["event"] == "progress" && event["artifact"] == SERVICE
            })?;
            running.kill_all()
        };
        die()?;
        // What it has left at work in the server is ended first.
        product
            .run(&["restore", &backup, "--confirm", &backup, "--discard-old"])?
            .must_end_with(0)?;
        same(testbed, &at_backup)?;
        assert_eq!(ours(testbed)?, "");
        assert_eq!(fed(testbed, "once")?, 1);

        testbed.wreck()?;
        die()?;
        let undo = ["restore", "undo", "--confirm", testbed.project()];
        product.run(&undo)?.must_end_with(0)?;
        same(testbed, &before_restore)?;
        assert_eq!(ours(testbed)?, "");
        Ok(())
    })
}

#[test]
fn a_repository_that_is_full_fails_the_backup_and_nothing_is_left_at_work() -> Result<()> {
    on("chfull", Shape::Clickhouse, |testbed, product| {
        bulk(testbed, 48)?;
        let disk = disk(192)?;
        let product = product.clone().keeping_backups_in(disk.path());
        // Foreseen it would be refused.
        std::fs::write(disk.path().join("soon"), "")?;
        let before = standing(testbed)?;
        let ran = product.interfered_at(
            &["--mode", "pin"],
            "the stop",
            |event| event["event"] == "step_began" && event["step"] == "stop",
            |_| {
                let filling = vec![0; 150 << 20];
                std::fs::write(disk.path().join("soon"), filling)?;
                Ok(())
            },
        )?;
        ran.must_end_with(1)?.must_print("the repository is full")?;
        until("all is as it was", || Ok(is_back(testbed, &before).is_ok()))?;
        let at_work = "SELECT count() FROM system.backups WHERE status IN ('CREATING_BACKUP', 'RESTORING')";
        assert_eq!(sql(testbed, at_work)?, "0");
        std::fs::remove_file(disk.path().join("soon"))?;
        product.backup().map(drop)
    })
}

/// With a bucket as the repository: what lies in it is a backup of ClickHouse's own.
#[test]
fn a_backup_in_a_bucket_restores_by_hand_with_a_plain_restore() -> Result<()> {
    Seaweed::start()?.examined(|bucket| {
        on("chbyhand", Shape::Clickhouse, |testbed, product| {
            testbed.rest()?;
            testbed.tick()?;
            let prefix = prefix("byhand")?;
            let product = product.clone().in_s3(&bucket.endpoint(), BACKUP, &prefix);
            let made = product.run(&["backup", "--json"])?.must_end_with(0)?.summary()?;
            let id = made["manifest"]["id"].as_str().context("no backup")?;
            let truth = testbed.truth()?;
            let network = format!("{}_backend", testbed.project());
            let server = bucket.container();
            testbed.docker(&["network", "connect", "--alias", "s3", &network, server])?;

            testbed.wreck()?;
            for statement in [
                "DROP DATABASE default SYNC",
                "DROP DATABASE rubbish SYNC",
                "DROP FUNCTION per_million",
            ] {
                sql(testbed, statement)?;
            }
            let manifest = made["manifest"].to_string();
            let commands = commands("ClickHouse")?.concat();
            let said = testbed.beside(
                SERVICE,
                &format!(
                    "set -euo pipefail; cd \"$(mktemp -d)\"; cat >manifest.json <<'END OF MANIFEST'\n{manifest}\nEND OF MANIFEST\n\
                     STORE={SERVICE} BACKUP=http://s3:8333/{BUCKET}/{prefix}/{id} KEY={} SECRET={}\n{commands}",
                    ADMIN.id, ADMIN.secret
                ),
            )?;
            ensure!(said.contains("RESTORED"), "{said}");
            let differences = truth.differences(&testbed.truth()?);
            testbed.docker(&["network", "disconnect", &network, server])?;
            ensure!(differences.is_empty(), "{differences:?}");
            // So it does with the program.
            testbed.wreck()?;
            let restore = ["restore", id, "--confirm", id, "--discard-old"];
            product.run(&restore)?.must_end_with(0)?;
            same(testbed, &truth)?;
            Ok(())
        })
    })
}

#[test]
fn a_user_without_the_right_is_refused_and_the_way_out_is_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    Testbed::for_test("chreader", Shape::Clickhouse)?.examined(|testbed| {
        let options = [
            "-e",
            "CLICKHOUSE_USER=clickhouse",
            "-e",
            "CLICKHOUSE_PASSWORD=clickhouse-secret",
            "-e",
            "CLICKHOUSE_READONLY_USER=reader:reader-secret",
        ];
        testbed.guest(SERVICE, "CLICKHOUSE", &options, &[])?;
        until("the server answers", || Ok(sql(testbed, "SELECT 1").is_ok()))?;
        let reader = Product::of(PROGRAM, folder.path(), testbed)
            .with("STILLPOINT_CLICKHOUSE_USER", "reader")
            .with("STILLPOINT_CLICKHOUSE_PASSWORD", "reader-secret");
        let before = standing(testbed)?;
        reader
            .run(&["backup"])?
            .must_end_with(12)?
            .must_say("`reader` may not")?
            .must_say("grant BACKUP")
            .context("the grant is not named")?;
        is_back(testbed, &before)
    })
}
