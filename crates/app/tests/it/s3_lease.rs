//! One writer per bucket, whatever host it is on: a second one is told who writes; a lease whose holder
//! died ends by itself; a holder that was frozen for longer than its lease does no harm afterwards.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use stillpoint_testkit::bucket::Folder;
use stillpoint_testkit::product::{Product, Running};
use stillpoint_testkit::s3_proxy::{Match, Rule, S3Proxy, What};
use stillpoint_testkit::seaweed::{BACKUP, Seaweed, prefix};

use crate::common::{PROGRAM, half_way, hold_dumps, is_back, let_go, nothing_runs, on_mini, standing, until};

/// The shortest that may be set, in seconds.
const TERM: &str = "10";
const LEASE: &str = ".stillpoint/lease.json";
const PLATFORM: &str = "somewhere";
const GOING: [&str; 2] = ["2026-01-01_03-00-00", "2026-01-02_03-00-00"];

fn leased(product: Product, endpoint: &str, prefix: &str) -> Product {
    product
        .in_s3(endpoint, BACKUP, prefix)
        .with("BACKUP_LEASE_SECONDS", TERM)
}

#[test]
fn a_second_host_is_told_who_writes_and_what_a_frozen_one_wrote_is_not_sealed() -> Result<()> {
    on_mini("lease", |testbed, product| {
        let server = Seaweed::shared()?;
        let before = standing(testbed)?;
        let here = leased(product.clone(), &server.endpoint(), &prefix("lease")?);
        let there = here.clone().on_host("elsewhere");

        hold_dumps(testbed)?;
        let mut running = here.start(&["backup"])?;
        half_way(testbed, &mut running)?;
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
        let holder = format!("(process {} on {})", running.id(), host.trim());
        let ran = there.run(&["prune"])?.must_end_with(11)?.must_say("is held since")?;
        ran.must_say("by run ")?
            .must_say(&holder)?
            .must_say("BACKUP_LEASE_SECONDS")?;

        running.signal("STOP")?;
        takes_over(&there)?;
        running.signal("CONT")?;
        let_go(testbed)?;
        running.end()?.must_end_with(1)?.must_say("was taken over")?;
        assert_eq!(here.backups()?, Vec::<String>::new(), "a frozen run has sealed");
        is_back(testbed, &before)?;
        nothing_runs(testbed)?;

        // A death that this host knows of frees the lease at once.
        let here = here.with("BACKUP_LEASE_SECONDS", "600");
        hold_dumps(testbed)?;
        let mut running = here.start(&["backup"])?;
        half_way(testbed, &mut running)?;
        running.kill_all()?;
        there.run(&["prune"])?.must_end_with(11)?;
        let_go(testbed)?;
        let backup = here.backup()?;
        here.run(&["verify", &backup])?.must_end_with(0)?;
        is_back(testbed, &before)
    })
}

/// Prunes as soon as the lease of a holder that no longer renews it has ended.
fn takes_over(product: &Product) -> Result<()> {
    product.run(&["prune"])?.must_end_with(11)?;
    until("the lease has ended", || Ok(product.run(&["prune"])?.code == Some(0)))
}

/// A repository with two backups that somebody has begun to delete: a prune goes on with them.
fn half_deleted(folder: &Folder<'_>) -> Result<()> {
    let owner = format!(r#"{{"format":1,"platform":"{PLATFORM}"}}"#);
    folder.put(".stillpoint/instance.json", &owner)?;
    for id in GOING {
        let begun = format!(
            r#"{{"format":1,"platform":"{PLATFORM}","run":"1-1","at":"2026-01-20T03:00:00Z","reason":"it is old"}}"#
        );
        folder.put(&format!("{id}/deleted.json"), &begun)?;
        folder.put(&format!("{id}/store/one.dump"), "one")?;
        folder.put(&format!("{id}/store/two.dump"), "two")?;
    }
    Ok(())
}

/// A prune on this host that gets no answer to its first deletions of artifacts: both of a backup are under way.
fn stuck_in_a_deletion(product: &Product, proxy: &S3Proxy) -> Result<Running> {
    proxy.fault(Rule::new(Match::of("DELETE", ".dump"), What::Hang));
    let running = product.start(&["prune"])?;
    let hangs = |seen: &[_]| {
        let hung = |seen: &&stillpoint_testkit::s3_proxy::Seen| seen.fault == Some(What::Hang);
        seen.iter().filter(hung).count() == 2
    };
    proxy.wait_until(hangs, Duration::from_secs(30))?;
    Ok(running)
}

struct Two {
    /// Behind the proxy.
    here: Product,
    there: Product,
}

fn two_hosts(folder: &Path, server: &Seaweed, proxy: &S3Proxy, prefix: &str) -> Two {
    let product = Product::new(PROGRAM, folder).with("STILLPOINT_PLATFORM", PLATFORM);
    Two {
        here: leased(product.clone(), &proxy.endpoint(), prefix),
        there: leased(product, &server.endpoint(), prefix).on_host("elsewhere"),
    }
}

fn written(folder: &Folder<'_>, key: &str) -> Result<Timestamp> {
    let objects = folder.objects()?;
    let found = objects.iter().find(|object| object.key == key);
    Ok(found.with_context(|| format!("no {key}"))?.written)
}

#[test]
fn a_frozen_prune_deletes_nothing_once_its_lease_was_taken_over() -> Result<()> {
    let (state, prefix) = (tempfile::tempdir()?, prefix("frozen")?);
    let server = Seaweed::shared()?;
    let proxy = S3Proxy::start(&server.endpoint())?;
    let folder = server.folder(&prefix);
    half_deleted(&folder)?;
    let Two { here, there } = two_hosts(state.path(), &server, &proxy, &prefix);

    let running = stuck_in_a_deletion(&here, &proxy)?;
    running.signal("STOP")?;
    takes_over(&there)?;
    assert!(
        folder.keys()?.iter().all(|key| key.starts_with(".stillpoint/")),
        "who took over has not finished: {:?}",
        folder.keys()?
    );
    // Whatever stands there now is another's.
    half_deleted(&folder)?;
    let others = folder.objects()?;
    let asked = proxy.seen().len();
    proxy.clear();
    running.signal("CONT")?;
    let ran = running.end()?;
    ensure!(ran.code != Some(0), "it ended well: {ran:?}");
    ran.must_end_with(11)?.must_say("was taken over")?;
    let seen = proxy.seen();
    let deletions: Vec<_> = seen[asked..].iter().filter(|seen| seen.method == "DELETE").collect();
    assert!(deletions.is_empty(), "it went on: {deletions:#?}");
    assert_eq!(folder.objects()?, others);
    Ok(())
}

#[test]
fn the_lease_of_a_dead_prune_is_taken_over_after_its_term_and_not_before() -> Result<()> {
    let (state, prefix) = (tempfile::tempdir()?, prefix("dead")?);
    let server = Seaweed::shared()?;
    let proxy = S3Proxy::start(&server.endpoint())?;
    let folder = server.folder(&prefix);
    half_deleted(&folder)?;
    let Two { here, there } = two_hosts(state.path(), &server, &proxy, &prefix);

    stuck_in_a_deletion(&here, &proxy)?.kill()?;
    let renewed = written(&folder, LEASE)?;
    takes_over(&there)?;
    let waited = written(&folder, LEASE)?.duration_since(renewed);
    assert!(waited.as_secs() >= 10, "taken over after {waited}");
    assert!(folder.keys()?.iter().all(|key| key.starts_with(".stillpoint/")));
    Ok(())
}
