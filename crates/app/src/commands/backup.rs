//! `stillpoint backup`.

use stillpoint_core::engine::backup::Sealed;
use stillpoint_core::errors::Exit;
use stillpoint_core::manifest::CLIENTS_WAITED;
use stillpoint_core::operations::Operations;

use super::{look_at_labels, order};
use crate::config::Config;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::watchdog::Watchdog;
use crate::wiring;

/// Back up the platform at one point in time
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// How the clients are kept away while the stores are copied
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Default)]
enum Mode {
    /// Clients stay down until every store is copied
    #[default]
    Hold,
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<Exit, Failure> {
    let Mode::Hold = args.mode;
    let operations = wiring::operations(config).await?;
    look_at_labels(config, &operations).await;
    let watchdog = Watchdog::start(config);
    let display = Display::start(config.json);
    let sealed = operations.backup(order(config, &display)).await;
    display.finish();
    watchdog.dismiss();
    let sealed = sealed?;
    if config.json {
        print::document(&sealed);
    } else {
        summary(&sealed);
    }
    Ok(if sealed.degraded.is_empty() {
        Exit::Ok
    } else {
        Exit::Degraded
    })
}

fn summary(sealed: &Sealed) {
    let manifest = &sealed.manifest;
    print::line(&format!(
        "Backup {} of {} is complete: {} in {} artifacts ({}).",
        manifest.id,
        manifest.platform,
        words::bytes(manifest.size()),
        manifest.artifacts().count(),
        words::local(manifest.id.timestamp()),
    ));
    for store in &manifest.stores {
        if let Some(waited) = store.facts.get(CLIENTS_WAITED) {
            print::line(&format!(
                "Clients of {} waited while it was copied: {waited}.",
                store.name
            ));
        }
    }
    for degraded in &sealed.degraded {
        print::line(&format!("The backup is good, but {degraded}."));
    }
}
