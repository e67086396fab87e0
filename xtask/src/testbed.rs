//! `cargo xtask testbed`: the testbed by hand. The work is the testkit's; here are only words and files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use stillpoint_testkit::testbed::{Shape, Testbed, Truth, WitnessState, reap};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The Compose project's name
    #[arg(long, global = true, default_value = "demo", env = "TESTBED_PROJECT")]
    project: String,
    /// How much of the platform is started
    #[arg(long, global = true, value_enum, default_value = "full")]
    shape: Size,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Copy, ValueEnum)]
enum Size {
    /// Every service
    Full,
    /// PostgreSQL, one client, the witness
    Mini,
    /// Valkey, one client, the witness
    Valkey,
    /// NATS, one client, the witness
    Nats,
    /// Neo4j, one client, the witness
    Neo4j,
    /// ClickHouse, one client, the witness
    Clickhouse,
    /// Milvus with its etcd and its object store, one client, the witness
    Milvus,
}

#[derive(Subcommand)]
enum Verb {
    /// Start the platform, with empty stores
    Up {
        /// Put data of scale 1 into the stores before they start (quicker than `seed`)
        #[arg(long)]
        seeded: bool,
    },
    /// Remove its containers, volumes and network
    Down,
    /// Fill the empty stores; always the same data for the same scale
    Seed {
        /// 1 is a few megabytes in each store, 100 about 2 GB in PostgreSQL and 250 MB in each other
        #[arg(long, default_value_t = 1, env = "SCALE")]
        scale: u32,
    },
    /// One tick of the witness
    Tick,
    /// Show containers and witness; with --save also write everything that `prove` compares with
    State {
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
    /// Destroy the stores' data
    Wreck,
    /// Compare the stores with a saved state, row for row and message for message, and the witness with its last stop before it was saved
    Prove {
        #[arg(long, value_name = "FILE")]
        against: PathBuf,
    },
    /// Write every container's log and inspect into a folder
    Dump { folder: PathBuf },
    /// Remove the testbeds of processes that are gone
    Reap,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let shape = match arguments.shape {
        Size::Full => Shape::Full,
        Size::Mini => Shape::Mini,
        Size::Valkey => Shape::Valkey,
        Size::Nats => Shape::Nats,
        Size::Neo4j => Shape::Neo4j,
        Size::Clickhouse => Shape::Clickhouse,
        Size::Milvus => Shape::Milvus,
    };
    let testbed = Testbed::kept(&arguments.project, shape);
    let begun = Instant::now();
    match &arguments.verb {
        Verb::Up { seeded: true } => testbed.up_seeded()?,
        Verb::Up { seeded: false } => testbed.up()?,
        Verb::Down => testbed.down()?,
        Verb::Seed { scale } => testbed.seed(*scale)?,
        Verb::Tick => println!("tick {}", testbed.tick()?),
        Verb::State { save } => state(&testbed, save.as_deref())?,
        Verb::Wreck => testbed.wreck()?,
        Verb::Prove { against } => prove(&testbed, against)?,
        Verb::Dump { folder } => testbed.dump(folder)?,
        Verb::Reap => println!("removed: {}", listed(&reap()?)),
    }
    println!(
        "testbed {}: {} in {:.1} s",
        testbed.project(),
        arguments.verb.name(),
        begun.elapsed().as_secs_f32()
    );
    Ok(())
}

impl Verb {
    fn name(&self) -> &'static str {
        match self {
            Self::Up { .. } => "up",
            Self::Down => "down",
            Self::Seed { .. } => "seeded",
            Self::Tick => "ticked",
            Self::State { .. } => "looked at",
            Self::Wreck => "wrecked",
            Self::Prove { .. } => "proven",
            Self::Dump { .. } => "dumped",
            Self::Reap => "reaped",
        }
    }
}

/// What `state --save` writes and `prove` reads.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    truth: Truth,
    /// The witness's last stop in good order; none if it has not been stopped yet.
    witness_stopped_after: Option<u64>,
}

