//! Whether a record's objects are what was recorded, read to their ends.

use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::names::ArtifactName;
use stillpoint_core::ports::gateway::Verified;
use stillpoint_core::stores::{Cx, StoreError};

use super::ClickhouseStore;
use super::facts::Facts;
use crate::toolbox::cancellable;

/// So many flaws are told in one line.
const TOLD: usize = 5;

impl ClickhouseStore {
    pub(super) async fn read_along(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Damage>, StoreError> {
        let (verified, mut damage) = cancellable(cx, artifacts.read_all(record)).await??;
        if damage.is_empty()
            && let Some(missing) = missing(record, &verified)
        {
            damage.push(Damage::of(&self.name, &ArtifactName::found(&missing), "missing"));
        }
        Ok(damage)
    }

    /// Reads all of it; an error if anything is not what it was.
    pub(super) async fn must_be_sound(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Verified>, StoreError> {
        let (verified, damage) = cancellable(cx, artifacts.read_all(record)).await??;
        if let Some(more) = damage.len().checked_sub(TOLD).filter(|more| *more > 0) {
            let told: Vec<String> = damage.iter().take(TOLD).map(ToString::to_string).collect();
            return Err(StoreError::Damaged(format!("{}; and {more} more", told.join("; "))));
        }
        if !damage.is_empty() {
            let told: Vec<String> = damage.iter().map(ToString::to_string).collect();
            return Err(StoreError::Damaged(told.join("; ")));
        }
        match missing(record, &verified) {
            None => Ok(verified),
            Some(missing) => Err(StoreError::Damaged(format!("{missing}: missing"))),
        }
    }
}

/// The file without which a server finds no backup, if it is not there; none if it is, or where nothing was backed up.
fn missing(record: &StoreRecord, verified: &[Verified]) -> Option<String> {
    let facts = Facts::of(record)?;
    let file = format!("{}/.backup", facts.prefix);
    let is_empty = facts.databases.is_empty() && facts.system_tables.is_empty();
    let is_there = verified.iter().any(|object| object.recorded.name == file);
    (!is_empty && !is_there).then_some(file)
}
