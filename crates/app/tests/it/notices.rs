//! Notices and heartbeats of commands on the real engine, with a receiver that listens, one that is gone and one that never
//! answers. What stands in an address is seen nowhere.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillpoint_testkit::product::{Product, Ran};
use tokio::runtime::Runtime;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::common::{is_back, on_mini, replace_tool, standing};

const SECRET: &str = "s3cr3t-Tok3n-Value";

const STOCK_DUMP: &str = "exec /usr/bin/pg_dump \"$@\"";

/// Somebody who takes everything.
struct Receiver {
    runtime: Runtime,
    server: MockServer,
}

impl Receiver {
    fn new() -> Result<Self> {
        let runtime = Runtime::new()?;
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            let taken = ResponseTemplate::new(200);
            Mock::given(any()).respond_with(taken).mount(&server).await;
            server
        });
        Ok(Self { runtime, server })
    }

    fn got(&self) -> Result<Vec<Request>> {
        let got = self.runtime.block_on(self.server.received_requests());
        got.context("nothing is recorded")
    }

    /// The events that were told, in order.
    fn events(&self) -> Result<Vec<Value>> {
        let told = self.got()?.into_iter().filter(|request| request.url.path() == "/in");
        told.map(|request| Ok(serde_json::from_slice(&request.body)?)).collect()
    }

    /// The ends of the heartbeats' paths, in order.
    fn beats(&self) -> Result<Vec<String>> {
        let beats = self
            .got()?
            .into_iter()
            .filter(|request| request.url.path().starts_with("/ping"));
        Ok(beats
            .map(|request| request.url.path().rsplit('/').next().unwrap_or_default().to_owned())
            .collect())
    }

    /// The product, which tells it, and somebody who is gone.
    fn told_by(&self, product: &Product) -> Product {
        let at = self.server.address();
        let channels = format!("webhook+http://{at}/in#{SECRET} gotify://127.0.0.1:1/{SECRET}?disableTLS=yes");
        product
            .clone()
            .with("NOTIFICATION_URLS", channels)
            .with("HEARTBEAT_URLS", format!("backup_job=http://{at}/ping/{SECRET}"))
    }
}

fn is_secret(ran: Ran) -> Result<Ran> {
    ensure!(!ran.out.contains(SECRET) && !ran.err.contains(SECRET), "{ran:?}");
    Ok(ran)
}

#[test]
fn a_failure_and_the_success_after_it_are_told_once_each_whoever_else_is_gone() -> Result<()> {
    on_mini("notices", |testbed, product| {
        let before = standing(testbed)?;
        let receiver = Receiver::new()?;
        let product = receiver.told_by(product);
        // The trial of the preflight is not what fails.
        let fails = format!("case \"$*\" in *--schema-only*) {STOCK_DUMP};; esac\nexit 1");
        replace_tool(testbed, "pg_dump", &fails)?;
        let failed = is_secret(product.run(&["backup"])?.must_end_with(1)?)?;
        failed.must_say("warning: a notice did not reach gotify:127.0.0.1: no connection:")?;
        replace_tool(testbed, "pg_dump", STOCK_DUMP)?;
        is_secret(product.run(&["backup"])?.must_end_with(0)?)?;
        is_secret(product.run(&["backup"])?.must_end_with(0)?)?;

        let told = receiver.events()?;
        let events: Vec<&Value> = told.iter().map(|told| &told["event"]).collect();
        assert_eq!(events, ["failed", "recovered"]);
        let title = told[0]["title"].as_str().context("no title")?;
        assert!(
            title.starts_with(&format!("Backup FAILED: {} on ", testbed.project())),
            "{title}"
        );
        assert_eq!((&told[0]["run"], &told[1]["run"]), (&"1".into(), &"2".into()));
        assert!(told[0]["hint"].is_string(), "{}", told[0]);
        let id = SECRET;
        assert_eq!(receiver.beats()?, ["start", "fail", "start", id, "start", id]);

        let listed = is_secret(product.run(&["notify", "ls", "--json"])?.must_end_with(0)?)?.summary()?;
        let row = |name: &str| {
            let rows = listed["channels"].as_array().into_iter().flatten();
            rows.clone()
                .find(|row| row["channel"] == name)
                .cloned()
                .context(name.to_owned())
        };
        assert_eq!(row("webhook:127.0.0.1")?["delivered"], 2);
        let gone = row("gotify:127.0.0.1")?;
        assert!(gone["failed"].as_u64() >= Some(2) && gone["delivered"] == 0, "{gone}");
        assert_eq!(row("heartbeat:backup_job:127.0.0.1")?["delivered"], 6);

        let tried = is_secret(product.run(&["notify", "test"])?.must_end_with(1)?)?;
        tried
            .must_print("webhook:127.0.0.1 has it")?
            .must_print("gotify:127.0.0.1 has NOT got it: no connection:")?;
        product.run(&["notify", "test", "webhook"])?.must_end_with(0)?;
        product
            .run(&["notify", "test", "fax"])?
            .must_end_with(2)?
            .must_say("gotify:127.0.0.1")?;

        let shown = is_secret(product.run(&["config", "show", "--origin"])?.must_end_with(0)?)?;
        shown.must_print("NOTIFICATION_URLS")?;
        for file in std::fs::read_dir(&product.state)? {
            let file = file?.path();
            let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap_or_default()).into_owned();
            assert!(!text.contains(SECRET), "{}", file.display());
        }
        is_back(testbed, &before)
    })
}

