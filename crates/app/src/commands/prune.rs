//! `stillpoint prune`.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::prune::Pruned;
use stillpoint_core::operations::Operations;

use super::{order, table};
use crate::config::Config;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::wiring;

/// Delete backups past retention, and what dead runs have left
///
/// The same happens at the end of every backup. Complete backups stay for `BACKUP_RETENTION_DAYS`, and so
/// many of them however old as `BACKUP_MINIMUM_KEEP` says; the newest always stays.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Only say what would go, and why
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    let display = Display::start(config.json);
    let pruned = operations.prune(args.dry_run, order(config, &display)).await;
    display.finish();
    let pruned = pruned?;
    if config.json {
        print::document(&pruned);
    } else {
        report(&pruned, args.dry_run);
    }
    Ok(Exit::Ok)
}

fn report(pruned: &Pruned, dry_run: bool) {
    let mut rows = table(&["ID (UTC)", "LOCAL TIME", "WHAT IT IS", "", "WHY"]);
    for verdict in &pruned.plan.verdicts {
        rows.add_row([
            verdict.id.to_string(),
            words::local(verdict.id.timestamp()),
            verdict.standing.to_string(),
            verdict.fate.to_string(),
            verdict.reason.to_string(),
        ]);
    }
    if !pruned.plan.verdicts.is_empty() {
        print::line(&rows.to_string());
    }
    for id in &pruned.foreign {
        print::line(&format!("{id} is not marked as ours: left alone"));
    }
    print::line(&if dry_run {
        format!("{} would go; nothing was deleted.", pruned.plan.gone().count())
    } else {
        let held = match pruned.locked.len() {
            0 => String::new(),
            held => format!(" {held} would go and cannot be deleted."),
        };
        format!("{} deleted.{held}", pruned.gone.len())
    });
}
