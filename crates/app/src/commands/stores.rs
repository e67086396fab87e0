//! `stillpoint stores ls` and `check`.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::stores::{CheckedStore, KnownStore, Stores};
use stillpoint_core::names::StoreName;
use stillpoint_core::operations::Operations;

use super::{order, table};
use crate::config::Config;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::wiring;

/// Look at the platform's stores; changes nothing
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List the stores that a backup holds; opens none of them
    Ls,
    /// Open stores as a backup does before it stops anything: reachable, credential accepted, tools there
    ///
    /// Nothing is stopped and nothing is written. Ends with 12 if one of them could not be backed up.
    Check {
        /// Their names, as `stillpoint stores ls` shows them [default: all]
        #[arg(value_name = "STORE", value_parser = |name: &str| Ok::<_, std::convert::Infallible>(StoreName::new(name)))]
        stores: Vec<StoreName>,
    },
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    match command {
        Command::Ls => {
            let stores = operations.stores(config.project().as_ref()).await?;
            if config.json {
                print::document(&stores);
            } else {
                list(&stores);
            }
            Ok(Exit::Ok)
        }
        Command::Check { stores } => {
            let display = Display::start(config.form());
            let checked = operations.check_stores(stores, order(config, &display)).await;
            display.finish();
            let checked = checked?;
            if config.json {
                print::document(&checked);
            } else {
                tell(&checked);
            }
            let all = checked.stores.iter().all(|store| store.ok);
            Ok(if all { Exit::Ok } else { Exit::Preflight })
        }
    }
}

fn list(stores: &Stores<KnownStore>) {
    print::line(&format!("Platform {}", stores.platform));
    let mut rows = table(&["STORE", "KIND", "CONTAINER", "NOW", "MODE", "IMAGE"]);
    for store in &stores.stores {
        rows.add_row([
            store.store.to_string(),
            store.kind.to_string(),
            store.container.clone(),
            store.state.to_string(),
            store.mode.to_string(),
            store.image.clone(),
        ]);
    }
    print::line(&rows.to_string());
}

fn tell(checked: &Stores<CheckedStore>) {
    print::line(&format!("Platform {}", checked.platform));
    let mut rows = table(&["STORE", "KIND", "CONTAINER", "CHECK", "VERSION", "DATA"]);
    for store in &checked.stores {
        let known = &store.known;
        let size = store.bytes.map(|bytes| format!("about {}", words::bytes(bytes)));
        rows.add_row([
            known.store.to_string(),
            known.kind.to_string(),
            known.container.clone(),
            if store.ok { "ok" } else { "FAILED" }.to_owned(),
            store.version.clone().unwrap_or_default(),
            size.unwrap_or_default(),
        ]);
    }
    print::line(&rows.to_string());
    for store in &checked.stores {
        if store.findings.is_empty() {
            continue;
        }
        print::line(&format!("\n{}:", store.known.store));
        for finding in &store.findings {
            print::line(&finding.to_string());
        }
    }
    let failed = checked.stores.iter().filter(|store| !store.ok).count();
    let said = match failed {
        0 => "Every store can be backed up.".to_owned(),
        _ => format!(
            "{failed} of {} stores could not be backed up: see above.",
            checked.stores.len()
        ),
    };
    print::line(&format!("\n{said}"));
}
