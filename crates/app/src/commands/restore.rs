//! `stillpoint restore`.

use std::io::{BufRead, IsTerminal, Write};

use stillpoint_core::engine::restore::Restored;
use stillpoint_core::errors::Exit;
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::Operations;

use super::order;
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
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    confirm(args)?;
    let watchdog = Watchdog::start(config);
    let display = Display::start(config.json);
    let restored = operations.restore(args.backup, order(config, &display)).await;
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
