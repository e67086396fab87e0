//! `stillpoint notify ls` and `test`.

use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::ports::notices::ChannelNote;
use stillpoint_notify::{Answer, Channel, Patience};

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
    let notices = Notices::new(config, Patience::Short, Arc::new(|line| print::error(&line)))?;
    match command {
        Command::Ls => list(config, &notices).await,
        Command::Test { channel } => test(config, &notices, channel.as_deref()).await,
    }
}

async fn list(config: &Config, notices: &Notices) -> Result<Exit, Failure> {
    let known = notices
        .post
        .outbox()
        .channels()
        .await
        .map_err(|error| Failure::usage(error.to_string(), "look at the state directory: its disk, its owner"))?;
    let names = notices.names();
    let note = |name: &String| {
        let known = known.iter().find(|note| note.channel == *name).cloned();
        known.unwrap_or_else(|| ChannelNote {
            channel: name.clone(),
            ..ChannelNote::default()
        })
    };
    let notes: Vec<ChannelNote> = names.iter().map(note).collect();
    if config.json {
        print::document(&json!({ "channels": notes }));
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
    let notice = stillpoint_notify::test(&notices.place, Timestamp::now());
    let tried = named.iter().map(|channel| notices.post.try_out(channel, &notice));
    let answers = join_all(tried).await;
    let have_it = answers.iter().all(|answer| answer.answer.is_ok());
    if config.json {
        let told = |Answer { channel, answer }: &Answer| {
            json!({
                "channel": channel,
                "delivered": answer.is_ok(),
                "answer": answer.as_ref().unwrap_or_else(|why| why),
            })
        };
        print::document(&json!({ "channels": answers.iter().map(told).collect::<Vec<_>>() }));
    } else {
        for Answer { channel, answer } in &answers {
            print::line(&match answer {
                Ok(answer) => format!("{channel} has it ({answer})."),
                Err(why) => format!("{channel} has NOT got it: {why}."),
            });
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
