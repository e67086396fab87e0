//! The command line, one verb a file.

mod adopt;
mod backup;
mod backups;
mod completions;
mod config;
mod confirm;
mod containers;
mod diff;
mod doctor;
mod dry_run;
mod healthcheck;
pub(crate) mod left_out;
mod maintenance;
mod man;
mod notify;
mod prune;
mod restore;
mod runs;
mod schedules;
mod serve;
mod status;
mod stores;
mod tokens;
mod users;
mod verify;
mod version;
mod which;

pub(crate) use self::config::place;
pub(crate) use self::containers::after_a_death;

use std::path::Path;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::plan::Plan;
use stillpoint_core::names::Project;
use stillpoint_core::operations::{Local, Operations, Order, RunRequest};
use stillpoint_core::ports::history::{Asked, Ending, Way};
use stillpoint_notify::Patience;

use crate::config::Config;
use crate::display::{Display, print};
use crate::failure::Failure;
use crate::jobs::Recorder;
use crate::notices::Notices;
use crate::options::Options;
use crate::service::{Client, Submission, Told, site};
use crate::watchdog::Watchdog;
use crate::{diagnostics, interrupt, metrics, operator, usual, wiring};

/// Backs up a self-hosted Docker Compose platform at one point in time, proves it, and brings it back.
///
/// Exit codes: 0 ok, 1 run failed and platform back as it was, 2 usage or configuration,
/// 3 backup good but platform degraded, 10 engine, platform or backup not found or ambiguous,
/// 11 held by another run, 12 preflight refused, 13 restore refused and nothing changed,
/// 14 stopped on purpose, 15 verification found damage, 16 recovery incomplete, 130 interrupted.
#[derive(Parser, Debug)]
#[command(name = "stillpoint", disable_version_flag = true, max_term_width = 100)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub options: Options,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Backup(backup::Args),
    Restore(restore::Args),
    #[command(subcommand)]
    Backups(backups::Command),
    Verify(verify::Args),
    #[command(subcommand)]
    Stores(stores::Command),
    Prune(prune::Args),
    Adopt(adopt::Args),
    #[command(subcommand)]
    Maintenance(maintenance::Command),
    #[command(subcommand)]
    Runs(runs::Command),
    Serve(serve::Args),
    #[command(subcommand)]
    Schedules(schedules::Command),
    #[command(subcommand)]
    Users(users::Command),
    #[command(subcommand)]
    Tokens(tokens::Command),
    #[command(subcommand)]
    Notify(notify::Command),
    Doctor(doctor::Args),
    Status(status::Args),
    Healthcheck(healthcheck::Args),
    #[command(subcommand)]
    Config(config::Command),
    #[command(subcommand)]
    Containers(containers::Command),
    Completions(completions::Args),
    Man(man::Args),
    /// Show the version of the program and of the manifests that it writes
    Version,
}

impl CommandLine {
    /// Whether this is the child of a run, which waits for its death.
    pub(crate) fn is_watchdog(&self) -> bool {
        self.command.is_watchdog()
    }
}

impl Command {
    fn is_watchdog(&self) -> bool {
        matches!(self, Self::Containers(command) if command.is_watchdog())
    }

    /// Whether it brings a platform back, which must work whatever is wrong with the configuration.
    fn is_last_resort(&self) -> bool {
        matches!(self, Self::Containers(command) if command.brings_back())
    }
}

/// Runs the command.
pub(crate) async fn run(command_line: CommandLine) -> Result<Exit, Failure> {
    let CommandLine { options, command } = command_line;
    // What needs no configuration works whatever is wrong with it.
    match &command {
        Command::Version => return Ok(version::run(&options)),
        Command::Completions(args) => return Ok(completions::run(args)),
        Command::Man(args) => return man::run(args),
        _ => {}
    }
    let config = match Config::load(&options) {
        Err(broken) if command.is_last_resort() => Config::salvage(&options, broken)?,
        loaded => loaded?,
    };
    diagnostics::start(&config.diagnostics)?;
    if !command.is_watchdog() {
        for warning in &config.warnings {
            print::error(&format!("warning: {warning}"));
        }
    }
    configured(&config, command).await
}

