//! A backup that fails: the clients run again, the store and the cause are named, and nothing
//! incomplete is listed. On the real engine. A store that dies and a run that is cancelled: `conformance`.

use crate::common::{HALF_A_DUMP, HOLD, PIN, is_back, nothing_runs, on_mini, replace_tool, standing, stuck_in_a_dump};
use anyhow::Result;
use stillpoint_testkit::product::{Product, Ran};
use stillpoint_testkit::proxy::Proxy;
use stillpoint_testkit::testbed::Status;

fn failed(ran: Ran, words: &[&str], product: &Product) -> Result<()> {
    let mut ran = ran.must_end_with(1)?;
    for words in words {
        ran = ran.must_say(words)?;
    }
    assert_eq!(
        product.backups()?,
        Vec::<String>::new(),
        "something incomplete is listed"
    );
    Ok(())
}

#[test]
fn a_dump_that_fails_after_writing_bytes_fails_the_backup() -> Result<()> {
    on_mini("dumpfails", |testbed, product| {
        let before = standing(testbed)?;
        replace_tool(
            testbed,
            "pg_dump",
            &format!("{HALF_A_DUMP}\necho the disk is on fire >&2\nexit 3"),
        )?;
        let words = [
            "store postgres-main",
            "dumping database",
            "exit code 3",
            "the disk is on fire",
            "help:",
        ];
        failed(product.run(&["backup"])?, &words, product)?;
        is_back(testbed, &before)
    })
}

#[test]
fn a_cut_stream_fails_the_backup() -> Result<()> {
    on_mini("cut", |testbed, product| {
        let before = standing(testbed)?;
        for mode in [PIN, HOLD] {
            let proxy = Proxy::start()?;
            let through = product.clone().with("DOCKER_HOST", proxy.address());
            let running = stuck_in_a_dump(testbed, &through, &mode)?;
            proxy.cut_upgraded();
            failed(running.end()?, &["store postgres-main", "was cut"], product)?;
            is_back(testbed, &before)?;
            nothing_runs(testbed)?;
        }
        Ok(())
    })
}

#[test]
fn a_repository_that_fills_up_fails_the_backup() -> Result<()> {
    on_mini("fills", |testbed, product| {
        let before = standing(testbed)?;
        // Hashes do not compress: 19 MB of them do not fit into 12 MiB, but the canary's 8 do.
        let hashes = "sha512(g::text::bytea) a, sha512((-g)::text::bytea) b, sha512((g * g)::text::bytea) c";
        testbed.psql(
            "litellm",
            &format!("create table noise as select {hashes} from generate_series(1::bigint, 100000) g"),
        )?;
        let disk = crate::common::disk(12)?;
        let product = product.clone().keeping_backups_in(disk.path());
        failed(
            product.run(&["backup"])?,
            &["store postgres-main", "repository is full", "help: free space"],
            &product,
        )?;
        is_back(testbed, &before)
    })
}

#[test]
fn a_killed_backup_is_recovered_by_the_next_one_or_by_command() -> Result<()> {
    on_mini("killed", |testbed, product| {
        let before = standing(testbed)?;
        for recovery in [["containers", "start"], ["backup", "--json"]] {
            let running = stuck_in_a_dump(testbed, product, &HOLD)?;
            running.kill_all()?;
            assert_eq!(
                testbed.state("webapp")?.status,
                Status::Exited,
                "the kill leaves the clients down"
            );
            assert_eq!(product.backups()?, Vec::<String>::new());
            replace_tool(testbed, "pg_dump", "exec /usr/bin/pg_dump \"$@\"")?;
            product.run(&recovery)?.must_end_with(0)?;
            is_back(testbed, &before)?;
        }
        assert_eq!(product.backups()?.len(), 1);
        Ok(())
    })
}
