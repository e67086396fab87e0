//! Heartbeats: whoever watches from outside is told that a job begins and how it ends, and raises an alarm when he hears
//! nothing. Healthchecks and what speaks like it: `…`, `…/start`, `…/fail`, with the run as `rid`; Uptime Kuma's push.
//!
//! A run that is degraded or was cut off is told as failed: the safe side is the one on which somebody looks.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use stillpoint_core::names::RunId;
use stillpoint_core::ports::Clock;
use stillpoint_core::ports::history::{RunRecord, RunState};

use crate::address::{Refusal, parted};
use crate::hex::hex;
use crate::sender::{ATTEMPT, Call, Sender, hidden, late};

/// When one that was not heard is sent again, counted from each failure.
const AGAIN: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(30), Duration::from_mins(5)];

/// How long a heartbeat that was not heard is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Once more, at once: somebody waits.
    Short,
    /// For some minutes.
    Long,
}

/// So much of a reason is told.
const TOLD: usize = 200;

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    /// A run begins.
    Began {
        /// Which.
        run: RunId,
    },
    /// A run has ended.
    Ended {
        /// Which.
        run: RunId,
        /// It did what it was to do.
        well: bool,
        /// In a line: how.
        message: String,
        /// How long it took, in milliseconds.
        millis: u64,
    },
}

