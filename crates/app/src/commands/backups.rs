//! `stillpoint backups ls`, `show`, `protect` and `unprotect`.

use comfy_table::CellAlignment;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::manifest::{Manifest, Took};
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::{Backup, BackupList, Operations};

use super::{left_out, order, table};
use crate::config::Config;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::wiring;

/// Look at the backups in the repository
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List the complete backups, oldest first
    Ls,
    /// Show what one backup holds
    Show {
        /// The backup's id
        backup: BackupId,
    },
    /// Protect a backup: retention never deletes it
    Protect {
        /// The backup's id
        backup: BackupId,
    },
    /// End the protection: retention may delete the backup again
    Unprotect {
        /// The backup's id
        backup: BackupId,
    },
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    match command {
        Command::Ls => {
            let backups = operations.list().await?;
            if config.json {
                print::document(&backups);
            } else {
                list(&backups);
            }
        }
        Command::Show { backup } => {
            let manifest = operations.show(*backup).await?;
            if config.json {
                print::document(&manifest);
            } else {
                show(&manifest);
            }
        }
        Command::Protect { backup } => {
            let display = Display::start(config.json);
            let kept = operations.protect(*backup, order(config, &display)).await;
            display.finish();
            kept?;
            print::line(&format!("Backup {backup} stays until it is unprotected."));
        }
        Command::Unprotect { backup } => {
            let display = Display::start(config.json);
            let freed = operations.unprotect(*backup, order(config, &display)).await;
            display.finish();
            freed?;
            print::line(&format!("Backup {backup} goes when retention says so."));
        }
    }
    Ok(Exit::Ok)
}

fn list(backups: &BackupList) {
    let mut table = table(&[
        "ID (UTC)",
        "LOCAL TIME",
        "PLATFORM",
        "STORES",
        "SIZE",
        "DOWN",
        "VERIFIED",
        "",
    ]);
    for backup in &backups.backups {
        table.add_row([
            backup.id.to_string(),
            words::local(backup.id.timestamp()),
            backup.manifest.platform.to_string(),
            backup.manifest.stores.len().to_string(),
            words::bytes(backup.size),
            backup
                .manifest
                .standstill
                .map_or_else(String::new, |window| words::span(window.down())),
            verified(backup),
            remark(backup),
        ]);
    }
    let counted = backups
        .backups
        .iter()
        .filter(|backup| backup.manifest.safety_of.is_none());
    print::line(&format!("{} complete backups in {}", counted.count(), backups.place));
    if !backups.backups.is_empty() {
        print::line(&table.to_string());
    }
    for (id, cause) in &backups.unreadable {
        print::line(&format!("{id} cannot be used: {cause}"));
    }
    for (id, failure) in &backups.partial {
        print::line(&format!("{id} is what a failed run left, no backup: {failure}"));
    }
    for id in &backups.incomplete {
        print::line(&format!("{id} is incomplete: being written, or left by a failed run"));
    }
}

/// A copy counts as no backup: it is shown because it takes room, and is the way back.
fn remark(backup: &Backup) -> String {
    let protected = backup.protected.then(|| "protected".to_owned());
    let copy = backup.manifest.safety_of;
    let copy = copy.map(|of| format!("no backup: what the restore of {of} replaced"));
    protected.into_iter().chain(copy).collect::<Vec<_>>().join(", ")
}

fn verified(backup: &Backup) -> String {
    match backup.verified {
        Some(verified) if verified.sound => words::local(verified.at),
        Some(_) => "DAMAGED".to_owned(),
        None => "never".to_owned(),
    }
}

fn spans(took: Took) -> String {
    let (pin, drain) = (words::seconds(took.pin), words::seconds(took.drain));
    format!(" in {pin}, copied in {drain}")
}

fn show(manifest: &Manifest) {
    print::line(&format!(
        "Backup {} of {}, made {} by Stillpoint {}",
        manifest.id,
        manifest.platform,
        words::local(manifest.id.timestamp()),
        manifest.stillpoint
    ));
    if let Some(window) = manifest.standstill {
        print::line(&format!("Clients down {}", words::span(window.down())));
    }
    left_out::show(&manifest.workloads);
    for store in &manifest.stores {
        print::line(&format!(
            "\n{} ({} {}), pinned {}{}",
            store.name,
            store.kind,
            store.version,
            store.pinned,
            store.took.map(spans).unwrap_or_default()
        ));
        let mut table = table(&["ARTIFACT", "SIZE", "SHA-256"]);
        table
            .column_mut(1)
            .into_iter()
            .for_each(|column| column.set_cell_alignment(CellAlignment::Right));
        for artifact in &store.artifacts {
            table.add_row([
                artifact.name.to_string(),
                words::bytes(artifact.size),
                artifact.sha256.clone(),
            ]);
            if let Some(lists) = artifact.lists {
                let objects = format!("  {} objects that it lists", lists.objects);
                table.add_row([objects, words::bytes(lists.bytes), String::new()]);
            }
        }
        print::line(&table.to_string());
        print::line(&format!("{} counts, for example:", store.inventory.0.len()));
        for (name, count) in store.inventory.0.iter().take(5) {
            print::line(&format!("  {name}: {}", count.count));
        }
    }
}
