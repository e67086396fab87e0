//! Whether what a record names is what was recorded, read to its end.

use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::manifest::{Artifact, StoreRecord};
use stillpoint_core::names::ArtifactName;
use stillpoint_core::stores::{Cx, StoreError};

use super::MilvusStore;
use super::etcd::Pairs;
use super::facts::Facts;
use super::pin::unpacked;
use crate::toolbox::{cancellable, damaged};

impl MilvusStore {
    pub(super) async fn read_along(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Damage>, StoreError> {
        let (_, mut damage) = cancellable(cx, artifacts.read_all(record)).await??;
        if damage.is_empty()
            && let Some(facts) = Facts::of(record)
            && let Err(StoreError::Damaged(why)) = self.pairs(cx, record, &facts, artifacts).await
        {
            damage.push(Damage::of(&self.name, &ArtifactName::of(&facts.metadata()), why));
        }
        Ok(damage)
    }

    /// The metadata that a backup holds.
    pub(super) async fn pairs(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        facts: &Facts,
        artifacts: &Artifacts,
    ) -> Result<Pairs, StoreError> {
        let name = ArtifactName::of(&facts.metadata());
        let artifact = record.artifacts.iter().find(|artifact| artifact.name == name);
        let artifact: &Artifact = artifact.ok_or_else(|| StoreError::Damaged(format!("{name}: missing")))?;
        let mut reader = cancellable(cx, artifacts.open(&record.name, artifact))
            .await?
            .map_err(damaged)?;
        let mut whole = Vec::new();
        while let Some(piece) = cancellable(cx, reader.next()).await?.map_err(damaged)? {
            whole.extend_from_slice(&piece);
        }
        let pairs = unpacked(&whole);
        pairs.ok_or_else(|| StoreError::Damaged(format!("{name}: it is no metadata of a server")))
    }
}
