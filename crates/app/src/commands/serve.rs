//! `stillpoint serve`.

use stillpoint_core::engine::errors::Exit;

use crate::config::Config;
use crate::failure::Failure;
use crate::service;

/// Run the service: begins backups by their schedule, lines up what commands ask for, and does it
///
/// It brings back first what runs that died left stopped. Told to end (SIGTERM, Ctrl-C), it begins nothing more and lets
/// what is at work go on for `STILLPOINT_GRACE_SECONDS`; then it is undone.
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) async fn run(config: &Config, _: &Args) -> Result<Exit, Failure> {
    Box::pin(service::serve(config)).await
}
