//! `stillpoint restore`, and what becomes afterwards of the data that it replaced.

mod say;

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::logins::Passwords;
use stillpoint_core::names::{BackupId, Project, StoreName};
use stillpoint_core::operations::{Local, Operations, Order, Restore, Terms};
use stillpoint_core::selection::Selection;

use super::confirm::{ask, same};
use super::which::Wanted;
use super::{Handing, carry_out, look_at_stores, order};
use crate::config::Config;
use crate::display::{Display, print};
use crate::failure::Failure;
use crate::wiring;

/// Replace the platform's data with a backup's
///
/// The backup is read to its last byte and compared with its manifest before anything is stopped.
/// A restore that fails after that leaves the platform stopped on purpose: go on with `stillpoint restore
/// resume`, go back with `stillpoint restore undo`, or start the platform as it is with `stillpoint containers
/// start`. What a restore replaces is kept, also when it succeeds, until `stillpoint restore discard-old`.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    after: Option<After>,

    #[command(flatten)]
    asked: Asked,
}

/// What can be done about a restore that was begun.
#[derive(clap::Subcommand, Debug)]
enum After {
    /// Go on with a restore that failed or died: what it has loaded stays
    Resume {
        #[command(flatten)]
        terms: Told,
    },
    /// Bring back what a restore has replaced, whether it succeeded, failed or died
    ///
    /// All that was written since the restore is lost. Databases and accounts that were made since stay.
    Undo(Confirmed),
    /// Free what a restore has replaced: from then on it cannot be undone
    DiscardOld(Confirmed),
}

#[derive(clap::Args, Debug)]
struct Confirmed {
    /// The platform's name, for scripts; without it the name is asked for
    #[arg(long, value_name = "PLATFORM")]
    confirm: Option<String>,
}

#[derive(clap::Args, Clone, Debug)]
struct Told {
    /// Do not keep what is replaced: free it once everything runs again, and copy nothing into the repository
    /// before. There is no way back then, also if the restore fails
    #[arg(long)]
    discard_old: bool,

    /// Which passwords the roles of a server have afterwards that exist already [default: keep; when a restore is
    /// gone on with: as it was begun]
    #[arg(long, value_name = "WHICH")]
    passwords: Option<Which>,

    /// Go on if this database cannot be loaded whole; may be given more than once. What can be loaded of it is, what is
    /// missing is told, and the restore ends with 3
    #[arg(long, value_name = "DATABASE")]
    accept: Vec<String>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Which {
    /// Their present ones
    Keep,
    /// The backup's; the role that Stillpoint logs in as keeps its own
    Backup,
}

impl From<Told> for Terms {
    fn from(told: Told) -> Self {
        Self {
            discard_old: told.discard_old,
            passwords: told.passwords.map(|which| match which {
                Which::Keep => Passwords::Keep,
                Which::Backup => Passwords::Backup,
            }),
            accept: told.accept,
        }
    }
}

#[derive(clap::Args, Debug)]
struct Asked {
    #[command(flatten)]
    wanted: Wanted,

    /// The id of the backup, for scripts: also after `latest` or --at the id that they come to mean. Without it the id is
    /// asked for
    #[arg(long, value_name = "ID")]
    confirm: Option<BackupId>,

    /// Restore a backup of this other platform into the one at hand; its repository stays its own
    #[arg(long, value_name = "PROJECT", value_parser = |name: &str| Ok::<_, std::convert::Infallible>(Project::new(name)))]
    from: Option<Project>,

    /// The backup's store OLD is called NEW here; may be given more than once
    #[arg(long, value_name = "OLD=NEW", value_parser = renamed)]
    map: Vec<(StoreName, StoreName)>,

    /// Restore this store alone; may be given more than once. The others are stopped with the rest and keep
    /// their data
    #[arg(long, value_name = "STORE", value_parser = |name: &str| Ok::<_, std::convert::Infallible>(StoreName::new(name)))]
    store: Vec<StoreName>,

    /// Restore this database alone; may be given more than once. All others stay as they are, and so do the stores that
    /// have none of this name
    #[arg(long, value_name = "DATABASE")]
    database: Vec<String>,

    /// Restore what there is: also from what a failed run left, and also if the backup holds nothing of some
    /// stores, which then keep their data
    #[arg(long)]
    accept_partial: bool,

    /// Look whether it can succeed and say what it would do; change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    terms: Told,

    #[command(flatten)]
    handing: Handing,
}

/// `OLD=NEW`.
fn renamed(text: &str) -> Result<(StoreName, StoreName), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((StoreName::new(old), StoreName::new(new))),
        _ => Err("it is not of the form OLD=NEW: the store's name in the backup, and the one here".to_owned()),
    }
}

