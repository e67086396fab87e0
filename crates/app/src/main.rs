//! `stillpoint`, the program: reads the command line, wires the ports, calls one use case, shows its
//! events, and ends with the exit code of the table in `stillpoint_core::engine::errors`.
//!
//! No rule lives here: what may be stopped, overwritten or counted is decided in the core.

mod commands;
mod config;
mod diagnostics;
mod display;
mod doctor;
mod failure;
mod interrupt;
mod jobs;
mod metrics;
mod notices;
mod operator;
mod options;
mod repository;
mod service;
mod usual;
mod watchdog;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command_line = commands::CommandLine::parse();
    let json = command_line.options.json;
    // Before anything is set up that a process needs which does something: until then it is as small as a process can be.
    if command_line.is_watchdog() && watchdog::was_dismissed() {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(wiring::processors().max(2))
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(command_line)),
        Err(error) => Err(failure::Failure::Usage {
            what: format!("no runtime: {error}"),
            hint: String::new(),
        }),
    };
    match outcome {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => failure.show(json),
    }
}
