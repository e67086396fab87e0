//! The rules themselves. Each looks at one directory and at a few facts about all of them; none
//! may let what is not complete decide about what is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{CLOCK_TOLERANCE, Entry, Policy, REMAINS_STAY, Reason, Standing, Verdict};
use crate::names::BackupId;

/// The rules at one moment, for one repository.
pub(super) struct Rules {
    policy: Policy,
    now: Timestamp,
    /// The complete backups that count and stay, and why each does.
    staying: BTreeMap<BackupId, Reason>,
    /// The newest partial one of those that are not out of retention.
    newest_partial: Option<BackupId>,
    /// Whether anything complete stays, counted or not.
    something_complete: bool,
}

impl Rules {
    pub(super) fn new(entries: &[Entry], policy: Policy, now: Timestamp) -> Self {
        let of = |standing| entries.iter().filter(move |entry| entry.standing == standing);
        let countable = |entry: &&Entry| entry.exempt.is_none() && !is_future(entry.id.timestamp(), now);
        let mut rules = Self {
            policy,
            now,
            staying: BTreeMap::new(),
            newest_partial: of(Standing::Partial).filter(countable).map(|entry| entry.id).max(),
            // If there is one, one stays: the newest of those that count, or one that does not count.
            something_complete: of(Standing::Complete).next().is_some(),
        };
        let complete = of(Standing::Complete).filter(countable);
        rules.staying = rules.stay(complete.map(|entry| entry.id).collect());
        rules
    }

    /// Which of these stay. What is said of one is the first that holds.
    fn stay(&self, mut complete: Vec<BackupId>) -> BTreeMap<BackupId, Reason> {
        complete.sort_by_key(|id| Reverse(*id));
        let Policy { days, minimum, periods } = self.policy;
        let newest = complete.iter().take(1).map(|id| (*id, Reason::Newest));
        let young = complete.iter().take_while(|id| self.is_young(**id));
        let young = young.map(|id| (*id, Reason::Young { days }));
        let least = complete.iter().take(usize::try_from(minimum).unwrap_or(usize::MAX));
        let least = least.map(|id| (*id, Reason::Minimum { minimum }));
        let of_periods = periods.all().into_iter().flat_map(|(period, keep)| {
            let kept = period.newest(keep, &complete);
            kept.map(move |id| (id, Reason::Period { period, keep }))
        });
        let mut staying = BTreeMap::new();
        for (id, reason) in newest.chain(young).chain(least).chain(of_periods) {
            staying.entry(id).or_insert(reason);
        }
        staying
    }

    pub(super) fn verdict(&self, entry: &Entry) -> Verdict {
        let reason = self.reason(entry);
        Verdict {
            id: entry.id,
            standing: entry.standing,
            fate: reason.fate(),
            reason,
        }
    }

    fn reason(&self, entry: &Entry) -> Reason {
        match (entry.standing, entry.exempt) {
            // Its manifest may be gone already: there is nothing left to protect.
            (Standing::HalfDeleted, _) => Reason::DeletionBegan,
            (_, Some(by)) => Reason::Exempt { by },
            (Standing::Torso { held: true, .. }, None) => Reason::BeingWritten,
            (Standing::Torso { written, held: false }, None) => self.torso(written),
            (Standing::Unusable { newer: true }, None) => Reason::NewerFormat,
            _ if is_future(entry.id.timestamp(), self.now) => Reason::FromTheFuture,
            (Standing::Complete, None) => self.complete(entry.id),
            (Standing::Partial, None) => self.partial(entry.id),
            (Standing::FailedVerification | Standing::Unusable { newer: false }, None) => self.damaged(entry.id),
        }
    }

    fn complete(&self, id: BackupId) -> Reason {
        let stays = self.staying.get(&id).copied();
        stays.unwrap_or_else(|| Reason::Old {
            days: self.policy.days,
            newer: self.staying.range(id..).count(),
        })
    }

    fn damaged(&self, id: BackupId) -> Reason {
        let days = self.policy.days;
        match (self.is_young(id), self.something_complete) {
            (true, _) => Reason::Young { days },
            (false, true) => Reason::Damaged { days },
            (false, false) => Reason::LastHope,
        }
    }

    fn partial(&self, id: BackupId) -> Reason {
        if self.newest_partial == Some(id) {
            Reason::NewestPartial
        } else if self.age(id.timestamp()) < REMAINS_STAY {
            Reason::RecentPartial
        } else {
            Reason::OldPartial
        }
    }

    fn torso(&self, written: Timestamp) -> Reason {
        if is_future(written, self.now) {
            Reason::FromTheFuture
        } else if self.age(written) < REMAINS_STAY {
            Reason::WrittenRecently
        } else {
            Reason::Abandoned
        }
    }

    fn is_young(&self, id: BackupId) -> bool {
        let limit = SignedDuration::from_hours(24 * i64::from(self.policy.days));
        self.age(id.timestamp()) < limit
    }

    fn age(&self, of: Timestamp) -> SignedDuration {
        self.now.duration_since(of)
    }
}

/// Later than clocks may differ.
fn is_future(moment: Timestamp, now: Timestamp) -> bool {
    moment.duration_since(now) > CLOCK_TOLERANCE
}
