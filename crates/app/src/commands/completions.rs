//! `stillpoint completions`.

use clap::CommandFactory;
use clap_complete::Shell;
use stillpoint_core::engine::errors::Exit;

use super::CommandLine;
use crate::display::print;

/// Print what lets a shell complete commands and options
///
/// For bash: `stillpoint completions bash > /etc/bash_completion.d/stillpoint`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut CommandLine::command(), "stillpoint", &mut script);
    print::bytes(&script);
    Exit::Ok
}
