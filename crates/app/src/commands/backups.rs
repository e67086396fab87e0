//! `stillpoint backups ls`, `show`, `diff`, `get`, `rm`, `protect` and `unprotect`.

use std::path::PathBuf;

use comfy_table::CellAlignment;
use stillpoint_core::backups::Copied;
use stillpoint_core::command_line::quoted;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::remove::Removing;
use stillpoint_core::manifest::{Manifest, Took};
use stillpoint_core::names::{BackupId, StoreName};
use stillpoint_core::operations::{Backup, BackupList, Operations};

use super::confirm::{ask, same};
use super::diff::Difference;
use super::which::{Named, Wanted};
use super::{left_out, order, table};
use crate::config::Config;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::{repository, wiring};

/// Look at the backups in the repository, copy one out, delete one
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List the complete backups, oldest first
    Ls,
    /// Show what one backup holds
    Show {
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Show what has changed from one backup to another: stores, sizes, and what was counted in them
    Diff {
        /// The earlier one: its id, or `latest`
        #[arg(value_name = "ID|latest")]
        from: Named,

        /// The later one: its id, or `latest`
        #[arg(value_name = "ID|latest")]
        to: Named,
    },
    /// Copy a backup's files into a directory, each compared with its SHA-256 on the way
    ///
    /// They lie in DIR/ID as in the repository. A whole backup there can be restored from: `stillpoint --repository DIR
    /// restore ID`. Nothing is overwritten: files that are there already must be the same, and are not copied again, so that
    /// a copy that was ended can be gone on with. A file that is not what the manifest says never gets its name.
    Get(Get),
    /// Delete backups for good
    ///
    /// In the same way as retention does, under the same locks. A protected backup, the copy that a restore has made, and the
    /// backup of a restore that stands unfinished are refused; and the last good one, unless --even-the-last is said. If one
    /// of those that are named is refused, none is deleted.
    Rm(Rm),
    /// Protect a backup: retention never deletes it
    Protect {
        #[command(flatten)]
        wanted: Wanted,
    },
    /// End the protection: retention may delete the backup again
    Unprotect {
        #[command(flatten)]
        wanted: Wanted,
    },
}

/// What is to be copied, and where to.
#[derive(clap::Args, Debug)]
pub(super) struct Get {
    #[command(flatten)]
    wanted: Wanted,

    /// These stores alone [default: all, with the manifest]
    #[arg(value_name = "STORE", value_parser = |name: &str| Ok::<_, std::convert::Infallible>(StoreName::new(name)))]
    stores: Vec<StoreName>,

    /// The same, where --at stands in place of an id; may be given more than once
    #[arg(long, value_name = "STORE", value_parser = |name: &str| Ok::<_, std::convert::Infallible>(StoreName::new(name)))]
    store: Vec<StoreName>,

    /// The directory; it is made, for this user alone, if it is not there
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// What is to be deleted.
#[derive(clap::Args, Debug)]
pub(super) struct Rm {
    /// Their ids, as `stillpoint backups ls` shows them
    #[arg(required = true, value_name = "ID")]
    backups: Vec<BackupId>,

    /// The same id again, for scripts, once for each; without it the ids are asked for
    #[arg(long, value_name = "ID")]
    confirm: Vec<BackupId>,

    /// Also if no good backup is left then
    #[arg(long)]
    even_the_last: bool,
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
        Command::Show { wanted } => {
            let backup = wanted.id(config, &operations, None).await?;
            let manifest = operations.show(backup).await?;
            if config.json {
                print::document(&manifest);
            } else {
                show(&manifest);
            }
        }
        Command::Diff { from, to } => {
            let from = from.id(config, &operations, None).await?;
            let to = to.id(config, &operations, None).await?;
            let (from, to) = (operations.show(from).await?, operations.show(to).await?);
            let difference = Difference::between(&from, &to);
            if config.json {
                print::document(&difference);
            } else {
                difference.show();
            }
        }
        Command::Get(args) => get(config, args, &operations).await?,
        Command::Rm(args) => remove(config, args, &operations).await?,
        Command::Protect { wanted } => {
            let backup = wanted.id(config, &operations, None).await?;
            let display = Display::start(config.form());
            let kept = operations.protect(backup, order(config, &display)).await;
            display.finish();
            kept?;
            print::summary(config.json, &format!("Backup {backup} stays until it is unprotected."));
        }
        Command::Unprotect { wanted } => {
            let backup = wanted.id(config, &operations, None).await?;
            let display = Display::start(config.form());
            let freed = operations.unprotect(backup, order(config, &display)).await;
            display.finish();
            freed?;
            print::summary(config.json, &format!("Backup {backup} goes when retention says so."));
        }
    }
    Ok(Exit::Ok)
}

