//! What operators are told of the runs of this process, wherever it is a service or a command. Nothing here is waited for by a
//! run: a service tells beside it, a command when it has shown how its run ended, and for no longer than [`LAST`].

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use stillpoint_adapters::clock::SystemClock;
use stillpoint_core::engine::errors::Error;
use stillpoint_core::ports::Clock;
use stillpoint_core::ports::history::{Ending, RunRecord, RunState};
use stillpoint_core::ports::notices::{ChannelNote, Notice, NoticeKind, OutboxError};
use stillpoint_notify::{Answer, Beat, Channel, Heartbeat, Patience, Place, Post, Sender, Told};
use stillpoint_web::wire::notices as wire;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::display::print;
use crate::wiring;

/// So long a command tells after its run.
const LAST: Duration = Duration::from_secs(15);

/// Of what was told last of a job these are good; everything else is bad.
const BAD: [NoticeKind; 5] = [
    NoticeKind::Failed,
    NoticeKind::Degraded,
    NoticeKind::Overdue,
    NoticeKind::NotBack,
    NoticeKind::Damage,
];

/// Where it is said that something was not told.
pub(crate) type Say = Arc<dyn Fn(String) + Send + Sync>;

/// Tells operators.
#[derive(Clone)]
pub(crate) struct Notices {
    pub(crate) post: Arc<Post>,
    pub(crate) place: Place,
    sender: Arc<Sender>,
    clock: Arc<dyn Clock>,
    heartbeats: Vec<Heartbeat>,
    events: Vec<NoticeKind>,
    patience: Patience,
    say: Say,
}

impl Notices {
    /// As it is configured. `patience` is how long a heartbeat that is not heard is sent again.
    pub(crate) fn new(config: &Config, patience: Patience, say: Say) -> Self {
        let outbox = Arc::new(wiring::outbox(config));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let sender = Arc::new(Sender::new());
        let settings = &config.notices;
        let post = Post::new(
            outbox,
            clock.clone(),
            sender.clone(),
            settings.channels.clone(),
            settings.events.clone(),
        );
        Self {
            post: Arc::new(post),
            place: place(config),
            sender,
            clock,
            heartbeats: settings.heartbeats.all.clone(),
            events: settings.events.clone(),
            patience,
            say,
        }
    }

    /// Over a post of a test's own.
    #[cfg(test)]
    pub(crate) fn by(post: Post, place: Place, clock: Arc<dyn Clock>) -> Self {
        Self {
            post: Arc::new(post),
            place,
            sender: Arc::new(Sender::new()),
            clock,
            heartbeats: Vec::new(),
            events: NoticeKind::ALL.to_vec(),
            patience: Patience::Short,
            say: Arc::new(|_| {}),
        }
    }

    /// A run begins. Returns at once.
    pub(crate) fn begun(&self, run: &RunRecord) -> JoinHandle<()> {
        let (notices, run) = (self.clone(), run.clone());
        tokio::spawn(async move {
            let beat = Beat::Began { run: run.run.clone() };
            let telling = async {
                if let Some(notice) = stillpoint_notify::begun(&run, &notices.place) {
                    notices.tell(&notice).await;
                    notices.deliver().await;
                }
            };
            tokio::join!(telling, notices.beat(&run.job, &beat));
        })
    }

    /// Notes what is to be told of a run that is over, this one or one whose process died.
    pub(crate) async fn note_end(&self, run: &RunRecord) {
        let last = self.post.outbox().last_about(&run.job, &LASTING).await;
        let was_bad = matches!(last, Ok(Some(notice)) if BAD.contains(&notice.kind));
        if let Some(notice) = stillpoint_notify::ended(run, was_bad, &self.place)
            && (notice.kind != NoticeKind::Success || self.events.contains(&notice.kind))
        {
            self.tell(&notice).await;
        }
    }

    /// Tells that a run is over that was noted, to everybody who is to hear it.
    pub(crate) async fn ended(&self, run: &RunRecord) {
        let beat = Beat::ended(run);
        tokio::join!(self.deliver(), self.beat(&run.job, &beat));
    }

    /// Notes what is to be told, without delivering it. Whether it was not told before.
    pub(crate) async fn tell(&self, notice: &Notice) -> bool {
        let Told {
            is_new,
            unnoted,
            answers,
        } = self.post.tell(notice).await;
        if let Some(why) = unnoted
            && !self.post.channels().is_empty()
        {
            (self.say)(format!("warning: {why}; it was attempted once"));
        }
        self.say_what_failed(&answers, false);
        is_new
    }

    /// Delivers what waits.
    pub(crate) async fn deliver(&self) {
        match self.post.deliver().await {
            Ok(answers) => self.say_what_failed(&answers, true),
            Err(error) if self.post.channels().is_empty() => tracing::debug!(%error, "nothing is delivered"),
            Err(error) => (self.say)(format!("warning: {error}")),
        }
    }

    fn say_what_failed(&self, answers: &[Answer], again: bool) {
        for Answer { channel, answer } in answers {
            if let Err(why) = answer {
                let again = if again {
                    "; it is attempted again by the service, or by the next run"
                } else {
                    ""
                };
                (self.say)(format!("warning: a notice did not reach {channel}: {why}{again}"));
            }
        }
    }

