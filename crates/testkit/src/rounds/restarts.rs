//! Runs that are killed around their stop, on a platform with a client that ends by itself every few seconds and is started again by
//! its restart policy: after each of them everything that ran runs.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::Random;
use crate::product::{Product, Running};
use crate::testbed::{ContainerState, Status, Testbed};

/// The client that its policy starts again.
pub const RESTLESS: &str = "restless";

/// The stop of the small platform takes about as long, and so does the pause until the client starts again.
const STOP: Duration = Duration::from_millis(2_500);
/// The longest that a watchdog, or the policy's pause between two starts, may take.
const LIMIT: Duration = Duration::from_mins(2);

/// Runs that may be too quick to be held before their stop.
const TRIES: u32 = 10;

/// How a run died.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// The client was started by its policy after the run had read the platform, and before it stopped anything.
    pub revived: bool,
    /// So long after the claim; or, if it was revived, after that start.
    pub after: Duration,
    /// The watchdog was killed too.
    pub both: bool,
}

impl Death {
    /// At a random moment.
    pub fn at_random(random: &mut Random) -> Self {
        Self {
            revived: random.coin(),
            after: random.moment(STOP),
            both: random.coin(),
        }
    }
}

/// One death, after which everything must run again that ran.
pub fn die(testbed: &Testbed, product: &Product, death: Death) -> Result<()> {
    let before = testbed.containers()?;
    let running = if death.revived {
        begun_before_a_start(testbed, product)?
    } else {
        begun(product, "step_ended", "claim")?
    };
    sleep(death.after);
    end(running, death.both)?;
    recovered(product, death.both)?;
    runs_again(testbed, &before).with_context(|| format!("{death:?}"))
}

fn begun(product: &Product, event: &str, step: &str) -> Result<Running> {
    let mut running = product.start(&["backup", "--json"])?;
    running.until(&format!("{event} {step}"), |said: &Value| {
        said["event"] == event && said["step"] == step
    })?;
    Ok(running)
}

/// A run that had read the platform and stopped nothing when the policy started the client again.
fn begun_before_a_start(testbed: &Testbed, product: &Product) -> Result<Running> {
    for _ in 0..TRIES {
        let running = begun(product, "step_ended", "preflight")?;
        running.signal("STOP")?;
        let revived = revived(testbed);
        running.signal("CONT")?;
        if revived? {
            return Ok(running);
        }
        // It was too quick.
        running.end()?.must_end_with(0)?;
    }
    bail!("each of {TRIES} runs had stopped {RESTLESS} before it could be held")
}

/// Waits until the policy has started the client again, unless somebody has stopped it.
fn revived(testbed: &Testbed) -> Result<bool> {
    let (before, begun) = (testbed.state(RESTLESS)?.started_at, Instant::now());
    loop {
        let now = testbed.state(RESTLESS)?;
        if now.started_at != before {
            return Ok(true);
        }
        if now.status == Status::Exited {
            return Ok(false);
        }
        ensure!(
            begun.elapsed() < LIMIT,
            "{RESTLESS} does not start again by itself: {now:?}"
        );
        sleep(Duration::from_millis(50));
    }
}

fn end(running: Running, both: bool) -> Result<()> {
    if both { running.kill_all() } else { running.kill() }
}

/// `containers recover` is refused only while a watchdog is at work.
fn recovered(product: &Product, both: bool) -> Result<()> {
    let begun = Instant::now();
    loop {
        let ran = product.run(&["containers", "recover"])?;
        match ran.code {
            Some(0) => return Ok(()),
            Some(11) if !both && begun.elapsed() < LIMIT => sleep(Duration::from_millis(200)),
            _ => return ran.must_end_with(0).map(drop),
        }
    }
}

/// Everything that ran does, the restless client too: it is met running within the longest pause of its policy.
pub fn runs_again(testbed: &Testbed, before: &[ContainerState]) -> Result<()> {
    let ran = |one: &&ContainerState| one.status == Status::Running || one.service == RESTLESS;
    for was in before.iter().filter(ran) {
        let begun = Instant::now();
        loop {
            let now = testbed.state(&was.service)?;
            if now.status == Status::Running {
                break;
            }
            // Between an end and the next start a policy is at work; nobody is where nothing is to come.
            let waits = was.service == RESTLESS && now.status == Status::Restarting;
            if !waits && begun.elapsed() > Duration::from_secs(2) || begun.elapsed() > LIMIT {
                bail!("{} is left down: {now:?}", was.service);
            }
            sleep(Duration::from_millis(50));
        }
    }
    ensure!(!has_claim(testbed)?, "the claim is still there");
    Ok(())
}

fn has_claim(testbed: &Testbed) -> Result<bool> {
    let name = format!("name=^/stillpoint-{}$", testbed.project());
    Ok(!testbed.docker(&["ps", "-aq", "--filter", &name])?.is_empty())
}
