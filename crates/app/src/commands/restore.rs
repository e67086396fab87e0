//! `stillpoint restore`, and what becomes afterwards of the data that it replaced.

use std::io::{BufRead, IsTerminal, Write};

use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::engine::restore::discard::Discarded;
use stillpoint_core::engine::restore::undo::Undone;
use stillpoint_core::engine::restore::{HeldLogin, Origin, Rehearsed, Restored};
use stillpoint_core::engine::start::Degraded;
use stillpoint_core::logins::Passwords;
use stillpoint_core::names::{BackupId, Project, StoreName};
use stillpoint_core::operations::{Operations, Restore, RunRequest, Terms};
use stillpoint_core::selection::Selection;

use super::{look_at_stores, order, table};
use crate::config::Config;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::watchdog::Watchdog;
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

#[derive(clap::Args, Clone, Copy, Debug)]
struct Told {
    /// Do not keep what is replaced: free it once everything runs again, and copy nothing into the repository
    /// before. There is no way back then, also if the restore fails
    #[arg(long)]
    discard_old: bool,

    /// Which passwords the roles of a server have afterwards that exist already [default: keep; when a restore is
    /// gone on with: as it was begun]
    #[arg(long, value_name = "WHICH")]
    passwords: Option<Which>,
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
        }
    }
}

#[derive(clap::Args, Debug)]
struct Asked {
    /// The backup's id, as `stillpoint backups ls` shows it
    #[arg(required = true)]
    backup: Option<BackupId>,

    /// The same id again, for scripts; without it the id is asked for
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

    /// Restore what there is: also from what a failed run left, and also if the backup holds nothing of some
    /// stores, which then keep their data
    #[arg(long)]
    accept_partial: bool,

    /// Look whether it can succeed and say what it would do; change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    terms: Told,
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
            terms: self.terms.into(),
            selection: Selection {
                from: self.from.clone(),
                map: self.map.iter().cloned().collect(),
                stores: self.store.clone(),
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
    match (&args.after, args.asked.backup) {
        (Some(After::Resume { terms }), _) => resume(config, (*terms).into(), &operations).await,
        (Some(After::Undo(confirmed)), _) => undo(config, confirmed, &operations).await,
        (Some(After::DiscardOld(confirmed)), _) => discard_old(config, confirmed, &operations).await,
        (None, Some(backup)) if args.asked.dry_run => rehearse(config, args.asked.what(backup), &operations).await,
        (None, Some(backup)) => {
            let what = args.asked.what(backup);
            confirm(config, &what, args.asked.confirm, &operations).await?;
            replacing(config, async |order| operations.restore(what, order).await, summary).await
        }
        (None, None) => Err(Failure::usage(
            "no backup was named",
            "`stillpoint backups ls` lists them",
        )),
    }
}

/// Does what stops the platform, watched over, and says what came of it.
async fn replacing<T: serde::Serialize + Outcome>(
    config: &Config,
    act: impl AsyncFnOnce(RunRequest) -> Result<T, Error>,
    say: fn(&T),
) -> Result<Exit, Failure> {
    let watchdog = Watchdog::start(config);
    let display = Display::start(config.json);
    let done = act(order(config, &display)).await;
    display.finish();
    watchdog.dismiss();
    let done = done?;
    if config.json {
        print::document(&done);
    } else {
        say(&done);
        for degraded in done.degraded() {
            print::line(&format!("The data is good, but {degraded}."));
        }
    }
    Ok(if done.degraded().is_empty() {
        Exit::Ok
    } else {
        Exit::Degraded
    })
}

/// Something after which the platform runs again.
trait Outcome {
    /// What did not come back as it was.
    fn degraded(&self) -> &[Degraded];
}

impl Outcome for Restored {
    fn degraded(&self) -> &[Degraded] {
        &self.degraded
    }
}

impl Outcome for Undone {
    fn degraded(&self) -> &[Degraded] {
        &self.degraded
    }
}

impl Outcome for Discarded {
    fn degraded(&self) -> &[Degraded] {
        &[]
    }
}

async fn resume(config: &Config, terms: Terms, operations: &impl Operations) -> Result<Exit, Failure> {
    let act = async |order| operations.resume_restore(terms, order).await;
    replacing(config, act, summary).await
}

async fn undo(config: &Config, confirmed: &Confirmed, operations: &impl Operations) -> Result<Exit, Failure> {
    let what = "This stops the platform and brings back what the restore replaced. What was written since is lost.";
    let platform = confirm_platform(config, confirmed, what, operations).await?;
    let act = async |order: RunRequest| operations.undo_restore(on(order, platform)).await;
    replacing(config, act, |undone: &Undone| {
        print::line(&format!(
            "The restore is undone: {} as before it.",
            listed(undone.stores.iter().map(ToString::to_string))
        ));
    })
    .await
}

async fn discard_old(config: &Config, confirmed: &Confirmed, operations: &impl Operations) -> Result<Exit, Failure> {
    let what = "This frees what the restore replaced. It cannot be undone then.";
    let platform = confirm_platform(config, confirmed, what, operations).await?;
    let act = async |order: RunRequest| operations.discard_old(on(order, platform)).await;
    replacing(config, act, |freed: &Discarded| {
        let stores = freed.stores.iter().map(ToString::to_string);
        let copies = freed.copies.iter().map(|copy| format!("copy {copy}"));
        print::line(&format!("The old data is freed: {}.", listed(stores.chain(copies))));
    })
    .await
}

fn on(order: RunRequest, platform: Project) -> RunRequest {
    RunRequest {
        platform: Some(platform),
        ..order
    }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
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
            "it loses data and was not confirmed",
            &platform.to_string(),
        )?,
    };
    same(&again, &platform.to_string(), "type the platform's name")?;
    Ok(platform)
}