    async fn beat(&self, job: &str, beat: &Beat) {
        let of_job = self.heartbeats.iter().filter(|heartbeat| heartbeat.job() == job);
        let beaten = of_job.map(async |heartbeat| {
            let told = heartbeat.tell(&self.sender, &*self.clock, self.patience, beat).await;
            let outbox = self.post.outbox();
            let why = told.as_ref().err().map(String::as_str);
            if let Err(error) = outbox.answered(heartbeat.name(), self.clock.now(), why).await {
                tracing::warn!(%error, "what became of a heartbeat is not noted");
            }
            if let Some(why) = why {
                (self.say)(format!("warning: {} did not hear it: {why}", heartbeat.name()));
            }
        });
        join_all(beaten).await;
    }

    /// What a dead run left down is still down. `since` tells this from another time.
    pub(crate) async fn not_recovered(&self, error: &Error, since: Timestamp) {
        let class = error.class();
        let notice = stillpoint_notify::not_recovered(&error.to_string(), &class.hint, &self.place, since);
        self.tell(&notice).await;
    }

    /// All channels and heartbeats, with what became of the last that was sent there.
    pub(crate) async fn channels(&self) -> Result<Vec<wire::Channel>, OutboxError> {
        let known = self.post.outbox().channels().await?;
        let channels = self.post.channels().iter().map(|channel| (channel.name(), false));
        let heartbeats = self.heartbeats.iter().map(|heartbeat| (heartbeat.name(), true));
        let all = channels.chain(heartbeats).map(|(name, is_heartbeat)| wire::Channel {
            is_heartbeat,
            note: known
                .iter()
                .find(|note| note.channel == name)
                .cloned()
                .unwrap_or_else(|| ChannelNote {
                    channel: name.to_owned(),
                    ..ChannelNote::default()
                }),
        });
        Ok(all.collect())
    }

    /// Sends a test to these channels, and returns what each answered.
    pub(crate) async fn try_out(&self, channels: &[&Channel]) -> Vec<wire::Tried> {
        let notice = stillpoint_notify::test(&self.place, self.clock.now());
        let tried = channels.iter().map(|channel| self.post.try_out(channel, &notice));
        let answers = join_all(tried).await.into_iter();
        answers
            .map(|Answer { channel, answer }| wire::Tried {
                channel,
                delivered: answer.is_ok(),
                answer: answer.unwrap_or_else(|why| why),
            })
            .collect()
    }
}

/// What stands until something else of it is told.
const LASTING: [NoticeKind; 6] = [
    NoticeKind::Failed,
    NoticeKind::Degraded,
    NoticeKind::Overdue,
    NoticeKind::NotBack,
    NoticeKind::Damage,
    NoticeKind::Recovered,
];

/// Where notices come from.
pub(crate) fn place(config: &Config) -> Place {
    Place {
        host: wiring::host(),
        platform: config.project().map(|project| project.to_string()),
        zone: config.zone.clone(),
        pages: config.access.rules.public.as_ref().map(ToString::to_string),
    }
}

/// What a command has still to tell when its run is over.
pub(crate) struct Telling {
    pub(crate) notices: Notices,
    pub(crate) begun: JoinHandle<()>,
    /// The run, and those that were found dead beside it.
    pub(crate) over: Vec<RunRecord>,
}

impl Telling {
    /// Tells it, for no longer than [`LAST`]. How the run ended is not touched by what becomes of it.
    pub(crate) async fn finish(self) {
        let Self { notices, begun, over } = self;
        let telling = async {
            for run in &over {
                notices.note_end(run).await;
            }
            let _ = begun.await;
            for run in &over {
                notices.ended(run).await;
            }
        };
        if tokio::time::timeout(LAST, telling).await.is_err() {
            (notices.say)(format!(
                "warning: not everybody was told within {} s; what is noted is told by the service, or by the next run",
                LAST.as_secs()
            ));
        }
    }
}

/// A run as it is when it is over.
pub(crate) fn over(run: RunRecord, ending: &Ending, at: Timestamp) -> RunRecord {
    let state: RunState = stillpoint_core::history::state_after(ending);
    RunRecord {
        state,
        ended_at: run.ended_at.or(Some(at)),
        ending: Some(ending.clone()),
        ..run
    }
}

/// Notes of runs that were found dead that they failed, for whoever delivers next: the service, or the next run.
pub(crate) async fn note_died(config: &Config, died: &[RunRecord]) {
    if died.is_empty() {
        return;
    }
    let say: Say = Arc::new(|line| print::error(&line));
    let notices = Notices::new(config, Patience::Short, say);
    for run in died {
        notices.note_end(run).await;
    }
}

/// What is told after platforms were looked after that runs left down: of the runs that died, and that it did not work, if so.
pub(crate) async fn after_recovery(config: &Config, recovered: Result<&(), &Error>) {
    let say: Say = Arc::new(|line| print::error(&line));
    let notices = Notices::new(config, Patience::Short, say);
    let telling = async {
        let historian = wiring::historian(config);
        let died = wiring::tidy_up(config, &historian).await.unwrap_or_default();
        for run in &died {
            notices.note_end(run).await;
        }
        if let Err(error) = recovered {
            notices.not_recovered(error, historian.clock.now()).await;
        }
        notices.deliver().await;
        for run in &died {
            notices.ended(run).await;
        }
    };
    // What is noted is delivered later.
    let _ = tokio::time::timeout(LAST, telling).await;
}
