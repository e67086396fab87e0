//! `stillpoint restore`.

use std::io::{BufRead, IsTerminal, Write};

use stillpoint_core::engine::restore::{Rehearsed, Restored, Selection};
use stillpoint_core::errors::Exit;
use stillpoint_core::names::{BackupId, StoreName};
use stillpoint_core::operations::{Operations, Restore};

use super::{order, table};
use crate::config::Config;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::watchdog::Watchdog;
use crate::wiring;

/// Replace the platform's data with a backup's
///
/// The backup is read to its last byte and compared with its manifest before anything is stopped.
/// A restore that fails after that leaves the platform stopped on purpose: run it again, or start
/// the platform as it is with `stillpoint containers start`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The backup's id, as `stillpoint backups ls` shows it
    backup: BackupId,

    /// The same id again, for scripts; without it the id is asked for
    #[arg(long, value_name = "ID")]
    confirm: Option<BackupId>,

    /// Restore this store alone; may be given more than once. The others are stopped with the rest and keep
    /// their data
    #[arg(long, value_name = "STORE", value_parser = |name: &str| Ok::<_, std::convert::Infallible>(StoreName::new(name)))]
    store: Vec<StoreName>,

    /// Restore what there is: also from what a failed run left, and also if the backup holds nothing of some
    /// stores, which then keep their data
    #[arg(long)]
    accept_partial: bool,

    /// Look whether it can succeed and say what it would do; change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    fn what(&self) -> Restore {
        Restore {
            backup: self.backup,
            selection: Selection {
                stores: self.store.clone(),
                accept_partial: self.accept_partial,
            },
        }
    }
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    if args.dry_run {
        return rehearse(config, args, &operations).await;
    }
    confirm(args)?;
    let watchdog = Watchdog::start(config);
    let display = Display::start(config.json);
    let restored = operations.restore(args.what(), order(config, &display)).await;
    display.finish();
    watchdog.dismiss();
    let restored = restored?;
    if config.json {
        print::document(&restored);
    } else {
        summary(&restored);
    }
    Ok(if restored.degraded.is_empty() {
        Exit::Ok
    } else {
        Exit::Degraded
    })
}

async fn rehearse(config: &Config, args: &Args, operations: &impl Operations) -> Result<Exit, Failure> {
    let display = Display::start(config.json);
    let rehearsed = operations.rehearse_restore(args.what(), order(config, &display)).await;
    display.finish();
    let rehearsed = rehearsed?;
    if config.json {
        print::document(&rehearsed);
    } else {
        plan(&rehearsed);
    }
    Ok(Exit::Ok)
}

fn plan(rehearsed: &Rehearsed) {
    print::line(&format!(
        "Backup {} ({}) can be restored here. It would replace:",
        rehearsed.backup,
        words::local(rehearsed.backup.timestamp())
    ));
    let mut stores = table(&["STORE", "KIND", "VERSION", "ARTIFACTS", "SIZE"]);
    for store in &rehearsed.stores {
        stores.add_row([
            store.store.to_string(),
            store.kind.to_string(),
            store.version.clone(),
            store.artifacts.to_string(),
            words::bytes(store.bytes),
        ]);
    }
    print::line(&stores.to_string());
    let mut workloads = table(&["CONTAINER", "ROLE", "NOW", "RESTORE WILL", "WHY"]);
    for workload in &rehearsed.workloads {
        workloads.add_row([
            workload.address.to_string(),
            workload.role.clone(),
            workload.state.to_string(),
            workload.action.clone(),
            workload.reason.clone(),
        ]);
    }
    print::line(&format!("\n{workloads}"));
    print::line("Nothing was changed: this was a dry run.");
}

/// The data of the platform is about to be replaced: the operator says which backup, twice.
fn confirm(args: &Args) -> Result<(), Failure> {
    let again = match args.confirm {
        Some(confirm) => confirm.to_string(),
        None if std::io::stdin().is_terminal() => ask(args.backup)?,
        None => {
            return Err(Failure::usage(
                "a restore replaces the platform's data and was not confirmed",
                format!("add --confirm {}", args.backup),
            ));
        }
    };
    if again.trim() == args.backup.to_string() {
        Ok(())
    } else {
        Err(Failure::usage(
            format!("`{}` is not {}: nothing was done", again.trim(), args.backup),
            "type the same id twice",
        ))
    }
}

fn ask(backup: BackupId) -> Result<String, Failure> {
    let failed =
        |error: std::io::Error| Failure::usage(format!("no answer: {error}"), format!("add --confirm {backup}"));
    print::prompt(&format!(
        "This stops the platform and replaces its data with backup {backup} ({}).\nType the backup's id to go on: ",
        words::local(backup.timestamp()),
    ));
    std::io::stderr().flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(answer)
}

fn summary(restored: &Restored) {
    print::line(&format!(
        "Backup {} is restored; every store holds what was backed up.",
        restored.backup
    ));
    for degraded in &restored.degraded {
        print::line(&format!("The data is good, but {degraded}."));
    }
}
