//! What is due: at most one run for all the times that have come since somebody looked last. A machine that slept for a week
//! owes one backup, not seven.

use jiff::{SignedDuration, Timestamp};

use super::Schedule;

/// What has come since somebody looked last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// The job is to run, for this time.
    Run(Timestamp),
    /// This time came and went, and it is too late now.
    Missed(Timestamp),
    /// What was noted as handled lies too far ahead: begin again from now.
    Reset,
}

impl Schedule {
    /// What has come after `handled`, up to `now`. The caller notes the time that it gets as handled.
    ///
    /// `handled` may lie ahead, where a clock was set back: then nothing is due twice. Further ahead than `catch_up` it was
    /// noted by a wrong clock, which must not stop the job for a year: it counts as now, and [`Due::Reset`] says so.
    pub fn due(&self, handled: Timestamp, now: Timestamp) -> Due {
        if handled.duration_since(now) > self.patience() {
            return Due::Reset;
        }
        match self.calendar.last_fire(handled, now) {
            None => Due::Nothing,
            Some(fire) if now.duration_since(fire) <= self.patience() => Due::Run(fire),
            Some(fire) => Due::Missed(fire),
        }
    }

    pub(super) fn patience(&self) -> SignedDuration {
        SignedDuration::try_from(self.catch_up).unwrap_or(SignedDuration::MAX)
    }
}
