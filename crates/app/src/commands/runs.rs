//! `stillpoint runs ls`, `show` and `logs`: what the history knows. Backups are listed from the repository, never from here.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::events::Event;
use stillpoint_core::operations::Order;
use stillpoint_core::ports::History;
use stillpoint_core::ports::history::{Fact, RunRecord, RunState};

use super::{Handing, carry_out, table};
use crate::config::Config;
use crate::display::{plain, print, words};
use crate::failure::Failure;
use crate::service::Client;
use crate::{notices, wiring};

/// So many facts are read at once.
const PAGE: u32 = 1000;

/// Look at the runs of this host
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List runs, the newest first
    Ls {
        /// So many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,

        /// Those before this run
        #[arg(long, value_name = "NUMBER")]
        before: Option<u64>,
    },
    /// Show one run: who asked for it, how it ended, and what to do
    Show {
        /// Its number, as `stillpoint runs ls` shows it, or its id
        run: String,
    },
    /// Show what happened in a run, with the time of each
    Logs {
        /// Its number, as `stillpoint runs ls` shows it, or its id
        run: String,
    },
    /// End a run of the service: one that waits never begins, one at work undoes what it has done
    Cancel {
        /// Its number, as `stillpoint runs ls` shows it, or its id
        run: String,
    },
    /// Ask for the same again, with the same options; not for what replaces data
    Retry {
        /// Its number, as `stillpoint runs ls` shows it, or its id
        run: String,

        #[command(flatten)]
        handing: Handing,
    },
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    let historian = wiring::historian(config);
    // Nobody is shown a run at work whose process is gone.
    notices::note_died(config, &wiring::tidy_up(config, &historian).await?).await;
    let history = historian.history;
    match command {
        Command::Ls { limit, before } => list(config, &history.runs(*before, *limit).await?),
        Command::Show { run } => show(config, &found(&*history, run).await?),
        Command::Logs { run } => logs(config, &*history, &found(&*history, run).await?).await?,
        Command::Cancel { run } => cancel(config, &found(&*history, run).await?).await?,
        Command::Retry { run, handing } => return retry(config, &found(&*history, run).await?, *handing).await,
    }
    Ok(Exit::Ok)
}

async fn cancel(config: &Config, run: &RunRecord) -> Result<(), Failure> {
    let Some(client) = Client::find(&config.platform.state_dir).await else {
        return Err(Failure::usage(
            "no service runs that could end it",
            format!(
                "a run of a command ends by Ctrl-C, or by SIGTERM to process {}",
                run.process
            ),
        ));
    };
    let cancelled = client.cancel(run.run.as_str()).await?;
    let number = number(&cancelled);
    let sentence = match cancelled.state {
        RunState::Canceling => format!("Run {number} undoes what it has done."),
        state => format!("Run {number}: {state}."),
    };
    print::summary(config.json, &sentence);
    Ok(())
}

async fn retry(config: &Config, run: &RunRecord, handing: Handing) -> Result<Exit, Failure> {
    let name = number(run);
    let order: Order = serde_json::from_value(run.options.clone()).map_err(|error| {
        let what =
            format!("run {name} was asked for by another version, in a way that this one does not know: {error}");
        Failure::usage(what, "ask for it anew")
    })?;
    if order.replaces_data() {
        let what = format!("run {name} ({}) replaces data, and is not repeated unasked", run.job);
        return Err(Failure::usage(
            what,
            "give its command again: it asks what it has to ask",
        ));
    }
    let operations = wiring::operations(config).await?;
    let platform = run.platform.clone().or_else(|| config.project());
    carry_out(config, &operations, order, platform, handing).await
}

async fn found(history: &dyn History, name: &str) -> Result<RunRecord, Failure> {
    let found = history.run(name).await?;
    found.ok_or_else(|| Failure::NoRun(name.to_owned()))
}

fn list(config: &Config, runs: &[RunRecord]) {
    if config.json {
        print::document(&json!({ "runs": runs }));
        return;
    }
    if runs.is_empty() {
        print::line("The history knows of no runs.");
        return;
    }
    let mut rows = table(&["NUMBER", "ASKED FOR", "JOB", "STATE", "TOOK", "BY", "WHY"]);
    for run in runs {
        rows.add_row([
            number(run),
            words::local(run.asked_at),
            run.job.clone(),
            run.state.to_string(),
            took(run).map(words::span).unwrap_or_default(),
            format!("{} ({})", run.asked.by, run.asked.way),
            why(run).lines().next().unwrap_or_default().to_owned(),
        ]);
    }
    print::line(&rows.to_string());
}

fn number(run: &RunRecord) -> String {
    run.number.map(|number| number.to_string()).unwrap_or_default()
}

fn why(run: &RunRecord) -> &str {
    let ending = run.ending.as_ref();
    ending.and_then(|ending| ending.reason.as_deref()).unwrap_or_default()
}

fn took(run: &RunRecord) -> Option<std::time::Duration> {
    let took: SignedDuration = run.ended_at?.duration_since(run.started_at?);
    Some(took.unsigned_abs())
}

fn show(config: &Config, run: &RunRecord) {
    if config.json {
        print::document(run);
        return;
    }
    let moment = |at: Option<Timestamp>| at.map_or_else(|| "not yet".to_owned(), words::local);
    print::line(&format!("Run {}: {}, {}", number(run), run.job, run.state));
    print::line(&format!("  id         {}", run.run));
    if let Some(platform) = &run.platform {
        print::line(&format!("  platform   {platform}"));
    }
    print::line(&format!(
        "  asked for  {} by {} ({})",
        words::local(run.asked_at),
        run.asked.by,
        run.asked.way
    ));
    print::line(&format!("  began      {}", moment(run.started_at)));
    print::line(&format!("  ended      {}", moment(run.ended_at)));
    if let Some(took) = took(run) {
        print::line(&format!("  took       {}", words::span(took)));
    }
    print::line(&format!("  process    {} on {}", run.process, run.host));
    print::line(&format!("  options    {}", run.options));
    let Some(ending) = &run.ending else { return };
    if let Some(exit) = ending.exit {
        print::line(&format!("  exit code  {exit}"));
    }
    if let Some(said) = &ending.said {
        print::line(&format!("\n{said}"));
    }
    if let Some(reason) = &ending.reason {
        print::line(&format!("\nerror: {reason}"));
    }
    if let Some(hint) = &ending.hint {
        print::line(&format!(" help: {hint}"));
    }
}

/// Page by page: a long run has many.
async fn logs(config: &Config, history: &dyn History, run: &RunRecord) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let facts = history.facts(&run.run, after, PAGE).await?;
        let Some(last) = facts.last() else { return Ok(()) };
        after = last.seq;
        for fact in &facts {
            tell(config, fact);
        }
    }
}

/// What another version has written is shown as it is.
fn tell(config: &Config, fact: &Fact) {
    if config.json {
        print::document(&fact.event);
        return;
    }
    let line = match serde_json::from_value::<Event>(fact.event.clone()) {
        Ok(event) => plain::line(&event),
        Err(_) => Some(fact.event.to_string()),
    };
    if let Some(line) = line {
        print::line(&line);
    }
}
