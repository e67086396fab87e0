//! A bucket that cannot be used is refused before anything is stopped: the program says what is wrong,
//! where, and what to do, and ends with 12.

use std::path::Path;
use std::thread;

use anyhow::{Context, Result, anyhow};
use jiff::SignedDuration;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::s3_proxy::{Match, Rule, S3Proxy, What};
use stillpoint_testkit::seaweed::{ADMIN, BACKUP, Key, READ_ONLY, Seaweed, prefix};
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::{PROGRAM, is_back, standing};

/// Of the disk behind the full server; the canary's 8 MiB fit before it is filled.
const SMALL: u64 = 64 << 20;

struct Bench<'a> {
    testbed: &'a Testbed,
    server: &'a Seaweed,
    folder: &'a Path,
    prefix: String,
}

impl Bench<'_> {
    fn at(&self, endpoint: &str, key: Key) -> Product {
        Product::of(PROGRAM, self.folder, self.testbed).in_s3(endpoint, key, &self.prefix)
    }

    fn by(&self, key: Key) -> Product {
        self.at(&self.server.endpoint(), key)
    }

    /// Behind a proxy that does this to fitting requests.
    fn through(&self, when: Match, what: What, words: &[&str]) -> Result<()> {
        let proxy = S3Proxy::start(&self.server.endpoint())?;
        proxy.fault(Rule::new(when, what));
        refused(&self.at(&proxy.endpoint(), BACKUP), words)
    }
}

fn refused(product: &Product, words: &[&str]) -> Result<()> {
    let ran = product.run(&["backup"])?.must_end_with(12)?;
    let said = words.iter().try_fold(ran, |ran, words| ran.must_say(words))?;
    said.must_say("help:").map(drop)
}

#[test]
fn a_bucket_that_cannot_be_used_is_refused_before_anything_is_stopped() -> Result<()> {
    let full = thread::spawn(full_server);
    let folder = tempfile::tempdir()?;
    Testbed::for_test("s3errors", Shape::Mini)?.examined(|testbed| {
        testbed.up_seeded()?;
        let (before, events) = (standing(testbed)?, testbed.events_recorder()?);
        let bench = Bench {
            testbed,
            server: &Seaweed::shared()?,
            folder: folder.path(),
            prefix: prefix("errors")?,
        };
        keys(&bench).context("keys")?;
        places(&bench).context("places")?;
        servers(&bench).context("servers")?;
        let full = full.join().map_err(|_| anyhow!("the full server's thread"))??;
        let words = [".stillpoint/canary-", "InternalError", "look at the repository's disk"];
        refused(&bench.at(&full.endpoint(), BACKUP), &words).context("a full disk")?;
        full.remove()?;

        let used = ["start", "die", "kill", "pause", "unpause", "create", "destroy"];
        let acts = events.stop()?;
        let touched: Vec<_> = acts
            .iter()
            .filter(|event| !event.service.is_empty() && used.contains(&event.action.as_str()))
            .collect();
        assert!(touched.is_empty(), "something was touched: {touched:?}");
        is_back(testbed, &before)?;
        good(&bench)?;
        deletions(&bench).context("DELETE")?;
        versions(&bench).context("versions")
    })
}

fn keys(bench: &Bench<'_>) -> Result<()> {
    let denied = [".stillpoint/instance.json`: AccessDenied", "BACKUP_S3_ACCESS_KEY_ID"];
    refused(&bench.by(READ_ONLY), &denied).context("read-only")?;
    let secret = "another";
    let key = Key { secret, ..BACKUP };
    refused(
        &bench.by(key),
        &["SignatureDoesNotMatch", "BACKUP_S3_SECRET_ACCESS_KEY"],
    )
    .context("wrong secret")?;
    let key = Key { id: "nobody", secret };
    refused(&bench.by(key), &["InvalidAccessKeyId", "BACKUP_S3_ACCESS_KEY_ID"]).context("unknown key")
}

fn places(bench: &Bench<'_>) -> Result<()> {
    let nowhere = |key| bench.by(key).with("BACKUP_S3_BUCKET", "nowhere");
    refused(&nowhere(BACKUP), &["refuses access to `nowhere`: AccessDenied"]).context("a bucket of others")?;
    let forbidden = nowhere(ADMIN).with("BACKUP_S3_CREATE_BUCKET", "false");
    refused(&forbidden, &["there is no bucket `nowhere`", "help: make the bucket"]).context("no bucket")?;
    let words = [
        "the bucket lies in the region eu-central-1",
        "set BACKUP_S3_REGION=eu-central-1",
    ];
    bench
        .through(Match::default(), What::OtherRegion("eu-central-1"), &words)
        .context("region")?;

    let theirs = prefix("theirs")?;
    let owner = r#"{"format":1,"platform":"elsewhere"}"#;
    bench.server.folder(&theirs).put(".stillpoint/instance.json", owner)?;
    let product = bench.by(BACKUP).with("BACKUP_S3_PREFIX", theirs.as_str());
    let words = [
        theirs.as_str(),
        "is the repository of platform elsewhere",
        "BACKUP_S3_PREFIX",
    ];
    refused(&product, &words).context("a foreign prefix")
}

