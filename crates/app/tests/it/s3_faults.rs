//! A server that stumbles, lies or dies while a backup, a verification or a restore is at work with it.
//! What passes by is got over; what does not ends the run cleanly: the platform runs again, nothing
//! incomplete is listed, and after the next run nothing is left in the bucket. Every method of the
//! repository with every fault is tried in the adapters' own tests; here are the phases of the program.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use stillpoint_testkit::product::{Product, Ran};
use stillpoint_testkit::s3_proxy::{Match, Rule, S3Proxy, What};
use stillpoint_testkit::seaweed::{BACKUP, Seaweed, prefix};
use stillpoint_testkit::testbed::{Shape, Status, Testbed};

use crate::common::{HOLD, PROGRAM, half_way, hold_dumps, is_back, let_go, on_mini, standing};

/// Hashes do not compress: 19 MB of them are uploaded in several parts.
const NOISE: &str = "create table noise as select sha512(g::text::bytea) a, sha512((-g)::text::bytea) b, \
     sha512((g * g)::text::bytea) c from generate_series(1::bigint, 100000) g";

const LARGE: &str = "/postgres-main/litellm.dump";

fn refusal(code: u16, s3_code: &'static str) -> What {
    What::Status { code, s3_code }
}

fn once(when: Match, what: What) -> Rule {
    Rule::new(Match { times: Some(1), ..when }, what)
}

/// Begins, or completes, an upload in parts.
fn post(query: &str) -> Match {
    Match {
        query_contains: Some(query.to_owned()),
        ..Match::of("POST", LARGE)
    }
}

struct Bench<'a> {
    testbed: &'a Testbed,
    before: Vec<(String, Status, u64)>,
    server: &'a Seaweed,
    prefix: String,
    proxy: S3Proxy,
    product: Product,
}

