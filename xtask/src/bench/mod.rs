//! `cargo xtask bench`: Stillpoint and the classic script (`benches/classic/`) on the same platform in the same run;
//! and the S3 repository against the bare requests (`repository`).
//! Times are figures, never limits: they are the machine's as much as the program's. Memory and temporary disk are limits.

pub(crate) mod alone;
mod contest;
mod downtime;
mod figures;
mod phases;
mod platform;
mod process;
mod report;
pub(crate) mod repository;
mod sampler;
mod tool;
mod usage;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use stillpoint_testkit::testbed::{Shape, Testbed, WitnessMode};

use contest::{Contest, Results};
use platform::Setting;

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Backups and restores against the classic script
    Platform,
    /// The S3 repository against bare requests
    Repository,
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// Measure this alone
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
    #[command(flatten)]
    repository: repository::Arguments,
    /// The size of the data: 1 is a few megabytes, 100 about 2 GB
    #[arg(long, default_value_t = 100, env = "SCALE")]
    scale: u32,
    /// How many backups each of the two makes, by turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many restores each of the two makes
    #[arg(long, default_value_t = 1)]
    restores: u32,
    /// The program to measure [default: `release/stillpoint` beside our own profile's directory]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let target = target_directory()?;
    let program = arguments.program.clone().map_or_else(|| product(&target), Ok)?;
    let folder = target.join("bench");
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    // What one part breaks does not keep the other from being measured.
    let platform = wanted(Part::Platform).then(|| on_platform(arguments, &program, &folder));
    let repository = wanted(Part::Repository).then(|| repository::run(&arguments.repository, &program, &folder));
    platform.unwrap_or(Ok(())).and(repository.unwrap_or(Ok(())))
}

fn on_platform(arguments: &Arguments, program: &Path, folder: &Path) -> Result<()> {
    let (setting, results) = measure(arguments, program, folder)?;
    let report = report::write(&setting, &results);
    let path = folder.join("report.md");
    fs::write(&path, &report).with_context(|| format!("cannot write {}", path.display()))?;
    println!("\n{report}\nwritten to {}", path.display());
    let broken = results.broken_limits();
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}", broken.join("; "))
}

/// On a platform of its own, which is gone afterwards unless something failed.
fn measure(arguments: &Arguments, program: &Path, folder: &Path) -> Result<(Setting, Results)> {
    let testbed = Testbed::for_test("bench", Shape::Full)?.with_witness(WitnessMode::Auto);
    let mut outcome = None;
    clear(&folder.join("work"))?;
    testbed.examined(|testbed| {
        say(&format!(
            "{}: up and seeding, scale {}",
            testbed.project(),
            arguments.scale
        ));
        testbed.up()?;
        testbed.seed(arguments.scale)?;
        let setting = Setting::of(testbed, arguments, program)?;
        let contest = Contest::new(testbed, program, folder)?;
        outcome = Some((setting, contest.hold(arguments.rounds, arguments.restores)?));
        Ok(())
    })?;
    clear(&folder.join("work"))?;
    outcome.context("the platform was not measured")
}

/// What a run that failed left is of gigabytes.
fn clear(work: &Path) -> Result<()> {
    if work.exists() {
        fs::remove_dir_all(work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    Ok(())
}

/// The optimised product.
fn product(target: &Path) -> Result<PathBuf> {
    let program = target.join("release/stillpoint");
    if program.is_file() {
        return Ok(program);
    }
    bail!(
        "{} is not there: cargo build --release --locked -p stillpoint",
        program.display()
    )
}

/// Two above our own program: `<target>/<profile>/xtask`.
fn target_directory() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find our own program")?;
    let target = own.ancestors().nth(2);
    target
        .map(Path::to_path_buf)
        .with_context(|| format!("{} stands in no target directory", own.display()))
}

fn say(line: &str) {
    println!("bench: {line}");
}
