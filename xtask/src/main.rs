//! Tasks around the product, for people and for the Makefile: `cargo xtask --help`. Nothing here ships.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task's output is its job")]

mod bench;
mod testbed;

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
    /// The platform of real engines that demo, tests and measurements use
    Testbed(testbed::Arguments),
    /// Measure Stillpoint against the classic script, side by side
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Testbed(arguments) => testbed::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
