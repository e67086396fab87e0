//! Whether an artifact is what its name says, whatever its hash: read to its end by us. Also, what artifacts of others are.

use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::manifest::{Artifact, StoreRecord};
use stillpoint_core::names::{ArtifactName, StoreName};
use stillpoint_core::stores::{Cx, StoreError};

use super::Neo4jStore;
use super::drain::{DATABASE, SUFFIX, SYSTEM_SUFFIX};
use super::dump::{Check, Sound};
use super::session::SYSTEM;
use crate::toolbox::{damage_of_all, damaged, guarded};

impl Neo4jStore {
    pub(super) async fn read_along(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Damage>, StoreError> {
        let read = |artifact| self.read_dump(cx, artifact, artifacts);
        damage_of_all(&self.name, record, read).await
    }

    /// Reads a dump to its end.
    pub(super) async fn read_dump(
        &self,
        cx: &Cx,
        artifact: &Artifact,
        artifacts: &Artifacts,
    ) -> Result<Sound, StoreError> {
        let mut reader = artifacts.open(&self.name, artifact).await.map_err(damaged)?;
        let mut check = Check::new();
        while let Some(piece) = guarded(cx, "reading a dump", reader.next()).await?.map_err(damaged)? {
            check.take(&piece);
        }
        verdict(check)
    }
}

/// Whether what passed by was a whole dump.
pub(super) fn verdict(check: Check) -> Result<Sound, StoreError> {
    check.finish().map_err(|flaw| StoreError::Damaged(flaw.to_string()))
}

/// What others have put there under these names: `<store>.dump`, `<store>-system.dump`. What the database was called is not in
/// a name.
pub(super) fn recognise(store: &StoreName, name: &ArtifactName) -> Option<(String, Option<String>)> {
    let is = |suffix: &str| *name == ArtifactName::of(&[&format!("{store}{suffix}")]);
    if is(SYSTEM_SUFFIX) {
        Some((DATABASE.to_owned(), Some(SYSTEM.to_owned())))
    } else {
        is(SUFFIX).then(|| (DATABASE.to_owned(), None))
    }
}

#[cfg(test)]
mod tests {
    use super::super::dump::tests::dump;
    use super::*;

    #[test]
    fn what_others_made_is_known_by_its_name() {
        let known = |name: &str| {
            let name = ArtifactName::try_from(name.to_owned()).unwrap();
            recognise(&StoreName::new("graph"), &name)
        };
        assert_eq!(known("graph.dump"), Some(("database".into(), None)));
        assert_eq!(
            known("graph-system.dump"),
            Some(("database".into(), Some("system".into())))
        );
        for name in ["neo4j.dump", "graph/x.dump", "graph", "graph.dump.gz"] {
            assert_eq!(known(name), None, "{name}");
        }
    }

    #[test]
    fn a_dump_that_is_none_is_damage() {
        let checked = |bytes: &[u8]| {
            let mut check = Check::new();
            check.take(bytes);
            verdict(check)
        };
        let whole = dump(5000, true);
        assert!(checked(&whole).is_ok());
        for wrong in [&whole[..whole.len() - 1], b"", b"Warning: Folder"] {
            assert!(matches!(checked(wrong), Err(StoreError::Damaged(_))));
        }
    }
}
