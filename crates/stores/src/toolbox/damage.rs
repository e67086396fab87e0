//! What is wrong with the artifacts of a record. How one is read is its store's own.

use stillpoint_core::backups::Damage;
use stillpoint_core::manifest::{Artifact, StoreRecord};
use stillpoint_core::names::StoreName;
use stillpoint_core::stores::StoreError;

/// Reads one artifact after the other. One of which `read` says that it is damaged is told and the next is read; any
/// other error ends it.
pub(crate) async fn damage_of_all<'a, T, F>(
    store: &StoreName,
    record: &'a StoreRecord,
    read: impl Fn(&'a Artifact) -> F,
) -> Result<Vec<Damage>, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut damage = Vec::new();
    for artifact in &record.artifacts {
        match read(artifact).await {
            Ok(_) => {}
            Err(StoreError::Damaged(what)) => damage.push(Damage::of(store, &artifact.name, what)),
            Err(error) => return Err(error),
        }
    }
    Ok(damage)
}