async fn rehearse(config: &Config, what: Restore, operations: &impl Operations) -> Result<Exit, Failure> {
    let display = Display::start(config.json);
    let rehearsed = operations.rehearse_restore(what, order(config, &display)).await;
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
        "Backup {} ({}){} can be restored here. It would replace:",
        rehearsed.backup,
        words::local(rehearsed.backup.timestamp()),
        of_another(&rehearsed.origin, &rehearsed.platform)
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
    for line in renamings(&rehearsed.origin) {
        print::line(&line);
    }
    for store in &rehearsed.stores {
        if let Some(passwords) = &store.passwords {
            print::line(&format!("{}: {passwords}.", store.store));
        }
    }
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
    logins(&rehearsed.logins);
    print::line("Nothing was changed: this was a dry run.");
}

fn logins(held: &[HeldLogin]) {
    if held.is_empty() {
        return;
    }
    let mut logins = table(&["CLIENT", "VARIABLE", "STORE", "LOGIN", "NOW"]);
    for held in held {
        logins.add_row([
            held.client.to_string(),
            held.variable.clone(),
            held.store.to_string(),
            held.login.clone(),
            held.now.clone(),
        ]);
    }
    print::line(&format!(
        "\nThese logins of clients are tried again before anything starts:\n{logins}"
    ));
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
            &question(config, what, operations).await?,
            "a restore replaces the platform's data and was not confirmed",
            &backup.to_string(),
        )?,
    };
    same(&again, &backup.to_string(), "type the same id twice")
}

async fn question(config: &Config, what: &Restore, operations: &impl Operations) -> Result<String, Failure> {
    let platform = operations.plan(config.project().as_ref()).await?.platform;
    let origin = Origin::of(&what.selection, &platform);
    let mut question = format!(
        "This stops platform {platform} and replaces its data with backup {} ({}){}.\n",
        what.backup,
        words::local(what.backup.timestamp()),
        of_another(&origin, &platform),
    );
    question.extend(renamings(&origin).map(|line| line + "\n"));
    question.push_str("Type the backup's id to go on: ");
    Ok(question)
}

fn same(again: &str, wanted: &str, hint: &str) -> Result<(), Failure> {
    if again.trim() == wanted {
        return Ok(());
    }
    let wrong = format!("`{}` is not {wanted}: nothing was done", again.trim());
    Err(Failure::usage(wrong, hint))
}

/// Asks on the terminal; without one, says what a script has to add.
fn ask(question: &str, unconfirmed: &str, wanted: &str) -> Result<String, Failure> {
    let add = format!("add --confirm {wanted}");
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(unconfirmed, add));
    }
    let failed = |error: std::io::Error| Failure::usage(format!("no answer: {error}"), add.clone());
    print::prompt(question);
    std::io::stderr().flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(answer)
}

/// Data of another platform is never restored silently.
fn of_another(origin: &Origin, platform: &Project) -> String {
    let from = origin.from.as_ref();
    from.map_or_else(String::new, |from| {
        format!(" of platform {from}, into platform {platform},")
    })
}

fn renamings(origin: &Origin) -> impl Iterator<Item = String> {
    let renamed = origin.renamed.iter();
    renamed.map(|(old, new)| format!("Store {old} of the backup → {new}."))
}

fn summary(restored: &Restored) {
    print::line(&format!(
        "Backup {}{} is restored; every store holds what was backed up.",
        restored.backup,
        of_another(&restored.origin, &restored.platform)
    ));
    for line in renamings(&restored.origin) {
        print::line(&line);
    }
    if restored.old_data_kept {
        print::line(
            "What it replaced is kept: `stillpoint restore undo` brings it back, `stillpoint restore discard-old` frees it.",
        );
    }
}