impl Bench<'_> {
    /// Fails unless everything is as it was and what is listed is sound.
    fn sound(&self, backups: usize) -> Result<()> {
        self.proxy.clear();
        is_back(self.testbed, &self.before)?;
        let listed = self.product.backups()?;
        assert_eq!(listed.len(), backups, "{listed:?}");
        for backup in listed {
            self.product.run(&["verify", &backup])?.must_end_with(0)?;
        }
        Ok(())
    }

    /// Nothing of any run that failed before is left but what says so.
    fn tidy(&self) -> Result<()> {
        let folder = self.server.folder(&self.prefix);
        assert_eq!(folder.uploads()?, Vec::<String>::new(), "unfinished uploads");
        let keys = folder.keys()?;
        let left: Vec<_> = keys
            .iter()
            .filter(|key| key.contains("canary-") || key.contains("probe-"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
        Ok(())
    }

    fn with(&self, rules: impl IntoIterator<Item = Rule>, arguments: &[&str]) -> Result<Ran> {
        rules.into_iter().for_each(|rule| self.proxy.fault(rule));
        self.product.run(arguments)
    }
}

#[test]
fn what_goes_wrong_with_the_server_in_any_phase_is_got_over_or_ends_cleanly() -> Result<()> {
    let folder = tempfile::tempdir()?;
    Testbed::for_test("s3faults", Shape::Mini)?.examined(|testbed| {
        testbed.up_seeded()?;
        testbed.psql("litellm", NOISE)?;
        let (server, prefix) = (Seaweed::shared()?, prefix("faults")?);
        let proxy = S3Proxy::start(&server.endpoint())?;
        let product = Product::of(PROGRAM, folder.path(), testbed).in_s3(&proxy.endpoint(), BACKUP, &prefix);
        let bench = Bench {
            testbed,
            before: standing(testbed)?,
            server: &server,
            prefix,
            proxy,
            product,
        };
        does_not_pass(&bench)?;
        let backup = passes(&bench)?;
        prune(&bench).context("prune")?;
        reading(&bench, &backup)
    })
}

/// A point of a backup: its phase, the request, and whether the platform is touched by then.
fn points() -> [(&'static str, Match); 8] {
    let part = Match {
        key_contains: Some(LARGE.to_owned()),
        ..Match::upload_part()
    };
    [
        ("the canary is written", Match::of("PUT", "/.stillpoint/canary-")),
        ("the canary is read", Match::of("GET", "/.stillpoint/canary-")),
        ("the run is begun", Match::of("PUT", "/run.json")),
        ("a large artifact is begun", post("uploads")),
        ("a part is written", part),
        ("a large artifact is completed", post("uploadId=")),
        (
            "a small artifact is written",
            Match::of("PUT", "/postgres-main/globals.sql"),
        ),
        ("the seal", Match::of("PUT", "/manifest.json")),
    ]
}

/// One run gets over the same trouble in each of its phases.
fn passes(bench: &Bench<'_>) -> Result<String> {
    let troubles = [
        ("refused", [refusal(500, "InternalError"), refusal(503, "SlowDown")]),
        ("broken off", [What::Drop, What::CutRequest { after: 1 << 10 }]),
        ("answer lost", [What::DropAfter, What::DropAfter]),
        (
            "slow",
            [
                What::Delay(Duration::from_millis(300)),
                What::Slow {
                    bytes_per_second: 8 << 20,
                },
            ],
        ),
    ];
    let already = bench.product.backups()?.len();
    for (n, (name, whats)) in troubles.iter().enumerate() {
        let seen = bench.proxy.seen().len();
        let points = points().into_iter().zip(whats.iter().cycle());
        let rules: Vec<_> = points.map(|((_, point), what)| once(point, what.clone())).collect();
        let wanted = rules.len();
        bench.with(rules, &["backup"])?.must_end_with(0).context(*name)?;
        let hit = bench.proxy.seen()[seen..]
            .iter()
            .filter(|seen| seen.fault.is_some())
            .count();
        assert_eq!(hit, wanted, "{name}");
        bench.proxy.clear();
        is_back(bench.testbed, &bench.before).context(*name)?;
        bench.tidy().context(*name)?;
        assert_eq!(bench.product.backups()?.len(), already + n + 1, "{name}");
    }
    bench.sound(already + troubles.len())?;
    bench.product.backups()?.pop().context("no backup")
}

/// Trouble that stays: before the stop it is refused, after it the run fails, and the clients are back.
fn does_not_pass(bench: &Bench<'_>) -> Result<()> {
    let [_, canary, run, begun, part, completed, small, seal] = points().map(|(_, point)| point);
    let denied = || refusal(403, "AccessDenied");
    let cases = [
        (
            "another canary comes back",
            12,
            Rule::new(canary.clone(), What::FlipByte { at: 5_000_000 }),
        ),
        ("the run is denied", 12, Rule::new(run, denied())),
        // The first proof is before the stop, the second after it.
        ("the second canary", 1, Rule::new(Match::of("PUT", "-inside"), denied())),
        ("the upload is denied", 1, Rule::new(begun, denied())),
        (
            "the credentials expire",
            1,
            Rule::new(
                Match {
                    nth: Some(2),
                    ..part.clone()
                },
                refusal(403, "ExpiredToken"),
            ),
        ),
        ("a part has another ETag", 1, Rule::new(part, What::WrongETag)),
        ("the completion is denied", 1, Rule::new(completed, denied())),
        ("a small artifact hangs", 1, Rule::new(small, What::Hang)),
        ("the seal is denied", 1, Rule::new(seal, denied())),
    ];
    for (name, code, rule) in cases {
        let begun = Instant::now();
        let ran = bench.with([rule], &["backup"])?.must_end_with(code).context(name)?;
        ran.must_say("help:").context(name)?;
        say(&format!("{name}: {:.1} s", begun.elapsed().as_secs_f64()));
        bench.sound(0).context(name)?;
    }
    bench.product.backup()?;
    bench.tidy()
}

#[expect(
    clippy::print_stderr,
    reason = "how long it took is for whoever reads the test's output"
)]
fn say(what: &str) {
    eprintln!("{what}");
}

