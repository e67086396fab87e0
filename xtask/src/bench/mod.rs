//! `cargo xtask bench`: Stillpoint, the classic script (`benches/classic/`) and a bare stop and start of the same clients on the same
//! platform in the same run; and the S3 repository against the bare requests (`repository`).
//! Times alone are figures: they are the machine's as much as the program's. Limits are memory, temporary disk, and times against
//! each other.

pub(crate) mod alone;
mod by_itself;
mod contest;
mod downtime;
mod figures;
mod maintenance;
mod phases;
mod platform;
mod process;
mod report;
pub(crate) mod repository;
mod sampler;
mod service;
mod stores;
mod tool;
mod usage;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use stillpoint_testkit::testbed::{Shape, Testbed};

use contest::{Contest, Results};
use platform::Setting;

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Backups and restores against the classic script
    Platform,
    /// Large stores that the classic script does not know, each by itself
    Stores,
    /// The S3 repository against bare requests
    Repository,
    /// The service's pages with a history of 10,000 runs
    Service,
    /// Maintenance of a database of Dagster with three million rows
    Maintenance,
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// Measure this alone
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
    #[command(flatten)]
    repository: repository::Arguments,
    /// The sizes of the data, each on a platform of its own: 1 is a few megabytes, 100 about 2 GB
    #[arg(long = "scale", default_values_t = [10, 100], value_delimiter = ',', env = "SCALE")]
    scales: Vec<u32>,
    /// How many backups are made in each way, by turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many restores Stillpoint and the scripts make each
    #[arg(long, default_value_t = 1)]
    restores: u32,
    /// The program to measure [default: `release/stillpoint` beside our own profile's directory]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// What is done on one platform.
#[derive(Clone, Copy, Debug)]
struct Course {
    scale: u32,
    rounds: u32,
    restores: u32,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let target = target_directory()?;
    let program = arguments.program.clone().map_or_else(|| product(&target), Ok)?;
    let folder = target.join("bench");
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    // What one part breaks does not keep the others from being measured.
    let platform = wanted(Part::Platform).then(|| on_platform(arguments, &program, &folder));
    let stores = wanted(Part::Stores).then(|| on_stores(&program, &folder));
    let repository = wanted(Part::Repository).then(|| repository::run(&arguments.repository, &program, &folder));
    let service = wanted(Part::Service).then(|| on_service(&program, &folder));
    let maintenance = wanted(Part::Maintenance).then(|| on_maintenance(&program, &folder));
    let ended = [platform, stores, repository, service, maintenance];
    ended.into_iter().flatten().collect()
}

fn on_stores(program: &Path, folder: &Path) -> Result<()> {
    clear(&folder.join("work"))?;
    let (report, mut broken) = stores::run(program, folder)?;
    println!("\n{report}");
    let (by_itself, also_broken) = by_itself::run(program, folder)?;
    println!("\n{by_itself}");
    broken.extend(also_broken);
    let report = format!("{report}\n{by_itself}");
    let path = folder.join("stores.md");
    fs::write(&path, report).with_context(|| format!("cannot write {}", path.display()))?;
    println!("written to {}", path.display());
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}", broken.join("; "))
}

fn on_service(program: &Path, folder: &Path) -> Result<()> {
    clear(&folder.join("work"))?;
    let (report, broken) = service::run(program, folder)?;
    println!("\n{report}");
    let path = folder.join("service.md");
    fs::write(&path, report).with_context(|| format!("cannot write {}", path.display()))?;
    println!("written to {}", path.display());
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}", broken.join("; "))
}

fn on_maintenance(program: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let (report, broken) = maintenance::run(program)?;
    println!("\n{report}");
    let path = folder.join("maintenance.md");
    fs::write(&path, report).with_context(|| format!("cannot write {}", path.display()))?;
    println!("written to {}", path.display());
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}", broken.join("; "))
}

fn on_platform(arguments: &Arguments, program: &Path, folder: &Path) -> Result<()> {
    let (mut reports, mut broken) = (Vec::new(), Vec::new());
    for scale in &arguments.scales {
        let course = Course {
            scale: *scale,
            rounds: arguments.rounds,
            restores: arguments.restores,
        };
        let (setting, results) = measure(course, program, folder)?;
        let report = report::write(&setting, &results);
        println!("\n{report}");
        reports.push(report);
        let limits = results.broken_limits().into_iter();
        broken.extend(limits.map(|limit| format!("scale {scale}: {limit}")));
    }
    let path = folder.join("report.md");
    fs::write(&path, reports.join("\n")).with_context(|| format!("cannot write {}", path.display()))?;
    println!("written to {}", path.display());
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}", broken.join("; "))
}

/// For the soak: backups of a platform of that scale, one in each way, and whether all limits were kept.
pub(crate) fn large_platform(scale: u32) -> Result<(String, Vec<String>)> {
    let course = Course {
        scale,
        rounds: 1,
        restores: 0,
    };
    let target = target_directory()?;
    let (setting, results) = measure(course, &product(&target)?, &target.join("bench"))?;
    Ok((report::write(&setting, &results), results.broken_limits()))
}

/// On a platform of its own, which is gone afterwards unless something failed. Its witness ticks by itself.
fn measure(course: Course, program: &Path, folder: &Path) -> Result<(Setting, Results)> {
    let testbed = Testbed::for_test("bench", Shape::Classic)?.auto();
    let mut outcome = None;
    clear(&folder.join("work"))?;
    testbed.examined(|testbed| {
        say(&format!(
            "{}: up and seeding, scale {}",
            testbed.project(),
            course.scale
        ));
        testbed.up()?;
        testbed.seed(course.scale)?;
        let setting = Setting::of(testbed, course, program)?;
        let contest = Contest::new(testbed, program, folder)?;
        outcome = Some((setting, contest.hold(course)?));
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