fn state(testbed: &Testbed, save: Option<&Path>) -> Result<()> {
    for c in testbed.containers()? {
        println!(
            "{:<15} {:<10} {:<15} started {}",
            c.service,
            format!("{:?}", c.status).to_lowercase(),
            c.restart_policy,
            c.started_at
        );
    }
    for (place, w) in at_rest(testbed)? {
        println!(
            "witness in {place}: tick {}, {}",
            w.last,
            if w.is_whole() { "whole" } else { "NOT WHOLE" }
        );
    }
    let Some(path) = save else { return Ok(()) };
    let saved = Saved::of(testbed)?;
    let text = serde_json::to_string_pretty(&saved).context("cannot write the state as JSON")?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("saved {} facts to {}", saved.truth.facts(), path.display());
    Ok(())
}

impl Saved {
    /// Everything that a restore must bring back. Taken after the backup: the witness's last stop is its standstill's.
    pub(crate) fn of(testbed: &Testbed) -> Result<Self> {
        Ok(Self {
            truth: testbed.truth()?,
            witness_stopped_after: testbed.witness_log_last_stop()?,
        })
    }
}

/// So many differences tell enough.
const SHOWN: usize = 40;

fn prove(testbed: &Testbed, against: &Path) -> Result<()> {
    let text = fs::read_to_string(against).with_context(|| format!("cannot read {}", against.display()))?;
    let saved: Saved =
        serde_json::from_str(&text).with_context(|| format!("{} is no saved state", against.display()))?;
    prove_against(testbed, &saved)
}

/// Fails, naming what differs, unless the platform is what was saved.
pub(crate) fn prove_against(testbed: &Testbed, saved: &Saved) -> Result<()> {
    let mut wrong = saved.truth.differences(&testbed.truth()?);
    wrong.extend(witness_faults(saved, testbed)?);
    if !wrong.is_empty() {
        let more = wrong.len().saturating_sub(SHOWN);
        wrong.truncate(SHOWN);
        let tail = if more > 0 {
            format!("\n  … and {more} more")
        } else {
            String::new()
        };
        bail!("the platform is not what it was:\n  {}{tail}", wrong.join("\n  "));
    }
    println!(
        "{} facts are as they were: {} databases of PostgreSQL row for row, {} places of other stores key for key and message for message",
        saved.truth.facts(),
        saved.truth.databases.len(),
        saved.truth.places.len()
    );
    Ok(())
}

/// The witness resumes only where all its stores agree: that tick must be the one of the standstill.
fn witness_faults(saved: &Saved, testbed: &Testbed) -> Result<Vec<String>> {
    let torn = |(place, w): (String, WitnessState)| (!w.is_whole()).then(|| format!("witness in {place}: {w:?}"));
    let states = at_rest(testbed)?;
    let ticks: BTreeSet<_> = states.values().map(|state| state.last).collect();
    let mut faults: Vec<_> = states.into_iter().filter_map(torn).collect();
    if ticks.len() > 1 {
        faults.push(format!("witness: the stores show the ticks {ticks:?}"));
    }
    let Some(stop) = saved.witness_stopped_after else {
        faults.push("witness: the saved state knows of no standstill (save it after the backup)".to_owned());
        return Ok(faults);
    };
    match testbed.witness_log_last_resume()? {
        Some(resumed) if resumed == stop => println!("witness: every store was at tick {stop}, the standstill's"),
        resumed => faults.push(format!(
            "witness: resumed after tick {resumed:?}, the standstill was after tick {stop}"
        )),
    }
    Ok(faults)
}

/// What the stores show between two ticks, all at the same.
fn at_rest(testbed: &Testbed) -> Result<BTreeMap<String, WitnessState>> {
    // One that does not run rests anyway.
    let resting = testbed.rest().is_ok();
    let states = testbed.witness();
    if resting {
        testbed.go_on()?;
    }
    states
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}
