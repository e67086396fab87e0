//! `stillpoint verify`.

use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::{Checked, Operations, Scope, Verification};

use super::order;
use crate::config::Config;
use crate::display::{Display, print, words};
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
}

#[derive(clap::Args, Debug)]
#[group(multiple = false)]
struct Which {
    /// The backup's id
    backup: Option<BackupId>,

    /// Every complete backup
    #[arg(long)]
    all: bool,

    /// Those not read for the longest time, up to this many bytes and at least one: run daily, it reads
    /// everything in turn [default, if nothing else is named: `BACKUP_VERIFY_DAILY_BYTES`]
    #[arg(long, value_name = "BYTES")]
    budget: Option<u64>,
}

impl Which {
    fn scope(&self, daily_bytes: u64) -> Result<Scope, Failure> {
        match (self.backup, self.budget) {
            (Some(backup), _) => Ok(Scope::One(backup)),
            (None, Some(budget)) => Ok(Scope::Within(budget)),
            (None, None) if self.all => Ok(Scope::All),
            (None, None) if daily_bytes > 0 => Ok(Scope::Within(daily_bytes)),
            (None, None) => Err(Failure::usage(
                "nothing says which backup is to be read",
                "name one, or say --all or --budget BYTES, or set BACKUP_VERIFY_DAILY_BYTES",
            )),
        }
    }
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<Exit, Failure> {
    let scope = args.which.scope(config.verify.daily_bytes)?;
    let operations = wiring::operations(config).await?;
    let display = Display::start(config.json);
    let verified = operations.verify(scope, order(config, &display)).await;
    display.finish();
    let found = verified?;
    if config.json {
        print::document(&found);
    } else {
        report(&found);
    }
    match found
        .checked
        .into_iter()
        .find(|checked| !checked.outcome.damage.is_empty())
    {
        Some(Checked { outcome, .. }) => Err(Error::Damaged {
            backup: outcome.backup,
            damage: outcome.damage,
        }
        .into()),
        None if !found.unreadable.is_empty() => Ok(Exit::Damaged),
        None => Ok(Exit::Ok),
    }
}

fn report(found: &Verification) {
    for Checked { artifacts, outcome } in &found.checked {
        let (backup, bytes) = (outcome.backup, words::bytes(outcome.bytes));
        if outcome.damage.is_empty() {
            print::line(&format!(
                "Backup {backup} is whole: {artifacts} artifacts, {bytes} read, every SHA-256 as in its manifest."
            ));
        }
        for damage in &outcome.damage {
            print::line(&format!("Backup {backup} is DAMAGED: {damage}"));
        }
    }
    for (id, cause) in &found.unreadable {
        print::line(&format!("{id} cannot be used: {cause}"));
    }
    if found.checked.is_empty() && found.unreadable.is_empty() {
        print::line("There is no complete backup to read.");
    }
}
