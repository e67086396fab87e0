//! The service: one process that runs the schedules, lines up what is asked for, and does it. What a platform needs to be
//! brought back hangs on none of it: a service that dies leaves what a command that dies leaves.

mod client;
mod daemon;
mod feed;
pub(crate) mod listed;
mod listing;
mod log;
mod lookout;
mod platform;
mod port;
mod schedules;
pub(crate) mod site;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::events::{Event, Listener};
use stillpoint_core::operations::{Local, Operations, RunRequest};
use stillpoint_notify::Patience;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub(crate) use self::client::Client;
use self::daemon::Daemon;
use self::log::Log;
use self::platform::Served;
use crate::commands::after_a_death;
use crate::config::Config;
use crate::display::{plain, words};
use crate::failure::Failure;
use crate::notices::Notices;
use crate::wiring;
use stillpoint_web::wire::overview::Overview;
pub(crate) use stillpoint_web::wire::{Problem, Service, Submission, Told};

/// Between two attempts to bring back what died, while no engine answers.
const AGAIN: Duration = Duration::from_secs(15);

/// So long listeners may take to hear the last.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How the platform stands, as the page *Overview* says it; no service needs to run.
pub(crate) async fn overview(config: &Config) -> Result<Overview, Failure> {
    let operations = wiring::operations(config).await?;
    let log = Log::start();
    let say = log.clone();
    let notices = Notices::new(config, Patience::Short, Arc::new(move |line| say.say(line)));
    let daemon = Arc::new(Daemon::new(config.clone(), operations, notices, log));
    Ok(stillpoint_web::overview(Arc::new(Served(daemon))).await)
}

/// Runs until it is told to end.
pub(crate) async fn serve(config: &Config) -> Result<Exit, Failure> {
    let state_dir = &config.platform.state_dir;
    let failed = |error: std::io::Error| {
        let what = format!("no socket can be opened in {}: {error}", state_dir.display());
        Failure::usage(what, "the state directory must be on a local disk and ours")
    };
    let Some(socket) = socket::open(state_dir).map_err(failed)? else {
        return Err(runs_already(config).await);
    };
    let mut signals = Signals::new().map_err(failed)?;
    let operations = wiring::operations(config).await?;
    // What a run says is read on the pages, beside their own times.
    words::tell_times_in(config.zone.clone());
    let log = Log::start();
    let say = log.clone();
    let notices = Notices::new(config, Patience::Long, Arc::new(move |line| say.say(line)));
    let back = Back {
        config: config.clone(),
        since: operations.machine().clock.now(),
        notices: notices.clone(),
        log: log.clone(),
    };
    let port = match port::open(config).await {
        Ok(port) => port,
        Err(failure) => {
            // What died is brought back whatever else fails.
            bring_back(back, &operations).await;
            return Err(failure);
        }
    };
    let daemon = Arc::new(Daemon::new(config.clone(), operations, notices, log.clone()));
    log.say(format!(
        "the service runs: process {}, socket {}",
        std::process::id(),
        socket::path(state_dir).display()
    ));
    let (over, end) = (CancellationToken::new(), CancellationToken::new());
    let server = axum::serve(socket.listener, stillpoint_web::local(Arc::new(Served(daemon.clone()))));
    let server = tokio::spawn(
        server
            .with_graceful_shutdown(end.clone().cancelled_owned())
            .into_future(),
    );
    let pages = match port {
        Some(port) => Some(port.serve(&daemon, end.clone()).await),
        None => None,
    };
    let lookout = lookout::keep(&daemon, &over);
    // Who looks at the pages meanwhile sees what stands; what he asks for waits.
    let began = async {
        bring_back(back, &daemon.operations).await;
        if over.is_cancelled() {
            return;
        }
        take_up(&daemon).await;
        daemon.open();
        schedules::keep(daemon.clone(), over.clone()).await;
    };
    let told = async {
        signals.next().await;
        over.cancel();
    };
    tokio::join!(began, told);
    lookout.await;
    finish(&daemon, config.grace, &mut signals).await;
    end.cancel();
    // What is noted by then is told by the next service.
    let _ = tokio::time::timeout(LAST_WORDS, daemon.told()).await;
    // Who does not listen is not waited for.
    let _ = tokio::time::timeout(LAST_WORDS, server).await;
    if let Some(pages) = pages {
        let _ = tokio::time::timeout(LAST_WORDS, pages).await;
    }
    let _ = std::fs::remove_file(socket::path(state_dir));
    log.say("the service has ended");
    log.flush();
    Ok(Exit::Ok)
}