fn servers(bench: &Bench<'_>) -> Result<()> {
    let closed = bench.at("http://127.0.0.1:9", BACKUP);
    refused(&closed, &["cannot be reached", "BACKUP_S3_ENDPOINT"]).context("nobody listens")?;

    let (proxy, _authority) = S3Proxy::start_tls(&bench.server.endpoint())?;
    let words = ["cannot be reached", "UnknownIssuer", "BACKUP_S3_CA_FILE"];
    refused(&bench.at(&proxy.endpoint(), BACKUP), &words).context("an unknown authority")?;

    let early = What::WrongDate(SignedDuration::from_mins(-20));
    let words = ["its clock says", "this host's says", "help: set both clocks right"];
    bench.through(Match::default(), early, &words).context("clocks")?;
    let skewed = What::Status {
        code: 403,
        s3_code: "RequestTimeTooSkewed",
    };
    let words = [
        "RequestTimeTooSkewed",
        "the clocks of this host and of the server differ",
    ];
    bench.through(Match::default(), skewed, &words).context("skew")?;

    let words = ["ignores the conditions of a write", "BACKUP_S3_CONDITIONAL_WRITES"];
    let when = Match::of("PUT", "/.stillpoint/");
    bench.through(when, What::NoConditions, &words).context("conditions")?;
    let words = [
        "does not support conditional writes",
        "(501)",
        "BACKUP_S3_CONDITIONAL_WRITES=false",
    ];
    bench
        .through(Match::default(), What::UnknownConditions, &words)
        .context("unknown conditions")
}

/// A key that may not delete: backups are made, and what retention cannot free is told.
fn deletions(bench: &Bench<'_>) -> Result<()> {
    let denied = What::Status {
        code: 403,
        s3_code: "AccessDenied",
    };
    let proxy = S3Proxy::start(&bench.server.endpoint())?;
    let product = bench.at(&proxy.endpoint(), BACKUP).with("BACKUP_RETENTION_DAYS", "0");
    let product = product.with("BACKUP_MINIMUM_KEEP", "1");
    proxy.fault(Rule::new(Match::of("DELETE", ""), denied));
    let there = product.backups()?;
    let kept = [there[0].as_str(), "but it stays", "AccessDenied", "the right to delete"];
    for arguments in [["backup"], ["prune"]] {
        let ran = product.run(&arguments)?.must_end_with(0)?;
        kept.iter().try_fold(ran, |ran, words| ran.must_say(words))?;
    }
    assert_eq!(product.backups()?.len(), there.len() + 1);
    product.run(&["verify", &there[0]])?.must_end_with(0)?;
    proxy.clear();
    product.run(&["prune"])?.must_end_with(0)?;
    assert_eq!(product.backups()?.len(), 1);
    Ok(())
}

/// In a bucket that keeps versions each small object stays for ever: there are few, and what frees no room is told.
fn versions(bench: &Bench<'_>) -> Result<()> {
    let bucket = "versioned";
    // Another run of this test may have made it.
    drop(bench.server.s3(bucket, &["-X", "PUT"]));
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    bench
        .server
        .s3(&format!("{bucket}?versioning="), &["-X", "PUT", "--data", on])?;
    let proxy = S3Proxy::start(&bench.server.endpoint())?;
    let product = bench.at(&proxy.endpoint(), ADMIN).with("BACKUP_S3_BUCKET", bucket);
    let product = product
        .with("BACKUP_RETENTION_DAYS", "0")
        .with("BACKUP_MINIMUM_KEEP", "1");
    product.backup()?;
    let before = proxy.seen().len();
    let ran = product.run(&["backup"])?.must_end_with(0)?;
    ran.must_say("1 deleted, which frees no room yet")?
        .must_say("NoncurrentVersionExpiration")?;
    let seen = proxy.seen().split_off(before);
    let ours: Vec<_> = seen
        .iter()
        .filter(|seen| ["PUT", "DELETE"].contains(&seen.method.as_str()) && seen.path.contains("/.stillpoint/"))
        .collect();
    let bytes: u64 = ours.iter().map(|seen| seen.bytes_in).sum();
    assert!(
        ours.len() <= 16 && bytes < 160 << 10,
        "{} requests, {bytes} bytes: {ours:#?}",
        ours.len()
    );
    Ok(())
}

/// Nothing of all that keeps the next backup, and nothing of it is left.
fn good(bench: &Bench<'_>) -> Result<()> {
    let (proxy, authority) = S3Proxy::start_tls(&bench.server.endpoint())?;
    let product = bench.at(&proxy.endpoint(), BACKUP).with("BACKUP_S3_CA_FILE", authority);
    let backup = product.backup()?;
    product.run(&["verify", &backup])?.must_end_with(0)?;
    let folder = bench.server.folder(&bench.prefix);
    assert_eq!(folder.uploads()?, Vec::<String>::new());
    let left: Vec<_> = folder
        .keys()?
        .into_iter()
        .filter(|key| key.contains("probe-") || key.contains("canary-"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    Ok(())
}

/// A server whose disk takes not one object of a megabyte more.
fn full_server() -> Result<Seaweed> {
    let server = Seaweed::start_full_disk(SMALL)?;
    let write = |number| server.folder("filling").put_noise(&format!("{number}"), 4 << 20);
    let full = (0..SMALL >> 20).any(|number| write(number).is_err());
    full.then_some(server).context("the disk is never full")
}
