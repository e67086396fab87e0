//! Why a directory stays or goes, in the words of its operator. A reason belongs to one fate: no
//! verdict can say that something goes and explain why it stays.

use std::fmt;

use serde::Serialize;

use super::{Exempt, Fate, Period, Standing};

/// Why a directory of the repository stays or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Reason {
    /// Stays: taken out of retention.
    Exempt {
        /// By what.
        by: Exempt,
    },
    /// Stays: its time lies in the future, so nobody knows its age.
    FromTheFuture,
    /// Stays: younger than the limit.
    Young {
        /// The limit.
        days: u32,
    },
    /// Stays: the newest complete backup.
    Newest,
    /// Stays: one of so many that stay however old.
    Minimum {
        /// How many.
        minimum: u32,
    },
    /// Stays: the newest complete backup of one of so many periods.
    Period {
        /// Their length.
        period: Period,
        /// How many.
        keep: u32,
    },
    /// Stays: damaged and old, but nothing complete is there instead.
    LastHope,
    /// Stays: its manifest is of a format that this version does not know.
    NewerFormat,
    /// Stays: what the last of the failed runs left.
    NewestPartial,
    /// Stays: what a failed run left, not long ago.
    RecentPartial,
    /// Stays: a run is writing it.
    BeingWritten,
    /// Stays: no run holds it, but something was written not long ago.
    WrittenRecently,
    /// Goes: a complete backup older than the limit.
    Old {
        /// The limit.
        days: u32,
        /// How many newer complete backups stay, without those that do not count.
        newer: usize,
    },
    /// Goes: damaged or unreadable, older than the limit, and something complete is there.
    Damaged {
        /// The limit.
        days: u32,
    },
    /// Goes: what a failed run left, and a later run failed too.
    OldPartial,
    /// Goes: what a dead run left.
    Abandoned,
    /// Goes: its deletion has begun.
    DeletionBegan,
}

impl Reason {
    /// The fate that it explains.
    pub fn fate(self) -> Fate {
        match self {
            Self::Exempt { .. }
            | Self::FromTheFuture
            | Self::Young { .. }
            | Self::Newest
            | Self::Minimum { .. }
            | Self::Period { .. }
            | Self::LastHope
            | Self::NewerFormat
            | Self::NewestPartial
            | Self::RecentPartial
            | Self::BeingWritten
            | Self::WrittenRecently => Fate::Stays,
            Self::Old { .. } | Self::Damaged { .. } | Self::OldPartial | Self::Abandoned | Self::DeletionBegan => {
                Fate::Goes
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = |days: u32| format!("{days} {}", if days == 1 { "day" } else { "days" });
        let text = match *self {
            Self::Exempt { by } => return by.fmt(f),
            Self::FromTheFuture => "its time lies in the future: a clock was wrong when it was made, or is wrong now",
            Self::Young { days: limit } => return f.pad(&format!("younger than {}", days(limit))),
            Self::Newest => "the newest complete backup",
            Self::Minimum { minimum } => {
                return f.pad(&format!(
                    "one of the {minimum} newest complete backups, which stay however old"
                ));
            }
            Self::Period { period, keep: 1 } => {
                return f.pad(&format!("the newest of its {period}; one of the newest {period} stays"));
            }
            Self::Period { period, keep } => {
                return f.pad(&format!(
                    "the newest of its {period}; one each of {keep} {period}s stays"
                ));
            }
            Self::LastHope => "damaged or unreadable, but there is no complete backup in its place",
            Self::NewerFormat => "written by a newer version of Stillpoint: this one leaves it alone",
            Self::NewestPartial => "what the last failed run left",
            Self::RecentPartial => "what a failed run left less than 24 hours ago",
            Self::BeingWritten => "a run is writing it",
            Self::WrittenRecently => "its run ended or died without a manifest, less than 24 hours ago",
            Self::Old { days: limit, newer } => {
                let stay = match newer {
                    1 => "a newer complete backup stays".to_owned(),
                    newer => format!("{newer} newer complete backups stay"),
                };
                return f.pad(&format!("older than {}; {stay}", days(limit)));
            }
            Self::Damaged { days: limit } => {
                return f.pad(&format!("damaged or unreadable, and older than {}", days(limit)));
            }
            Self::OldPartial => "what a failed run left more than 24 hours ago; a later one is kept",
            Self::Abandoned => "its run died without a manifest more than 24 hours ago",
            Self::DeletionBegan => "its deletion had begun: it is finished now",
        };
        f.pad(text)
    }
}

impl fmt::Display for Exempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Protected => "protected by its operator",
            Self::Safety => "made before a restore, as the way back",
        })
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stays => "stays",
            Self::Goes => "goes",
        })
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Complete => "complete",
            Self::FailedVerification => "failed verification",
            Self::Unusable { newer: true } => "newer format",
            Self::Unusable { newer: false } => "unreadable",
            Self::Partial => "failed run",
            Self::Torso { held: true, .. } => "being written",
            Self::Torso { held: false, .. } => "unfinished",
            Self::HalfDeleted => "half deleted",
        })
    }
}
