//! `stillpoint notify ls` and `test`.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::ports::notices::ChannelNote;
use stillpoint_notify::{Channel, Patience};
use stillpoint_web::wire::notices::Tried;

use super::table;
use crate::config::Config;
use crate::display::{print, words};
use crate::failure::Failure;
use crate::notices::Notices;

/// Look at who is told when something goes wrong, and try it
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List the channels and heartbeats with what became of the last that was sent there
    Ls,
    /// Send a test to every channel, or to one, and say what each answered: ends with 0 if all have it, else with 1
    Test {
        /// The channel, as `stillpoint notify ls` shows it, or its kind
        channel: Option<String>,
    },
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    let notices = Notices::new(config, Patience::Short, Arc::new(|line| print::error(&line)));
    match command {
        Command::Ls => list(config, &notices).await,
        Command::Test { channel } => test(config, &notices, channel.as_deref()).await,
    }
}

async fn list(config: &Config, notices: &Notices) -> Result<Exit, Failure> {
    let channels = notices
        .channels()
        .await
        .map_err(|error| Failure::usage(error.to_string(), "look at the state directory: its disk, its owner"))?;
    let notes: Vec<&ChannelNote> = channels.iter().map(|channel| &channel.note).collect();
    if config.json {
        print::document(&json!({ "channels": channels }));
        return Ok(Exit::Ok);
    }
    if notes.is_empty() {
        print::line("Nobody is told: NOTIFICATION_URLS and HEARTBEAT_URLS are not set.");
        return Ok(Exit::Ok);
    }
    let mut rows = table(&["CHANNEL", "ARRIVED", "LAST", "FAILED", "LAST FAILURE"]);
    let moment = |at: Option<Timestamp>| at.map(words::local).unwrap_or_default();
    for note in &notes {
        rows.add_row([
            note.channel.clone(),
            note.delivered.to_string(),
            moment(note.delivered_at),
            note.failed.to_string(),
            moment(note.failed_at),
        ]);
    }
    print::line(&rows.to_string());
    for note in &notes {
        if let Some(error) = &note.error
            && note.failed_at > note.delivered_at
        {
            print::line(&format!("{} was not reached the last time: {error}.", note.channel));
        }
    }
    Ok(Exit::Ok)
}

async fn test(config: &Config, notices: &Notices, wanted: Option<&str>) -> Result<Exit, Failure> {
    let all = notices.post.channels();
    let is_wanted =
        |channel: &&Channel| wanted.is_none_or(|wanted| channel.name() == wanted || channel.kind() == wanted);
    let named: Vec<&Channel> = all.iter().filter(is_wanted).collect();
    if named.is_empty() {
        return Err(nobody(all, wanted));
    }
    let answers = notices.try_out(&named).await;
    let have_it = answers.iter().all(|answer| answer.delivered);
    if config.json {
        print::document(&json!({ "channels": answers }));
    } else {
        for Tried {
            channel,
            delivered,
            answer,
        } in &answers
        {
            let has = if *delivered { "has it" } else { "has NOT got it" };
            print::line(&format!("{channel} {has}: {answer}."));
        }
        if !have_it {
            print::error(" help: look at the address in NOTIFICATION_URLS and whether this host may reach it");
        }
    }
    Ok(if have_it { Exit::Ok } else { Exit::RunFailed })
}

fn nobody(all: &[Channel], wanted: Option<&str>) -> Failure {
    let names: Vec<&str> = all.iter().map(Channel::name).collect();
    match wanted {
        Some(wanted) if !names.is_empty() => Failure::usage(
            format!("there is no channel {wanted}"),
            format!("those that there are: {}", names.join(", ")),
        ),
        _ => Failure::usage(
            "nobody is told: no channel is configured",
            "set NOTIFICATION_URLS, as `ntfy://ntfy.sh/topic`; docs/operating/notices.md lists all kinds",
        ),
    }
}