impl Beat {
    /// How this run has ended.
    pub fn ended(run: &RunRecord) -> Self {
        let well = run.state == RunState::Success;
        let ending = run.ending.as_ref();
        let reason = ending.and_then(|ending| ending.reason.as_deref().or(ending.said.as_deref()));
        let line = reason.and_then(|text| text.lines().next()).unwrap_or_default();
        let word = if well { "OK" } else { run.state.name() };
        let took = run.ended_at.zip(run.started_at);
        let took = took.map(|(ended, began)| ended.duration_since(began).as_millis());
        Self::Ended {
            run: run.run.clone(),
            well,
            message: if well || line.is_empty() {
                word.to_owned()
            } else {
                format!("{word}: {}", line.chars().take(TOLD).collect::<String>())
            },
            millis: took.and_then(|millis| u64::try_from(millis).ok()).unwrap_or_default(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Healthchecks,
    Kuma,
}

/// Who listens for a job.
#[derive(Clone)]
pub struct Heartbeat {
    job: String,
    name: String,
    manner: Manner,
    url: Url,
    secrets: Vec<SecretString>,
}

impl std::fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Heartbeat({})", self.name)
    }
}

/// The heartbeats that were named.
#[derive(Clone, Debug, Default)]
pub struct Heartbeats {
    /// Each, in the order of its address.
    pub all: Vec<Heartbeat>,
}

/// Reads a list of `JOB=ADDRESS`. `known` are the jobs that there are.
pub fn heartbeats(text: &str, known: &[&str]) -> Result<Heartbeats, Refusal> {
    let mut all: Vec<Heartbeat> = Vec::new();
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    for (position, part) in parted(text).into_iter().enumerate() {
        let position = position + 1;
        let Some((job, address)) = part.split_once('=').filter(|(job, _)| !job.contains("://")) else {
            let why = format!("heartbeat {position} names no job: write `backup_job=https://…`");
            return Err(Refusal(why));
        };
        let job = [job.to_owned(), format!("{job}_job")];
        let Some(job) = job.iter().find(|job| known.contains(&job.as_str())) else {
            let known = known.join(", ");
            return Err(Refusal(format!(
                "heartbeat {position}: there is no such job; those that there are: {known}"
            )));
        };
        let mut heartbeat = heartbeat(job, address).map_err(|Refusal(why)| {
            let why = format!("heartbeat {position} (of {job}): {why}");
            Refusal(why)
        })?;
        let number = names.entry(heartbeat.name.clone()).or_default();
        *number += 1;
        if *number > 1 {
            heartbeat.name = format!("{}-{number}", heartbeat.name);
        }
        all.push(heartbeat);
    }
    Ok(Heartbeats { all })
}

fn heartbeat(job: &str, address: &str) -> Result<Heartbeat, Refusal> {
    let mut url = Url::parse(address).map_err(|why| Refusal(format!("it is no address ({why})")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refusal(
            "it begins neither with `https://` nor with `http://`".to_owned(),
        ));
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    let is_kuma = url.path().contains("/api/push/");
    if is_kuma {
        // What Kuma shows to be copied has values of its own.
        url.set_query(None);
    }
    let path = url.path_segments().into_iter().flatten();
    let mut secrets: Vec<SecretString> = path.filter(|part| part.len() >= 8).map(SecretString::from).collect();
    secrets.extend(
        url.password()
            .filter(|password| !password.is_empty())
            .map(SecretString::from),
    );
    Ok(Heartbeat {
        job: job.to_owned(),
        name: format!("heartbeat:{job}:{host}"),
        manner: if is_kuma { Manner::Kuma } else { Manner::Healthchecks },
        url,
        secrets,
    })
}

impl Heartbeat {
    /// The job that it is about.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// What it is called: its job and the host that listens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is sent, if this listener wants to hear it.
    fn call(&self, beat: &Beat) -> Option<Call> {
        let mut url = self.url.clone();
        let mut body = String::new();
        match (self.manner, beat) {
            (Manner::Kuma, Beat::Began { .. }) => return None,
            (
                Manner::Kuma,
                Beat::Ended {
                    well, message, millis, ..
                },
            ) => {
                url.query_pairs_mut()
                    .append_pair("status", if *well { "up" } else { "down" })
                    .append_pair("msg", message)
                    .append_pair("ping", &millis.to_string());
            }
            (Manner::Healthchecks, Beat::Began { run }) => {
                url = below(&url, "start");
                url.query_pairs_mut().append_pair("rid", &uuid(run));
            }
            (Manner::Healthchecks, Beat::Ended { run, well, message, .. }) => {
                if !well {
                    url = below(&url, "fail");
                }
                url.query_pairs_mut().append_pair("rid", &uuid(run));
                body.clone_from(message);
            }
        }
        Some(Call {
            url,
            headers: Vec::new(),
            basic: None,
            body,
            content_type: "text/plain; charset=utf-8",
        })
    }

    /// Tells it, and again if need be. Returns why it was not heard the last time.
    pub async fn tell(
        &self,
        sender: &Sender,
        clock: &dyn Clock,
        patience: Patience,
        beat: &Beat,
    ) -> Result<(), String> {
        let mut told = self.attempt(sender, beat).await;
        let pauses = match patience {
            Patience::Short => &AGAIN[..1],
            Patience::Long => &AGAIN[..],
        };
        for pause in pauses.iter().copied() {
            if told.is_ok() {
                break;
            }
            clock.sleep(pause).await;
            told = self.attempt(sender, beat).await;
        }
        told
    }

    async fn attempt(&self, sender: &Sender, beat: &Beat) -> Result<(), String> {
        let Some(call) = self.call(beat) else { return Ok(()) };
        let sent = tokio::time::timeout(ATTEMPT, sender.call(call)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(hidden(&why, &self.secrets)),
            Err(_) => Err(late()),
        }
    }
}

fn below(url: &Url, word: &str) -> Url {
    let mut url = url.clone();
    let path = format!("{}/{word}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// Healthchecks wants a UUID; the same run has the same one.
fn uuid(run: &RunId) -> String {
    let hash = Sha256::digest(run.as_str().as_bytes());
    let mut bytes: Vec<u8> = hash.iter().copied().take(16).collect();
    if let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes[..] {
        // Version 8 of RFC 9562: ours to make.
        *version = (*version & 0x0f) | 0x80;
        *variant = (*variant & 0x3f) | 0x80;
    }
    let hex = hex(&bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}
