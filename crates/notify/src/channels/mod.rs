//! Channels: who is told, and in which shape. An address makes one; each kind has a file with what it understands and what
//! it sends.

mod apprise;
mod discord;
mod gotify;
mod mail;
mod ntfy;
mod slack;
mod teams;
mod telegram;
mod webhook;
mod words;

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;
use stillpoint_core::ports::notices::Notice;

use crate::address::{Parts, Refusal, parted};
use crate::sender::Call;

pub(crate) use self::mail::Mail;
#[cfg(test)]
pub(crate) use self::webhook::signature;

/// The schemes that are understood, as operators write them.
const SCHEMES: &str = "apprise, apprises, discord, generic+https, gotify, ntfy, slack, smtp, smtps, teams, teams+https, telegram, \
                       webhook+https";

/// Makes a request of a notice.
pub(crate) trait Shape: Send + Sync {
    /// The request.
    fn call(&self, notice: &Notice) -> Call;

    /// Looks into what was answered: some say with 200 that they have not taken it.
    fn check(&self, _answer: &str) -> Result<(), String> {
        Ok(())
    }
}

/// How a notice gets there.
pub(crate) enum Way {
    Http(Box<dyn Shape>),
    Mail(Box<Mail>),
}

/// What an address has become.
pub(crate) struct Made {
    kind: &'static str,
    host: String,
    secrets: Vec<SecretString>,
    way: Way,
}

impl Made {
    fn http(kind: &'static str, host: String, secrets: Vec<String>, shape: impl Shape + 'static) -> Self {
        Self {
            kind,
            host,
            secrets: secrets.into_iter().map(SecretString::from).collect(),
            way: Way::Http(Box::new(shape)),
        }
    }
}

/// Somebody who is told.
pub struct Channel {
    name: String,
    kind: &'static str,
    pub(crate) secrets: Vec<SecretString>,
    pub(crate) way: Way,
}

impl Channel {
    /// Its name: kind and host, and a number where there are several of both.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({})", self.name)
    }
}

/// The channels that were named.
#[derive(Debug, Default)]
pub struct Channels {
    /// Each, in the order of its address.
    pub all: Vec<Channel>,
    /// What was said of them and has no effect.
    pub warnings: Vec<String>,
}

/// Reads a list of addresses.
pub fn channels(text: &str) -> Result<Channels, Refusal> {
    let mut read = Channels::default();
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    for (position, address) in parted(text).into_iter().enumerate() {
        let position = position + 1;
        let scheme = address.split("://").next().filter(|scheme| *scheme != address);
        let of = |Refusal(why)| match scheme {
            Some(scheme) => Refusal(format!("address {position} ({scheme}://…): {why}")),
            None => Refusal(format!("address {position}: {why}")),
        };
        let mut parts = Parts::of(address).map_err(of)?;
        let made = made(&mut parts).map_err(of)?;
        let unheeded = parts.unheeded();
        if !unheeded.is_empty() {
            let list = unheeded.join("`, `");
            let scheme = &parts.scheme;
            read.warnings.push(format!(
                "address {position} ({scheme}://…): `{list}` has no effect here"
            ));
        }
        for made in made {
            let name = format!("{}:{}", made.kind, made.host);
            let number = names.entry(name.clone()).or_default();
            *number += 1;
            read.all.push(Channel {
                name: if *number == 1 { name } else { format!("{name}-{number}") },
                kind: made.kind,
                secrets: made.secrets,
                way: made.way,
            });
        }
    }
    Ok(read)
}

fn made(parts: &mut Parts) -> Result<Vec<Made>, Refusal> {
    let one = |made: Made| vec![made];
    match parts.scheme.as_str() {
        "webhook" | "generic" => webhook::read(parts).map(one),
        "smtp" | "smtps" => mail::read(parts).map(one),
        "slack" => slack::read(parts).map(one),
        "discord" => discord::read(parts).map(one),
        "teams" => teams::read(parts).map(one),
        "ntfy" => ntfy::read(parts).map(one),
        "gotify" => gotify::read(parts).map(one),
        "telegram" => telegram::read(parts),
        "apprise" | "apprises" => apprise::read(parts).map(one),
        "http" | "https" => Err(Refusal(format!(
            "it does not say what receives it: write `webhook+https://…` for JSON of our own, `teams+https://…` for a workflow of \
             Teams, or one of {SCHEMES}"
        ))),
        _ => Err(Refusal(format!(
            "nothing is known of this kind; those that are known: {SCHEMES}; an Apprise server passes on to others"
        ))),
    }
}
