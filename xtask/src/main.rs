//! Tasks around the product, for people and for the Makefile: `cargo xtask --help`. Nothing here ships.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task's output is its job")]

mod bench;
mod book;
mod check;
mod circles;
mod demo;
mod soak;
mod testbed;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks around Stillpoint")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Back up, wreck, restore and prove a platform of real engines, with explanations
    Demo(demo::Arguments),
    /// Everything that CI checks; ends with `N passed, N failed`
    Check,
    /// Kill many runs at random moments; after each, everything must be as before
    Soak(soak::Arguments),
    /// The house rules that a program can check
    Tidy,
    /// Write the manifest's JSON Schema anew
    Schema,
    /// The platform of real engines that demo, tests and measurements use
    Testbed(testbed::Arguments),
    /// Measure Stillpoint against the classic script, and its S3 repository against bare requests
    Bench(bench::Arguments),
    /// One measurement of the benchmark, in a process of its own
    #[command(hide = true)]
    BenchStep(bench::repository::Step),
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let outcome = match Arguments::parse().task {
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Check => check::run(root),
        Task::Soak(arguments) => soak::run(&arguments),
        Task::Tidy => tidy::run(root),
        Task::Schema => tidy::write_schema(root),
        Task::Testbed(arguments) => testbed::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::BenchStep(step) => bench::repository::measure(&step),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
