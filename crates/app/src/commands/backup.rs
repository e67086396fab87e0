//! `stillpoint backup`.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::manifest::Mode;
use stillpoint_core::operations::Order;

use super::{Handing, carry_out, dry_run, look_at_stores};
use crate::config::Config;
use crate::failure::Failure;
use crate::wiring;

/// Back up the platform at one point in time
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// When the clients start again [default: `pin`, or what `BACKUP_MODE` says]
    #[arg(long, value_enum)]
    mode: Option<When>,

    /// Show what it would do, what is in its way, and how long it will take by earlier ones; change nothing
    ///
    /// Ends with 12 if the backup would be refused.
    #[arg(long, conflicts_with = "detach")]
    dry_run: bool,

    #[command(flatten)]
    handing: Handing,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum When {
    /// As soon as every store's point in time is fixed: they run while the stores are copied
    Pin,
    /// When the last byte was read
    Hold,
}

impl From<When> for Mode {
    fn from(when: When) -> Self {
        match when {
            When::Pin => Self::Pin,
            When::Hold => Self::Hold,
        }
    }
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    let mode = args.mode.map(Mode::from);
    if args.dry_run {
        return dry_run::run(config, mode, &operations).await;
    }
    look_at_stores(config, &operations).await?;
    let order = Order::Backup { mode };
    carry_out(config, &operations, order, config.project(), args.handing).await
}
