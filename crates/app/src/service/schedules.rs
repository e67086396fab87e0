//! Has runs begin whose time has come. What was handled is noted before a run is asked for: a death in between costs a run,
//! which is then overdue, and never makes two.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stillpoint_core::ports::history::{Asked, ScheduleNote, Way};
use stillpoint_core::schedule::Due;
use tokio_util::sync::CancellationToken;

use super::Submission;
use super::daemon::Daemon;
use crate::config::Planned;
use crate::display::words;

/// No longer than this between two looks: clocks jump, hosts sleep, schedules are switched.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Looks until it is told to end.
pub(super) async fn keep(daemon: Arc<Daemon>, over: CancellationToken) {
    let mut keeper = Keeper {
        daemon,
        known: BTreeMap::new(),
        is_told: false,
    };
    while !over.is_cancelled() {
        keeper.look().await;
        let pause = keeper.pause();
        let _ = over.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

struct Keeper {
    daemon: Arc<Daemon>,
    /// What is known of each job, also where it cannot be noted.
    known: BTreeMap<&'static str, Known>,
    /// That the history fails has been told.
    is_told: bool,
}

#[derive(Clone, Copy)]
struct Known {
    is_on: bool,
    handled: Timestamp,
}

impl Keeper {
    async fn look(&mut self) {
        let notes = self.notes().await;
        let daemon = self.daemon.clone();
        for planned in &daemon.config.schedules {
            let note = notes.iter().flatten().find(|note| note.job == planned.job);
            let is_new = notes.is_some() && note.is_none_or(|note| note.handled.is_none());
            self.look_at(planned, note, is_new).await;
        }
    }

    async fn notes(&mut self) -> Option<Vec<ScheduleNote>> {
        let historian = &self.daemon.historian;
        let notes = historian.bounded("read", historian.history.schedules()).await;
        match notes {
            Ok(notes) => {
                self.is_told = false;
                Some(notes)
            }
            Err(error) => {
                self.tell(&error.to_string());
                None
            }
        }
    }

    fn tell(&mut self, failure: &str) {
        if !std::mem::replace(&mut self.is_told, true) {
            self.daemon.log.say(format!(
                "warning: {failure}; the schedules go on as they were switched last"
            ));
        }
    }

    async fn look_at(&mut self, planned: &Planned, note: Option<&ScheduleNote>, is_new: bool) {
        let now = self.daemon.now();
        let known = self.known.get(planned.job).copied();
        let Known { is_on, handled } = merged(known, note, now);
        self.known.insert(planned.job, Known { is_on, handled });
        if is_new {
            self.note(planned.job, handled).await;
        }
        if !is_on {
            return;
        }
        match planned.schedule.due(handled, now) {
            Due::Nothing => {}
            Due::Reset => {
                self.known.insert(planned.job, Known { is_on, handled: now });
                self.note(planned.job, now).await;
            }
            Due::Missed(fire) => {
                self.handled(planned.job, fire).await;
                self.daemon.log.say(format!(
                    "warning: {} was to begin at {}, and it is too late to make up for it: it is overdue",
                    planned.job,
                    words::local(fire)
                ));
            }
            Due::Run(fire) => {
                self.handled(planned.job, fire).await;
                self.ask_for(planned, fire).await;
            }
        }
    }

    async fn ask_for(&self, planned: &Planned, fire: Timestamp) {
        if self.daemon.has(planned.job) {
            let at = words::local(fire);
            self.daemon.log.say(format!(
                "{} is not asked for again at {at}: one waits or is at work",
                planned.job
            ));
            return;
        }
        let submission = Submission {
            order: planned.order.clone(),
            platform: None,
            asked: Asked {
                way: Way::Schedule,
                by: format!("{} for {}", planned.schedule.calendar.expression(), words::local(fire)),
            },
        };
        self.daemon.submit(submission).await;
    }

    async fn handled(&mut self, job: &'static str, fire: Timestamp) {
        if let Some(known) = self.known.get_mut(job) {
            known.handled = fire;
        }
        self.note(job, fire).await;
    }

    async fn note(&mut self, job: &str, handled: Timestamp) {
        let historian = &self.daemon.historian;
        let noted = historian
            .bounded("written", historian.history.handled(job, handled))
            .await;
        if let Err(error) = noted {
            self.tell(&error.to_string());
        }
    }

    /// Until the next time comes, but not for long.
    fn pause(&self) -> Duration {
        let now = self.daemon.now();
        let next = self.daemon.config.schedules.iter();
        let next = next
            .flat_map(|planned| planned.schedule.calendar.next_fires(now, 1))
            .min();
        let until = next.map_or(LOOK_AGAIN, |next| next.duration_since(now).unsigned_abs());
        until.min(LOOK_AGAIN)
    }
}

/// What is noted counts, but for what was handled since. A job that was switched on owes nothing from before.
fn merged(known: Option<Known>, note: Option<&ScheduleNote>, now: Timestamp) -> Known {
    let noted = note.and_then(|note| {
        note.handled
            .max(note.switched_at.filter(|_| note.is_on).map(|at| at.min(now)))
    });
    let known_handled = known.map(|known| known.handled);
    Known {
        is_on: match (note, known) {
            (Some(note), _) => note.is_on,
            (None, Some(known)) => known.is_on,
            (None, None) => true,
        },
        handled: noted.max(known_handled).unwrap_or(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(hour)
    }

    fn note(is_on: bool, switched_at: Option<Timestamp>, handled: Option<Timestamp>) -> ScheduleNote {
        ScheduleNote {
            job: "backup_job".to_owned(),
            is_on,
            switched_by: None,
            switched_at,
            known_since: None,
            handled,
        }
    }

    #[test]
    fn a_job_that_nobody_knows_is_on_and_owes_nothing() {
        let Known { is_on, handled } = merged(None, None, at(9));
        assert_eq!((is_on, handled), (true, at(9)));
    }

    #[test]
    fn what_was_switched_on_owes_nothing_from_before() {
        let noted = note(true, Some(at(5)), Some(at(1)));
        assert_eq!(merged(None, Some(&noted), at(9)).handled, at(5));
        // Nor does a wrong clock at the switch put off what comes.
        let noted = note(true, Some(at(1000)), Some(at(1)));
        assert_eq!(merged(None, Some(&noted), at(9)).handled, at(9));
    }

    #[test]
    fn where_nothing_can_be_read_it_stays_as_it_was() {
        let off = Known {
            is_on: false,
            handled: at(3),
        };
        let Known { is_on, handled } = merged(Some(off), None, at(9));
        assert_eq!((is_on, handled), (false, at(3)));
        // What was handled and could not be noted is not handled again.
        let noted = note(true, None, Some(at(1)));
        assert_eq!(merged(Some(off), Some(&noted), at(9)).handled, at(3));
    }
}