async fn runs_already(config: &Config) -> Failure {
    let state_dir = &config.platform.state_dir;
    let who = match Client::find(state_dir).await {
        Some(client) => {
            let Service {
                process, host, since, ..
            } = client.service;
            format!("process {process} on {host}, since {since}")
        }
        None => "a process that does not answer".to_owned(),
    };
    Failure::Ended(Box::new(stillpoint_core::ports::history::Ending {
        exit: Some(Exit::Held as u8),
        reason: Some(format!("the service of {} runs already: {who}", state_dir.display())),
        hint: Some("end that one first, or give this one a state directory of its own".to_owned()),
        ..Default::default()
    }))
}

/// Begins nothing more, lets what is at work come to its end, and after the grace, or when it is told again, undoes it.
async fn finish(daemon: &Arc<Daemon>, grace: Duration, signals: &mut Signals) {
    daemon.log.say(format!(
        "the service ends: no run begins any more; what is at work has {} s, then it is undone",
        grace.as_secs()
    ));
    daemon.close();
    tokio::select! {
        () = daemon.idle() => {}
        () = tokio::time::sleep(grace) => daemon.cancel_all(),
        () = signals.next() => daemon.cancel_all(),
    }
    daemon.idle().await;
    daemon.let_go();
}

/// What died before is closed, and what waited is queued again.
async fn take_up(daemon: &Arc<Daemon>) {
    let closed = wiring::tidy_up(&daemon.config, &daemon.historian).await;
    let taken_up = match closed {
        Ok(died) => {
            daemon.tell_of(died, None);
            daemon.take_up().await
        }
        Err(failed) => Err(failed),
    };
    if let Err(error) = taken_up {
        daemon.log.say(format!("warning: {error}"));
    }
}

/// What is at hand when what dead runs left down is brought back.
#[derive(Clone)]
struct Back {
    config: Config,
    /// Since when the service runs: of one service it is told once that it does not work.
    since: Timestamp,
    notices: Notices,
    log: Log,
}

/// Brings back what dead runs left down. Where no engine answers yet, it is tried again in the background: the engine may
/// start after the service.
async fn bring_back(back: Back, operations: &Local) {
    if !back.tried(operations).await {
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                if let Ok(operations) = wiring::operations(&back.config).await
                    && back.tried(&operations).await
                {
                    return;
                }
            }
        });
    }
}

impl Back {
    /// False: there is no engine that could be asked.
    async fn tried(&self, operations: &Local) -> bool {
        let recover = || {
            operations.recover(RunRequest {
                run: None,
                platform: self.config.project(),
                listener: Arc::new(Recovery(self.log.clone())),
                cancel: CancellationToken::new(),
            })
        };
        match after_a_death(recover).await {
            Ok(()) => true,
            Err(error) => {
                let has_engine = !matches!(error, Error::Engine(_));
                if has_engine {
                    // It is delivered beside what the service does next.
                    self.notices.not_recovered(&error, self.since).await;
                }
                let ending = Failure::from(error).ending();
                let told = [ending.reason, ending.hint].into_iter().flatten();
                self.log
                    .say(format!("recovery: {}", told.collect::<Vec<_>>().join("; ")));
                has_engine
            }
        }
    }
}

/// Tells the log what is brought back.
struct Recovery(Log);

impl Listener for Recovery {
    fn hear(&self, event: &Event) {
        if let Some(line) = plain::line(event) {
            self.0.say(format!("recovery: {line}"));
        }
    }
}

/// What tells a service to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
