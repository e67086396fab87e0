//! Whether a job does what its schedule promises. *Overdue* is found out here, from what succeeded: it does not depend on
//! anybody having told of a failure.

use jiff::Timestamp;

use super::Schedule;

/// How a scheduled job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Every time that has come was followed by a success, or there is still time for one.
    OnTime,
    /// A time has come, and `catch_up` later there was no success.
    Overdue {
        /// The first time that was not met.
        since: Timestamp,
        /// What is known of why.
        reason: String,
    },
}

/// What is known of a job's runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Success {
    /// When the last run began that succeeded.
    pub began: Option<Timestamp>,
    /// When a run began that is still at work.
    pub at_work: Option<Timestamp>,
    /// The last run that did not succeed, in words: when, what, why.
    pub failure: Option<String>,
}

impl Schedule {
    /// How the job stands at `now`, where it counts from `since` on: from when it was switched on.
    pub fn standing(&self, since: Timestamp, runs: &Success, now: Timestamp) -> Standing {
        let met = runs.began.max(runs.at_work).unwrap_or(since).max(since);
        let late = now.checked_sub(self.patience()).unwrap_or(Timestamp::MIN);
        // A run for a time begins at it or after it.
        match self.calendar.next_fires(met, 1).first().copied() {
            Some(fire) if fire < late => Standing::Overdue {
                since: fire,
                reason: reason(runs),
            },
            _ => Standing::OnTime,
        }
    }
}

fn reason(runs: &Success) -> String {
    let last = match runs.began {
        Some(began) => format!("the last success began at {began}"),
        None => "it has never succeeded".to_owned(),
    };
    match &runs.failure {
        Some(failure) => format!("{last}; {failure}"),
        None => format!("{last}, and no run has begun since: the service did not run at the time"),
    }
}