/// A deletion that is refused half-way is told, and the next prune finishes it.
fn prune(bench: &Bench<'_>) -> Result<()> {
    let going = "2026-01-01_03-00-00";
    let folder = bench.server.folder(&bench.prefix);
    let begun = format!(
        r#"{{"format":1,"platform":"{}","run":"1-1","at":"2026-01-20T03:00:00Z","reason":"it is old"}}"#,
        bench.testbed.project()
    );
    folder.put(&format!("{going}/deleted.json"), &begun)?;
    folder.put(&format!("{going}/store/one.dump"), "one")?;
    let there = || Ok::<_, anyhow::Error>(folder.keys()?.iter().any(|key| key.starts_with(going)));
    let deletion = Match::of("DELETE", &format!("{going}/store/one.dump"));
    let denied = Rule::new(deletion.clone(), refusal(403, "AccessDenied"));
    bench
        .with([denied], &["prune"])?
        .must_end_with(0)?
        .must_say(going)?
        .must_say("AccessDenied")?;
    bench.proxy.clear();
    assert!(there()?);
    let lost = [
        once(deletion, What::DropAfter),
        once(Match::of("DELETE", "/deleted.json"), What::Drop),
    ];
    bench.with(lost, &["prune"])?.must_end_with(0)?;
    bench.proxy.clear();
    assert!(!there()?, "a deletion was not finished");
    Ok(())
}

/// Verification and restore: a download that breaks off goes on; bytes that are others never pass.
fn reading(bench: &Bench<'_>, backup: &str) -> Result<()> {
    let restore = ["restore", backup, "--confirm", backup, "--discard-old"];
    let artifact = || Match::of("GET", &format!("{backup}{LARGE}"));
    let cut = || once(artifact(), What::CutBody { after: 1 << 20 });
    let second = |what| {
        let when = Match {
            nth: Some(3),
            times: Some(1),
            ..artifact()
        };
        Rule::new(when, what)
    };
    bench
        .with([cut(), second(refusal(503, "SlowDown"))], &["verify", backup])?
        .must_end_with(0)
        .context("cut")?;
    bench.proxy.clear();
    let flipped = Rule::new(artifact(), What::FlipByte { at: 4 << 20 });
    bench
        .with([flipped], &["verify", backup])?
        .must_end_with(15)?
        .must_say("its SHA-256 is")?;
    bench.proxy.clear();
    let denied = Rule::new(artifact(), refusal(403, "ExpiredToken"));
    bench
        .with([denied], &restore)?
        .must_end_with(12)?
        .must_say("ExpiredToken")?;
    bench.proxy.clear();
    is_back(bench.testbed, &bench.before)?;

    bench
        .with([cut(), second(What::CutBody { after: 1 << 20 })], &restore)?
        .must_end_with(0)
        .context("restore")?;
    bench.proxy.clear();
    is_back(bench.testbed, &bench.before)?;
    assert_eq!(bench.testbed.psql("litellm", "select count(*) from noise")?, "100000");
    Ok(())
}

#[test]
fn a_server_that_dies_in_the_middle_of_a_drain_keeps_the_clients_down_no_longer_than_documented() -> Result<()> {
    /// A server that refuses connections is given up within about half a minute, by each of the two that wait for it.
    const DOCUMENTED: Duration = Duration::from_mins(1);
    on_mini("s3dies", |testbed, product| {
        Seaweed::start()?.examined(|server| {
            let (before, prefix) = (standing(testbed)?, prefix("dies")?);
            let proxy = S3Proxy::start(&server.endpoint())?;
            let product = product.clone().in_s3(&proxy.endpoint(), BACKUP, &prefix);
            hold_dumps(testbed)?;
            let mut running = product.start(&HOLD)?;
            half_way(testbed, &mut running)?;
            server.kill()?;
            // Nobody listens any more. (Without the proxy nobody would answer to the address either, which takes longer.)
            proxy.fault(Rule::new(Match::default(), What::Drop));
            let died = Instant::now();
            let_go(testbed)?;
            while testbed.state("webapp")?.status != Status::Running {
                assert!(
                    died.elapsed() < DOCUMENTED,
                    "the clients are down for {:?}",
                    died.elapsed()
                );
                std::thread::sleep(Duration::from_millis(100));
            }
            let back = died.elapsed().as_secs_f64();
            running.end()?.must_end_with(1)?.must_say("help:")?;
            let ended = died.elapsed().as_secs_f64();
            say(&format!(
                "clients back {back:.1} s, run ended {ended:.1} s after the server's death"
            ));
            is_back(testbed, &before)?;

            server.start_again()?;
            proxy.redirect(&server.endpoint())?;
            proxy.clear();
            assert_eq!(product.backups()?, Vec::<String>::new());
            let backup = product.backup()?;
            product.run(&["verify", &backup])?.must_end_with(0)?;
            assert_eq!(server.folder(&prefix).uploads()?, Vec::<String>::new());
            is_back(testbed, &before)
        })
    })
}
