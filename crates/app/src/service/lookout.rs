//! Looks for what no run tells of: jobs that are overdue, the end of a week, notices that wait for their next attempt. What was
//! told stands in the outbox: nothing is told twice, also by another service after this one.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use stillpoint_core::history::Historian;
use stillpoint_core::schedule::Calendar;
use stillpoint_web::wire::{Schedule, Standing};
use tokio_util::sync::CancellationToken;

use super::daemon::Daemon;
use super::listed;
use crate::config::Planned;
use crate::display::words;
use crate::notices::Notices;

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// A week is told up to so long after its end, where no service ran at its time.
const LATE: SignedDuration = SignedDuration::from_hours(12);

const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

/// So many runs are looked through for a week.
const RUNS: u32 = 2000;

/// Looks and delivers until it is told to end.
pub(super) fn keep(daemon: &Arc<Daemon>, over: &CancellationToken) -> impl Future<Output = ()> + use<> {
    let lookout = Lookout {
        planned: daemon.config.schedules.clone(),
        digest: daemon.config.notices.digest.clone(),
        historian: daemon.historian.clone(),
        notices: daemon.notices.clone(),
        unreadable: None,
    };
    lookout.begin(over)
}

struct Lookout {
    planned: Vec<Planned>,
    digest: Option<Calendar>,
    historian: Historian,
    notices: Notices,
    /// Since when the history cannot be read.
    unreadable: Option<Timestamp>,
}

impl Lookout {
    fn begin(mut self, over: &CancellationToken) -> impl Future<Output = ()> + use<> {
        let notices = self.notices.clone();
        let (looks, delivers) = (over.clone(), over.clone());
        let looking = tokio::spawn(async move {
            while !looks.is_cancelled() {
                // What it does is noted step by step: it may be dropped in between.
                let _ = looks.run_until_cancelled(self.look()).await;
                let _ = looks.run_until_cancelled(tokio::time::sleep(LOOK_AGAIN)).await;
            }
        });
        // Apart from that: who does not answer holds up no look.
        let delivering = tokio::spawn(async move {
            while !delivers.is_cancelled() {
                let _ = delivers.run_until_cancelled(notices.deliver()).await;
                let _ = delivers.run_until_cancelled(tokio::time::sleep(LOOK_AGAIN)).await;
            }
        });
        async move {
            let _ = tokio::join!(looking, delivering);
        }
    }

    async fn look(&mut self) {
        let now = self.historian.clock.now();
        let history = self.historian.history.clone();
        let standing = listed::standing(&self.planned, &*history, now);
        let notices = self.notices.clone();
        match self.historian.bounded("read", standing).await {
            Ok(schedules) => {
                self.unreadable = None;
                for schedule in &schedules {
                    if let (Some(since), Some(reason)) = (schedule.overdue_since, &schedule.reason) {
                        let place = &notices.place;
                        let notice = stillpoint_notify::overdue(&schedule.job, since, reason, place, now);
                        if notices.tell(&notice).await {
                            let told = notices.clone();
                            tokio::spawn(async move { told.deliver().await });
                        }
                    }
                }
                self.tell_the_week(&schedules, now).await;
            }
            Err(error) if self.unreadable.is_none() => {
                self.unreadable = Some(now);
                let notice = stillpoint_notify::unreadable(&error.to_string(), &notices.place, now);
                notices.tell(&notice).await;
            }
            Err(_) => {}
        }
    }

    async fn tell_the_week(&self, schedules: &[Schedule], now: Timestamp) {
        let fire = self
            .digest
            .as_ref()
            .and_then(|calendar| calendar.last_fire(now - LATE, now));
        let Some(fire) = fire else { return };
        let Ok(runs) = self
            .historian
            .bounded("read", self.historian.history.runs(None, RUNS))
            .await
        else {
            return;
        };
        let jobs: Vec<(String, String)> = schedules
            .iter()
            .map(|schedule| (schedule.job.clone(), standing(schedule)))
            .collect();
        let notice = stillpoint_notify::digest(&runs, &jobs, fire - WEEK, fire, &self.notices.place);
        self.notices.tell(&notice).await;
    }
}

fn standing(schedule: &Schedule) -> String {
    let next = schedule.next.first().map(|next| words::local(*next));
    let next = next.map(|next| format!(", next {next}")).unwrap_or_default();
    match schedule.standing {
        Standing::OnTime => format!("on time{next}"),
        Standing::Overdue => format!("OVERDUE{next}"),
        Standing::Off => "switched off".to_owned(),
        Standing::NeverHeeded => format!("not due yet{next}"),
    }
}

#[cfg(test)]
mod tests;
