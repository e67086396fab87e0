//! `stillpoint verify`.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::operations::{Operations, Order, Scope};

use super::which::{Moment, Named};
use super::{Handing, carry_out};
use crate::config::Config;
use crate::failure::Failure;
use crate::wiring;

/// Read backups to their last byte and compare them with their manifests
///
/// Where the platform runs, its stores' own tools read along: a dump that was broken when it was made
/// has the right hash. The outcome is written beside the backup; one that is damaged no longer counts
/// for retention.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    handing: Handing,
}

#[derive(clap::Args, Debug)]
#[group(multiple = false)]
struct Which {
    /// The backup's id, or `latest`
    #[arg(value_name = "ID|latest")]
    backup: Option<Named>,

    /// The last backup begun at this time or before, as `2026-02-17 08:00` or `2 days ago`
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,

    /// Every complete backup
    #[arg(long)]
    all: bool,

    /// Those not read for the longest time, up to this many bytes and at least one: run daily, it reads
    /// everything in turn [default, if nothing else is named: `BACKUP_VERIFY_DAILY_BYTES`]
    #[arg(long, value_name = "BYTES")]
    budget: Option<u64>,
}

impl Which {
    async fn scope(&self, config: &Config, operations: &impl Operations) -> Result<Scope, Failure> {
        let daily_bytes = config.verify.daily_bytes;
        match (self.backup, self.at, self.budget) {
            (Some(backup), _, _) => Ok(Scope::One(backup.id(config, operations, None).await?)),
            (None, Some(at), _) => Ok(Scope::One(at.id(config, operations, None).await?)),
            (None, None, Some(budget)) => Ok(Scope::Within(budget)),
            (None, None, None) if self.all => Ok(Scope::All),
            (None, None, None) if daily_bytes > 0 => Ok(Scope::Within(daily_bytes)),
            (None, None, None) => Err(Failure::usage(
                "nothing says which backup is to be read",
                "name one (`latest` is the newest), or say --all or --budget BYTES, or set BACKUP_VERIFY_DAILY_BYTES",
            )),
        }
    }
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    let scope = args.which.scope(config, &operations).await?;
    let order = Order::Verify { scope };
    carry_out(config, &operations, order, config.project(), args.handing).await
}
