//! Whether a record's objects are what was recorded, read to their ends.

use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::names::ArtifactName;
use stillpoint_core::ports::gateway::Verified;
use stillpoint_core::stores::{Cx, StoreError};

use super::ClickhouseStore;
use super::facts::Facts;
use crate::toolbox::cancellable;

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
}

/// An error if a server would find no backup in these.
pub(super) fn must_hold_a_backup(record: &StoreRecord, objects: &[Verified]) -> Result<(), StoreError> {
    match missing(record, objects) {
        None => Ok(()),
        Some(missing) => Err(StoreError::Damaged(format!("{missing}: missing"))),
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
