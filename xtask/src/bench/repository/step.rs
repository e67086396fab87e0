//! One measurement, in a process of its own: `xtask bench-step`. It prints its figures as one line of JSON,
//! and nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use stillpoint_testkit::seaweed::Seaweed;

use super::super::process;
use super::{crowd, listing, stream};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// Write as many manifests as asked
    Seed,
    /// List them
    List,
    /// Write an object of so many bytes
    Write,
    /// Read it
    Read,
    /// Write many small objects and one of so many bytes, all at once
    Crowd,
}

/// By whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// The product's own code
    Stillpoint,
    /// `object_store`, and nothing around it
    Bare,
}

/// What was asked of a measurement.
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    #[arg(long)]
    pub(super) endpoint: String,
    #[arg(long)]
    pub(super) prefix: String,
    /// Backups or bytes
    #[arg(long)]
    pub(super) count: u64,
}

#[derive(Args)]
pub(crate) struct Step {
    #[arg(value_enum)]
    work: Work,
    #[arg(long, value_enum)]
    by: By,
    #[command(flatten)]
    asked: Asked,
}

/// What a measurement came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// From the first request to the last answer.
    pub(super) seconds: f64,
    /// Seconds on a processor, in all of the process's life.
    pub(super) processor: f64,
    /// The most that was resident, in bytes.
    pub(super) memory: u64,
}

/// The measuring program: optimised, whatever this one is.
pub(super) fn program(target: &Path) -> Result<PathBuf> {
    let program = target.join("release/xtask");
    if !program.is_file() {
        bail!(
            "{} is not there: cargo build --release --locked -p xtask",
            program.display()
        );
    }
    Ok(program)
}

impl Asked {
    pub(super) fn of(server: &Seaweed, prefix: &str, count: u64) -> Self {
        Self {
            endpoint: server.endpoint(),
            prefix: prefix.to_owned(),
            count,
        }
    }

    /// In a new process.
    pub(super) fn measure(&self, xtask: &Path, work: Work, by: By) -> Result<Figures> {
        let name = |value: Option<clap::builder::PossibleValue>| value.map(|value| value.get_name().to_owned());
        let output = Command::new(xtask)
            .arg("bench-step")
            .args(name(work.to_possible_value()))
            .arg("--by")
            .args(name(by.to_possible_value()))
            .args(["--endpoint", &self.endpoint, "--prefix", &self.prefix])
            .args(["--count", &self.count.to_string()])
            .output()
            .with_context(|| format!("cannot run {}", xtask.display()))?;
        if !output.status.success() {
            bail!("{work:?} by {by:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("{work:?} by {by:?} told no figures"))
    }
}

/// Measures, and prints the figures.
pub(crate) fn run(step: &Step) -> Result<()> {
    // As many workers as the product has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let begun = Instant::now();
    runtime.block_on(act(step))?;
    let seconds = begun.elapsed().as_secs_f64();
    let own = std::process::id();
    let figures = Figures {
        seconds,
        processor: process::processor_time(own).as_secs_f64(),
        memory: process::memory(own).peak,
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

async fn act(step: &Step) -> Result<()> {
    let asked = &step.asked;
    match (step.work, step.by) {
        (Work::Seed, _) => listing::seed(asked).await,
        (Work::List, By::Stillpoint) => listing::list(asked).await,
        (Work::List, By::Bare) => listing::list_bare(asked).await,
        (Work::Write, By::Stillpoint) => stream::write(asked).await,
        (Work::Write, By::Bare) => stream::write_bare(asked).await,
        (Work::Read, By::Stillpoint) => stream::read(asked).await,
        (Work::Read, By::Bare) => stream::read_bare(asked).await,
        (Work::Crowd, _) => crowd::write(asked).await,
    }
}