async fn configured(config: &Config, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Backup(args) => backup::run(config, &args).await,
        Command::Restore(args) => restore::run(config, &args).await,
        Command::Backups(command) => backups::run(config, &command).await,
        Command::Verify(args) => verify::run(config, &args).await,
        Command::Stores(command) => stores::run(config, &command).await,
        Command::Prune(args) => prune::run(config, &args).await,
        Command::Maintenance(command) => maintenance::run(config, &command).await,
        Command::Adopt(args) => adopt::run(config, &args).await,
        Command::Runs(command) => runs::run(config, &command).await,
        Command::Serve(args) => serve::run(config, &args).await,
        Command::Schedules(command) => schedules::run(config, &command).await,
        Command::Users(command) => users::run(config, &command).await,
        Command::Tokens(command) => tokens::run(config, &command).await,
        Command::Notify(command) => notify::run(config, &command).await,
        Command::Doctor(args) => doctor::run(config, &args).await,
        Command::Status(args) => status::run(config, &args).await,
        Command::Healthcheck(args) => healthcheck::run(config, &args).await,
        Command::Config(command) => config::run(config, &command).await,
        Command::Containers(command) => containers::run(config, &command).await,
        Command::Version | Command::Completions(_) | Command::Man(_) => Ok(Exit::Ok),
    }
}

/// A table without lines.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.iter().copied());
    table
}

/// Without the blanks at the ends of its lines.
fn trimmed(table: &str) -> String {
    table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Says what is set for stores and looks like a mistake; fails where a store would not heed it.
fn look_at_stores_of(config: &Config, plan: &Plan) -> Result<(), Failure> {
    for warning in config.look_at_stores(plan)? {
        print::error(&format!("warning: {warning}"));
    }
    Ok(())
}

/// The same for a verb that does not show its plan. Where there is none, the verb itself will say why.
pub(crate) async fn look_at_stores(config: &Config, operations: &impl Operations) -> Result<(), Failure> {
    match operations.plan(config.project().as_ref()).await {
        Ok(plan) => look_at_stores_of(config, &plan),
        Err(_) => Ok(()),
    }
}

/// An order whose events are displayed and which ends on a signal.
fn order(config: &Config, display: &Display) -> RunRequest {
    RunRequest {
        run: None,
        platform: config.project(),
        listener: display.listener(),
        cancel: interrupt::token(),
    }
}

/// What a command that asks for a run may say about how it is done.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct Handing {
    /// Hand it to the service and do not wait for its end; needs `stillpoint serve`
    #[arg(long)]
    detach: bool,
}

/// Has an order done: by the service where one runs for the same platform and repository, else here.
async fn carry_out(
    config: &Config,
    operations: &Local,
    order: Order,
    platform: Option<Project>,
    handing: Handing,
) -> Result<Exit, Failure> {
    let asked = Asked {
        way: Way::Cli,
        by: operator::name(),
    };
    match service_of(config).await {
        Some(client) => {
            let submission = Submission { order, platform, asked };
            handed_over(config, &client, &submission, handing).await
        }
        None if handing.detach => Err(Failure::usage(
            "no service runs that could go on with it",
            "start one with `stillpoint serve`, or leave --detach away",
        )),
        None => done_here(config, operations, &order, platform, asked).await,
    }
}

/// The service that does what this command would.
async fn service_of(config: &Config) -> Option<Client> {
    let client = Client::find(&config.platform.state_dir).await?;
    let (ours, its) = (site::of(config), &client.service.site);
    if site::is_same(&ours, its) {
        return Some(client);
    }
    print::error(&format!(
        "warning: a service runs (process {}), but for another platform, repository or engine ({}): this command does it by \
         itself",
        client.service.process, its.repository
    ));
    None
}