impl Asked {
    fn what(&self, backup: BackupId) -> Restore {
        Restore {
            backup,
            terms: self.terms.clone().into(),
            selection: Selection {
                from: self.from.clone(),
                map: self.map.iter().cloned().collect(),
                stores: self.store.clone(),
                databases: self.database.clone(),
                accept: Vec::new(),
                accept_partial: self.accept_partial,
            },
        }
    }
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    if args.after.is_none() {
        look_at_stores(config, &operations).await?;
    }
    match &args.after {
        Some(After::Resume { terms }) => {
            let order = Order::ResumeRestore(terms.clone().into());
            carry_out(config, &operations, order, config.project(), Handing::default()).await
        }
        Some(After::Undo(confirmed)) => undo(config, confirmed, &operations).await,
        Some(After::DiscardOld(confirmed)) => discard_old(config, confirmed, &operations).await,
        None => {
            let asked = &args.asked;
            let backup = asked.wanted.id(config, &operations, asked.from.as_ref()).await?;
            let what = asked.what(backup);
            if asked.dry_run {
                return rehearse(config, what, &operations).await;
            }
            confirm(config, &what, asked.confirm, &operations).await?;
            let order = Order::Restore(what);
            carry_out(config, &operations, order, config.project(), asked.handing).await
        }
    }
}

async fn undo(config: &Config, confirmed: &Confirmed, operations: &Local) -> Result<Exit, Failure> {
    let what = "This stops the platform and brings back what the restore replaced. What was written since is lost.";
    let lost = match confirmed.confirm {
        Some(_) => String::new(),
        None => would_lose(config, operations).await?,
    };
    let platform = confirm_platform(config, confirmed, &format!("{what}{lost}"), operations).await?;
    carry_out(
        config,
        operations,
        Order::UndoRestore,
        Some(platform),
        Handing::default(),
    )
    .await
}

/// Where what was written since the restore is lost, a line for each store. Where it cannot be told, the undoing says why.
async fn would_lose(config: &Config, operations: &impl Operations) -> Result<String, Failure> {
    let display = Display::start(config.form());
    let lost = operations.undo_would_lose(order(config, &display)).await;
    display.finish();
    Ok(lost?
        .iter()
        .map(|lost| format!("\n  {lost}"))
        .collect::<Vec<_>>()
        .concat())
}

async fn discard_old(config: &Config, confirmed: &Confirmed, operations: &Local) -> Result<Exit, Failure> {
    let what = "This frees what the restore replaced. It cannot be undone then.";
    let platform = confirm_platform(config, confirmed, what, operations).await?;
    carry_out(
        config,
        operations,
        Order::DiscardOld,
        Some(platform),
        Handing::default(),
    )
    .await
}

/// What is about to be done cannot be undone: the operator says of which platform.
async fn confirm_platform(
    config: &Config,
    confirmed: &Confirmed,
    what: &str,
    operations: &impl Operations,
) -> Result<Project, Failure> {
    let platform = operations.plan(config.project().as_ref()).await?.platform;
    let again = match &confirmed.confirm {
        Some(confirm) => confirm.clone(),
        None => ask(
            &format!("{what}\nType the platform's name, {platform}, to go on: "),
            &format!("not confirmed. {what}"),
            &platform.to_string(),
        )?,
    };
    same(&again, &platform.to_string(), "type the platform's name")?;
    Ok(platform)
}

async fn rehearse(config: &Config, what: Restore, operations: &impl Operations) -> Result<Exit, Failure> {
    let display = Display::start(config.form());
    let rehearsed = operations.rehearse_restore(what, order(config, &display)).await;
    display.finish();
    let rehearsed = rehearsed?;
    if config.json {
        print::document(&rehearsed);
    } else {
        say::plan(&rehearsed);
    }
    Ok(Exit::Ok)
}

/// The data of the platform is about to be replaced: the operator says which backup, twice.
async fn confirm(
    config: &Config,
    what: &Restore,
    confirmed: Option<BackupId>,
    operations: &impl Operations,
) -> Result<(), Failure> {
    let backup = what.backup;
    let again = match confirmed {
        Some(confirm) => confirm.to_string(),
        None => ask(
            &say::question(what, &operations.plan(config.project().as_ref()).await?.platform),
            "a restore replaces the platform's data and was not confirmed",
            &backup.to_string(),
        )?,
    };
    same(&again, &backup.to_string(), "type the same id twice")
}