async fn get(config: &Config, args: &Get, operations: &impl Operations) -> Result<(), Failure> {
    let backup = args.wanted.id(config, operations, None).await?;
    let stores: Vec<StoreName> = args.stores.iter().chain(&args.store).cloned().collect();
    let into = repository::local(args.output.clone());
    let display = Display::start(config.form());
    let copied = operations.get(backup, &stores, &*into, order(config, &display)).await;
    display.finish();
    let copied = copied?;
    if config.json {
        print::document(&copied);
    } else if !config.quiet {
        print::line(&said_of_copy(&copied, &args.output));
    }
    Ok(())
}

fn said_of_copy(copied: &Copied, directory: &std::path::Path) -> String {
    let Copied { backup, objects, .. } = copied;
    let place = directory.join(backup.to_string());
    let place = place.display();
    let copied_now = match (objects, copied.already_there) {
        (0, there) => {
            format!("Nothing had to be copied: {there} files of backup {backup} are in {place} already, each the same.")
        }
        (_, there) => {
            let more = if there == 0 {
                String::new()
            } else {
                format!("; {there} more were there already, the same")
            };
            format!(
                "{objects} files of backup {backup} ({}) are copied to {place}, each with the SHA-256 of the manifest{more}.",
                words::bytes(copied.bytes)
            )
        }
    };
    let then = if copied.is_whole {
        let directory = quoted(&directory.display().to_string());
        format!("It is whole: `stillpoint --repository {directory} restore {backup}` restores from there.")
    } else {
        let stores: Vec<&str> = copied.stores.iter().map(StoreName::as_str).collect();
        format!(
            "It holds {} alone, so it is no backup that could be restored from there.",
            stores.join(", ")
        )
    };
    format!("{copied_now}\n{then}")
}

async fn remove(config: &Config, args: &Rm, operations: &impl Operations) -> Result<(), Failure> {
    confirm_removal(args)?;
    let wish = Removing {
        backups: args.backups.clone(),
        the_last_too: args.even_the_last,
    };
    let display = Display::start(config.form());
    let removed = operations.remove(&wish, order(config, &display)).await;
    display.finish();
    let removed = removed?;
    if config.json {
        print::document(&removed);
        return Ok(());
    }
    if !config.quiet {
        let gone: Vec<String> = removed.gone.iter().map(ToString::to_string).collect();
        print::line(&format!("Deleted for good: {}.", gone.join(", ")));
    }
    if let Some(why) = removed.kept {
        print::error(&format!("warning: that frees no room yet: {why}"));
    }
    Ok(())
}

/// Each is named twice.
fn confirm_removal(args: &Rm) -> Result<(), Failure> {
    if let Some(other) = args.confirm.iter().find(|id| !args.backups.contains(id)) {
        let wrong = format!("{other} is confirmed and not named: nothing was done");
        return Err(Failure::usage(
            wrong,
            "confirm the ids that are to be deleted, each with --confirm",
        ));
    }
    for id in args.backups.iter().filter(|id| !args.confirm.contains(id)) {
        let wanted = id.to_string();
        let question = format!(
            "This deletes backup {id} ({}) for good.\nType its id to go on: ",
            words::local(id.timestamp())
        );
        let unconfirmed = format!("backup {id} would be deleted for good, and that was not confirmed");
        same(
            &ask(&question, &unconfirmed, &wanted)?,
            &wanted,
            "type the same id twice",
        )?;
    }
    Ok(())
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
