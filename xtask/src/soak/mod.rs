//! `cargo xtask soak`: what takes too long for CI, on platforms of real engines: many deaths at random moments, one
//! artifact that is larger than any memory, many backups among what is harmless, stores that are large. Its last
//! report is committed.

mod deaths;
mod grammar;
mod large;
mod moments;
mod regression;
mod restarts;
mod sections;
mod watermarks;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::bench::{self, repository};

/// What can be done by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Many deaths
    Deaths,
    /// One large artifact
    Artifact,
    /// Many backups while nobody writes and much else happens
    Watermarks,
    /// Large stores
    Large,
    /// Backups at random moments of a witness that ticks by itself, each of them restored
    Moments,
    /// Many deaths beside a client that is started again by its restart policy every few seconds
    Restarts,
    /// The benchmark with 20 GB
    Downtime,
    /// Random PostgreSQL servers from a grammar of the awkward, backed up and restored
    Grammar,
    /// PostgreSQL's own regression database, backed up and restored; only with --regression
    Regression,
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// Do this alone
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
    /// The size of the large artifact, in GiB; the engine's disk must have room for it
    #[arg(long, default_value_t = 20)]
    artifact: u64,
    /// How many runs are killed, and how many backups come at random moments
    #[arg(long, default_value_t = 30)]
    rounds: u32,
    /// The same seed kills at the same moments, as far as the machine is as fast
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many backups are made among what is harmless
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    standstills: u32,
    /// Of the large stores, this alone
    #[arg(long, value_enum, value_name = "LOAD")]
    load: Option<large::Load>,
    /// The size of the platform whose downtime is measured: 100 is about 2 GB
    #[arg(long, default_value_t = 1_000)]
    scale: u32,
    /// How many minutes random servers are tried
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// PostgreSQL's `src/test/regress`, of the version of the testbed's server
    #[arg(long, value_name = "DIRECTORY", env = "REGRESSION")]
    regression: Option<PathBuf>,
    /// Also write the report here; what it says of parts that are not done now stays
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// A part by its heading, and what does it.
type Task = (Part, &'static str, fn(&Arguments) -> Result<String>);

const TASKS: [Task; 9] = [
    (Part::Deaths, "Deaths", |arguments| {
        deaths::soak(arguments.rounds, arguments.seed)
    }),
    (Part::Artifact, "A large artifact", |arguments| {
        repository::large(arguments.artifact)
    }),
    (Part::Watermarks, "Harmless things in the standstill", |arguments| {
        watermarks::soak(arguments.standstills)
    }),
    (Part::Large, "Large stores", |arguments| large::soak(arguments.load)),
    (Part::Moments, "Random moments", |arguments| {
        moments::soak(arguments.rounds, arguments.seed)
    }),
    (Part::Restarts, "A client that restarts by itself", |arguments| {
        restarts::soak(arguments.rounds, arguments.seed)
    }),
    (Part::Downtime, "20 GB", |arguments| downtime(arguments.scale)),
    (Part::Grammar, "Random servers", |arguments| {
        grammar::soak(Duration::from_secs(arguments.minutes * 60), arguments.seed)
    }),
    (Part::Regression, "PostgreSQL's own regression database", |arguments| {
        let folder = arguments.regression.as_deref();
        regression::soak(folder.context("--regression says where PostgreSQL's src/test/regress is")?)
    }),
];

/// What one part breaks does not keep the others from being done, nor from being reported.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut broken = Vec::new();
    for (part, heading, act) in TASKS {
        let unasked = part == Part::Regression && arguments.regression.is_none();
        if arguments.only.map_or(unasked, |only| only != part) {
            continue;
        }
        match act(arguments) {
            Ok(text) => tell(heading, &text, arguments.report.as_deref())?,
            Err(error) => broken.push(format!("{heading}: {error:#}")),
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}", broken.join("\n"))
}

/// A limit that is broken fails the part, and its figures are shown all the same.
fn downtime(scale: u32) -> Result<String> {
    let (report, broken) = bench::large_platform(scale)?;
    if broken.is_empty() {
        return Ok(report);
    }
    bail!("{}\n{report}", broken.join("; "))
}

fn tell(heading: &str, text: &str, report: Option<&Path>) -> Result<()> {
    println!("\n## {heading}\n\n{text}");
    let Some(path) = report else { return Ok(()) };
    let before = std::fs::read_to_string(path).unwrap_or_default();
    let order = TASKS.map(|(_, heading, _)| heading);
    let after = sections::with(&before, "Soak", &order, heading, text);
    std::fs::write(path, after).with_context(|| format!("cannot write {}", path.display()))
}

/// A folder of this process for what the product keeps.
fn folder(name: &str) -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("stillpoint-soak-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// The product, beside our own program.
fn program() -> Result<String> {
    let own = std::env::current_exe().context("cannot find our own program")?;
    Ok(own.with_file_name("stillpoint").to_string_lossy().into_owned())
}
