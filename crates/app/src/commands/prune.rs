//! `stillpoint prune`.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::operations::{Operations, Order};

use super::{Handing, carry_out, order};
use crate::config::Config;
use crate::display::{Display, print};
use crate::failure::Failure;
use crate::jobs::prune_report;
use crate::wiring;

/// Delete backups past retention, and what dead runs have left
///
/// The same happens at the end of every backup. Complete backups stay for `BACKUP_RETENTION_DAYS`, and so
/// many of them however old as `BACKUP_MINIMUM_KEEP` says; of days, weeks, months and years one each, as `BACKUP_KEEP_DAILY` and the
/// like say. The newest always stays.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Only say what would go, and why
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    handing: Handing,
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    if !args.dry_run {
        return carry_out(config, &operations, Order::Prune, config.project(), args.handing).await;
    }
    let display = Display::start(config.form());
    let pruned = operations.prune(true, order(config, &display)).await;
    display.finish();
    let pruned = pruned?;
    if config.json {
        print::document(&pruned);
    } else {
        print::line(&prune_report(&pruned, true).join("\n"));
    }
    Ok(Exit::Ok)
}