/// Shows what the service does as if it was done here. A signal cancels it.
async fn handed_over(
    config: &Config,
    client: &Client,
    submission: &Submission,
    handing: Handing,
) -> Result<Exit, Failure> {
    let run = client.submit(submission).await?;
    if handing.detach {
        let number = run.called();
        let sentence =
            format!("The service has it as run {number}: `stillpoint runs show {number}` says what became of it.");
        print::summary(config.json, &sentence);
        return Ok(Exit::Ok);
    }
    let display = Display::start_as(config.form(), usually(config, &submission.order).await);
    let listener = display.listener();
    let cancel = interrupt::token();
    let tell = |told| match told {
        Told::Event(event) => listener.hear(&event),
        Told::Waits(whom) => print::error(&format!("waits for {whom}")),
        Told::Ended(_) => {}
    };
    let cancelling = async {
        cancel.cancelled().await;
        if let Err(failure) = client.cancel(run.run.as_str()).await {
            print::error(&format!("warning: {}", failure.what()));
        }
        // How it ends is told by the other.
        std::future::pending().await
    };
    let ending = tokio::select! {
        ending = client.follow(&run, tell) => ending,
        never = cancelling => never,
    };
    drop(listener);
    display.finish();
    show(config, ending?)
}

/// Done in this process: watched over, shown while it is done, and written down.
async fn done_here(
    config: &Config,
    operations: &Local,
    order: &Order,
    platform: Option<Project>,
    asked: Asked,
) -> Result<Exit, Failure> {
    // What is wrong with it is told before anything is begun.
    let notices = Notices::new(config, Patience::Short, Arc::new(|line| print::error(&line)));
    let watchdog = order.may_stop_the_platform().then(|| Watchdog::start(config));
    let display = Display::start_as(config.form(), usually(config, order).await);
    let recorder = Recorder::new(config, operations);
    let run = recorder.run(notices, order, platform, asked, display.listener(), interrupt::token());
    let (ending, written, telling) = run.await;
    display.finish();
    if let Some(watchdog) = watchdog {
        watchdog.dismiss();
    }
    if let Err(error) = written {
        print::error(&format!("warning: {error}; what the run did is not touched by that"));
    }
    let shown = show(config, ending);
    telling.finish().await;
    if let Some(place) = &config.notices.textfile {
        write_metrics(config, place).await;
    }
    shown
}

/// What such a run usually takes, for whoever waits for it. That it is not known is no news.
async fn usually(config: &Config, order: &Order) -> Option<String> {
    let Order::Backup { mode } = order else { return None };
    let mode = mode.unwrap_or(config.standstill.mode);
    let history = wiring::historian(config).history;
    let usual = usual::of_backups(&*history, config.project().as_ref(), mode).await;
    Some(usual.ok()??.sentence())
}

/// For who has no service that could be asked.
async fn write_metrics(config: &Config, place: &Path) {
    let historian = wiring::historian(config);
    let gathered = metrics::gather(config, &historian, &wiring::outbox(config)).await;
    let written = match gathered {
        Ok(metrics) => {
            let text = stillpoint_web::metrics::text(&metrics);
            metrics::write(place, &text).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(why) = written {
        print::error(&format!(
            "warning: no metrics are written to {}: {why}",
            place.display()
        ));
    }
}

/// Shows what a run answers.
fn show(config: &Config, ending: Ending) -> Result<Exit, Failure> {
    if let (true, Some(result)) = (config.json, &ending.result) {
        print::document(result);
    }
    if let (false, false, Some(said)) = (config.json, config.quiet, &ending.said) {
        print::line(said);
    }
    match ending.exit.and_then(Exit::of) {
        Some(exit) if ending.reason.is_none() => Ok(exit),
        _ => Err(Failure::Ended(Box::new(ending))),
    }
}