#[test]
fn who_never_answers_delays_no_run_and_the_command_by_seconds() -> Result<()> {
    on_mini("hanging", |_, product| {
        let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
        let at = silent.local_addr()?;
        let product = product
            .clone()
            .with("NOTIFICATION_URLS", format!("gotify://{at}/{SECRET}?disableTLS=yes"))
            .with("NOTIFICATION_EVENTS", "success")
            .with("HEARTBEAT_URLS", format!("backup=http://{at}/{SECRET}"));
        let begun = Instant::now();
        let ran = is_secret(product.run(&["backup"])?.must_end_with(0)?)?;
        let took = begun.elapsed();
        ran.must_say("warning: ")?;
        let run = product
            .run(&["runs", "show", "1", "--json"])?
            .must_end_with(0)?
            .summary()?;
        let moment = |key: &str| -> Result<jiff::Timestamp> { Ok(run[key].as_str().context("no time")?.parse()?) };
        let itself = moment("ended_at")?.duration_since(moment("started_at")?).unsigned_abs();
        assert_eq!(run["state"], "SUCCESS");
        // The run has not waited: what the command took beside it is what it waited for the silent one.
        assert!(took <= itself + Duration::from_secs(20), "{took:?} of which {itself:?}");
        assert!(
            took >= itself + Duration::from_secs(5),
            "nobody was waited for: {took:?} of which {itself:?}"
        );
        Ok(())
    })
}

#[test]
fn a_wrong_address_is_refused_before_anything_is_done_and_not_shown() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let product = Product::new(env!("CARGO_BIN_EXE_stillpoint"), folder.path());
    let wrong = product.clone().with("NOTIFICATION_URLS", format!("fax://{SECRET}@x"));
    is_secret(wrong.run(&["backup"])?.must_end_with(2)?)?
        .must_say("NOTIFICATION_URLS (environment): address 1 (fax://…)")?;
    let wrong = product
        .clone()
        .with("HEARTBEAT_URLS", format!("https://hc-ping.com/{SECRET}"));
    is_secret(wrong.run(&["backup"])?.must_end_with(2)?)?.must_say("names no job")?;
    let wrong = product.clone().with("NOTIFICATION_EVENTS", "failed, dead");
    wrong
        .run(&["backup"])?
        .must_end_with(2)?
        .must_say("`dead` is none of failed")?;
    product
        .run(&["notify", "test"])?
        .must_end_with(2)?
        .must_say("no channel is configured")?;
    assert!(!product.state.exists(), "something was done");
    Ok(())
}
