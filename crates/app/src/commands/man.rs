//! `stillpoint man`.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man;
use stillpoint_core::engine::errors::Exit;

use super::CommandLine;
use crate::display::print;
use crate::failure::Failure;
use crate::wiring::VERSION;

/// Print the manual page, or write one for each command
///
/// To read it: `stillpoint man | man -l -`. To install all: `stillpoint man --output /usr/local/share/man/man1`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Write a page for each command into this directory, which must be there; pages of these names are replaced
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let command = CommandLine::command().version(VERSION);
    if let Some(directory) = &args.output {
        clap_mangen::generate_to(command, directory).map_err(|error| {
            Failure::usage(
                format!("the pages cannot be written to {}: {error}", directory.display()),
                "name a directory that is there and that this user may write",
            )
        })?;
        return Ok(Exit::Ok);
    }
    let mut page = Vec::new();
    let rendered = Man::new(command).render(&mut page);
    rendered.map_err(|error| Failure::usage(format!("no page can be made: {error}"), "tell its makers"))?;
    print::bytes(&page);
    Ok(Exit::Ok)
}
