//! Deleting backups that their operator names: what is refused, and the same deletion as retention's for the rest. Either all
//! of them may go, or none does.

use std::collections::BTreeSet;

use serde::Serialize;

use super::prune::{Due, Removal};
use super::site::{Run, Site};
use crate::backups::{Lease, ReadError};
use crate::engine::errors::Error;
use crate::names::{BackupId, Project};
use crate::ports::power::Intent;
use crate::retention::{Entry, Exempt, Standing};

/// What `deleted.json` says of it.
const REASON: &str = "its operator named it";

/// What was deleted.
#[derive(Debug, Serialize)]
pub struct Removed {
    /// What is gone.
    pub gone: Vec<BackupId>,
    /// Why what is gone goes on taking room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// Which backups are to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removing {
    /// They.
    pub backups: Vec<BackupId>,
    /// Also if no good one is left then.
    pub the_last_too: bool,
}

impl Site {
    /// Deletes what was named. The caller holds the platform's lock and the lease.
    pub async fn remove(
        &self,
        run: &Run,
        lease: &Lease,
        platform: &Project,
        wish: &Removing,
    ) -> Result<Removed, Error> {
        let failed = |cause| self.repository_failed(cause);
        let writer = self.backups.holder().await.map_err(failed)?;
        let writer = writer.map(|writer| writer.run);
        let survey = self.backups.survey(platform, writer.as_ref()).await.map_err(failed)?;
        let known = |id: &BackupId| survey.ours.iter().any(|entry| entry.id == *id) || survey.foreign.contains(id);
        if let Some(unknown) = wish.backups.iter().find(|id| !known(id)) {
            return Err(ReadError::Unknown(*unknown).into());
        }
        let mut refused = refusals(&survey.ours, wish);
        refused.extend(self.still_needed(platform, wish).await?);
        if let Some(cause) = lease.cannot_delete() {
            refused.push(cause.to_string());
        }
        if !refused.is_empty() {
            return Err(Error::NotRemoved(refused));
        }
        let due = survey.ours.iter().filter(|entry| wish.backups.contains(&entry.id));
        let due = due.map(|entry| Due {
            id: entry.id,
            half_deleted: entry.standing == Standing::HalfDeleted,
            reason: REASON.to_owned(),
        });
        let removal = self.remove_due(run, lease, platform, due.collect()).await?;
        self.removed(removal).await
    }

    async fn removed(&self, removal: Removal) -> Result<Removed, Error> {
        let Removal {
            gone,
            protected,
            locked,
            left,
        } = removal;
        let protected = protected
            .into_iter()
            .map(|id| format!("{id}: it was protected just now"));
        let told = locked.into_iter().chain(left).map(|(id, why)| format!("{id}: {why}"));
        let left: Vec<String> = protected.chain(told).collect();
        if !left.is_empty() {
            return Err(Error::Pruned(left));
        }
        Ok(Removed {
            gone,
            kept: self.backups.keeps().await,
        })
    }

    /// A run that has not ended may need them: a restore that stands unfinished is gone on with from its backup.
    async fn still_needed(&self, platform: &Project, wish: &Removing) -> Result<Vec<String>, Error> {
        let open = self.machine.journal.open_runs(platform).await?.into_iter();
        let mut open: Vec<Intent> = open.map(|open| open.intent).collect();
        // Without an engine no claim can be seen; the journal has what this host has begun.
        open.extend(self.machine.power.claimed(platform).await.ok().flatten());
        let needed = open.into_iter().filter(|intent| wish.backups.contains(&intent.backup));
        let told = needed.map(|intent| {
            format!(
                "{}: run {} ({}) has not ended; `stillpoint containers recover` says what is to be done",
                intent.backup,
                intent.run,
                intent.described()
            )
        });
        // Claim and journal tell the same.
        Ok(told.collect::<BTreeSet<_>>().into_iter().collect())
    }
}

/// Why these may not be deleted, a sentence each. Pure.
fn refusals(ours: &[Entry], wish: &Removing) -> Vec<String> {
    let mut refused = Vec::new();
    for id in &wish.backups {
        let Some(entry) = ours.iter().find(|entry| entry.id == *id) else {
            refused.push(format!("{id} is not marked as this platform's: it is left alone"));
            continue;
        };
        let why = match (entry.exempt, entry.standing) {
            // It is a backup no more.
            (_, Standing::HalfDeleted) => None,
            (Some(Exempt::Protected), _) => Some(format!(
                "it is protected; `stillpoint backups unprotect {id}` ends that"
            )),
            (Some(Exempt::Safety), _) => {
                Some("it is the way back from a restore; `stillpoint restore discard-old` frees it".to_owned())
            }
            _ => None,
        };
        refused.extend(why.map(|why| format!("{id}: {why}")));
    }
    let is_good = |entry: &&Entry| entry.standing == Standing::Complete && entry.exempt != Some(Exempt::Safety);
    let (going, staying): (Vec<&Entry>, Vec<&Entry>) = ours
        .iter()
        .filter(is_good)
        .partition(|entry| wish.backups.contains(&entry.id));
    if let (true, Some(last), true, false) = (refused.is_empty(), going.last(), staying.is_empty(), wish.the_last_too) {
        refused.push(format!(
            "{}: no good backup would be left; make one first, or say --even-the-last",
            last.id
        ));
    }
    refused
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn id(day: i64) -> BackupId {
        BackupId::at(Timestamp::from_second(day * 86_400).unwrap())
    }

    fn entry(day: i64, standing: Standing, exempt: Option<Exempt>) -> Entry {
        Entry {
            id: id(day),
            standing,
            exempt,
        }
    }

    fn refused(ours: &[Entry], days: &[i64], the_last_too: bool) -> Vec<String> {
        let backups = days.iter().map(|day| id(*day)).collect();
        refusals(ours, &Removing { backups, the_last_too })
    }

    #[test]
    fn the_last_good_one_goes_by_an_explicit_word_alone() {
        let ours = [
            entry(1, Standing::Complete, None),
            entry(2, Standing::Complete, None),
            entry(3, Standing::FailedVerification, None),
            entry(4, Standing::Complete, Some(Exempt::Safety)),
            entry(5, Standing::Partial, None),
        ];
        assert!(refused(&ours, &[1], false).is_empty());
        assert!(refused(&ours, &[2, 3, 5], false).is_empty());
        // Neither what is damaged nor the copy of a restore is a backup that one could live with.
        let both = refused(&ours, &[1, 2], false);
        assert!(both[0].contains("no good backup would be left"), "{both:?}");
        assert!(refused(&ours, &[1, 2], true).is_empty());
        // What failed runs have left goes also where nothing good is.
        assert!(refused(&ours[2..], &[3, 5], false).is_empty());
    }

    #[test]
    fn what_is_protected_or_a_way_back_is_refused_whatever_is_said() {
        let ours = [
            entry(1, Standing::Complete, Some(Exempt::Protected)),
            entry(2, Standing::Complete, Some(Exempt::Safety)),
            entry(3, Standing::Complete, None),
        ];
        let said = refused(&ours, &[1, 2], true);
        assert!(said[0].contains("unprotect 1970-01-02"), "{said:?}");
        assert!(said[1].contains("discard-old"), "{said:?}");
        assert_eq!(said.len(), 2);
        // A protected one is a good one that stays.
        assert!(refused(&ours, &[3], false).is_empty());
        let foreign = refused(&ours, &[9], true);
        assert!(foreign[0].contains("not marked as this platform's"), "{foreign:?}");
    }
}
