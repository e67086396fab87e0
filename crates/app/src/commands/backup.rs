//! `stillpoint backup`.

use stillpoint_core::engine::backup::Sealed;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::manifest::{CLIENTS_WAITED, Manifest, Mode, StoreRecord};
use stillpoint_core::operations::Operations;

use super::{left_out, look_at_stores, order};
use crate::config::Config;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::watchdog::Watchdog;
use crate::wiring;

/// Back up the platform at one point in time
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// When the clients start again [default: `pin`, or what `BACKUP_MODE` says]
    #[arg(long, value_enum)]
    mode: Option<When>,
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
    look_at_stores(config, &operations).await?;
    let watchdog = Watchdog::start(config);
    let display = Display::start(config.json);
    let sealed = operations
        .backup(args.mode.map(Mode::from), order(config, &display))
        .await;
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
    if let Some(window) = &manifest.standstill {
        print::line(&format!("Clients were down for {}.", words::span(window.down())));
    }
    if let Some(shares) = shares(manifest) {
        print::line(&shares);
    }
    for store in &manifest.stores {
        if let Some(waited) = store.facts.get(CLIENTS_WAITED) {
            print::line(&format!(
                "Clients of {} waited while it was copied: {waited}.",
                store.name
            ));
        }
    }
    left_out::show(&manifest.workloads);
    for degraded in &sealed.degraded {
        print::line(&format!("The backup is good, but {degraded}."));
    }
}

/// What each store's pin took, the longest first: stores are pinned side by side while the clients are down.
fn shares(manifest: &Manifest) -> Option<String> {
    let took = |store: &StoreRecord| store.took.map(|took| (took.pin, store.name.clone()));
    let mut shares: Vec<_> = manifest.stores.iter().filter_map(took).collect();
    shares.sort_by(|a, b| b.cmp(a));
    let told = shares
        .iter()
        .map(|(pin, store)| format!("{store} {}", words::seconds(*pin)));
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("Of that, stores were pinned side by side: {}.", told.join(", ")))
}
