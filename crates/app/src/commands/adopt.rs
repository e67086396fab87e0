//! `stillpoint adopt`.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::Operations;

use super::{look_at_stores, order};
use crate::config::Config;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::wiring;

/// Take over a backup that another tool made in the same layout
///
/// Its artifacts are read to their ends by the stores' own tools, hashed, and described in a manifest. From
/// then on it is a backup as any other. What a run of Stillpoint left unfinished is refused.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The directory's name: a moment in UTC, as 2026-02-17_00-00-00
    backup: BackupId,
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    look_at_stores(config, &operations).await?;
    let display = Display::start(config.form());
    let adopted = operations.adopt(args.backup, order(config, &display)).await;
    display.finish();
    let manifest = adopted?;
    if config.json {
        print::document(&manifest);
    } else {
        print::line(&format!(
            "Backup {} of {} is adopted: {} in {} artifacts.",
            manifest.id,
            manifest.platform,
            words::bytes(manifest.size()),
            manifest.artifacts().count(),
        ));
    }
    Ok(Exit::Ok)
}
