//! The repository part of the benchmark: what S3 costs through Stillpoint, against the bare requests of the
//! same crate to the same server. Here times are limits, but only as ratios of two measurements that took
//! turns. Each measurement is a process of its own, so that its memory is that of the repository alone.

mod contest;
mod crowd;
mod listing;
mod report;
mod results;
mod sides;
mod source;
mod step;
mod stream;

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use stillpoint_testkit::seaweed::Seaweed;

pub(super) use results::hold_memory;
pub(crate) use source::Source;
pub(crate) use step::{Step, run as measure};

use super::{say, target_directory};
use contest::Contest;
use step::{Asked, By, Work};

#[derive(Args)]
#[group(id = "repository")]
pub(crate) struct Arguments {
    /// How often each measurement of the repository is made; each side begins every second time
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    repository_rounds: u32,
    /// How many backups are listed
    #[arg(long, default_value_t = 5_000)]
    listed: u64,
    /// How long the stream is, in MiB
    #[arg(long, default_value_t = 2_048)]
    stream: u64,
}

const MIB: u64 = 1 << 20;

/// Measures, and writes its report to `folder`. Fails if a limit is broken.
pub(super) fn run(arguments: &Arguments, program: &Path, folder: &Path) -> Result<()> {
    let contest = Contest::new(program, folder)?;
    let results = contest.hold(arguments)?;
    let report = report::write(arguments, &results);
    let path = folder.join("repository.md");
    std::fs::write(&path, &report).with_context(|| format!("cannot write {}", path.display()))?;
    println!("\n{report}\nwritten to {}", path.display());
    let broken = results.broken_limits();
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}", broken.join("; "))
}

/// For the soak: one artifact of so many GiB. Its paragraph for the report; fails above the limit.
pub(crate) fn large(gibibytes: u64) -> Result<String> {
    let xtask = step::program(&target_directory()?)?;
    let mut measured = None;
    say(&format!("one artifact of {gibibytes} GiB"));
    Seaweed::start_roomy()?.examined(|server| {
        let asked = Asked::of(server, "large", gibibytes << 30);
        measured = Some(asked.measure(&xtask, Work::Write, By::Stillpoint)?);
        Ok(())
    })?;
    let measured = measured.context("the artifact was not written")?;
    hold_memory("one large artifact", measured.memory)?;
    Ok(report::large(gibibytes, &measured))
}
