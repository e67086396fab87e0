//! Many backups: sealed as runs seal them, and listed, against one bare LIST and as many bare GETs.

use anyhow::Result;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use object_store::path::Path as Location;
use object_store::{ObjectStore, ObjectStoreExt};
use stillpoint_core::backups::Content;
use stillpoint_core::manifest::{Artifact, FORMAT, Inventory, Manifest, Mode, Standstill, StoreRecord, WorkloadRecord};
use stillpoint_core::names::{Address, BackupId, Project, RunId, StoreKind, StoreName};
use stillpoint_core::workload::State;

use super::sides::{self, must_be};
use super::step::Asked;

/// As many as the product reads at once.
const AT_ONCE: usize = 32;

/// What a platform of the field is like, so that a manifest has about 8 kB.
const WORKLOADS: u32 = 8;
const DATABASES: u64 = 6;

pub(super) async fn seed(asked: &Asked) -> Result<()> {
    let backups = &sides::backups(asked).await?;
    stream::iter(0..asked.count)
        .map(|number| async move { anyhow::Ok(backups.seal(&manifest(number)?).await?) })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

pub(super) async fn list(asked: &Asked) -> Result<()> {
    let listed = sides::backups(asked).await?.list().await?;
    let complete = listed.iter().filter(|one| matches!(one.content, Content::Complete(_)));
    must_be("backups listed", complete.count() as u64, asked.count)
}

pub(super) async fn list_bare(asked: &Asked) -> Result<()> {
    let bare = &sides::bare(asked)?;
    let root = Location::parse(&asked.prefix)?;
    let listed = bare.list_with_delimiter(Some(&root)).await?;
    let manifests = listed.common_prefixes.into_iter().map(|prefix| async move {
        let manifest = Location::parse(format!("{prefix}/manifest.json"))?;
        anyhow::Ok(bare.get(&manifest).await?.bytes().await?)
    });
    let read: Vec<_> = stream::iter(manifests).buffer_unordered(AT_ONCE).try_collect().await?;
    must_be("manifests read", read.len() as u64, asked.count)
}

/// One of a run a quarter of an hour after the one before.
fn manifest(number: u64) -> Result<Manifest> {
    let first: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let began = first + SignedDuration::from_mins(15) * i32::try_from(number)?;
    Ok(Manifest {
        format: FORMAT,
        stillpoint: "0.1.0".to_owned(),
        id: BackupId::at(began),
        platform: Project::new("bench"),
        run: RunId::new(format!("{}-1", began.as_millisecond())),
        mode: Mode::Pin,
        began,
        sealed: began,
        standstill: Some(Standstill {
            stopping: began,
            began,
            ended: began,
            back: Some(began),
        }),
        workloads: (1..=WORKLOADS).map(workload).collect(),
        stores: vec![postgres(number, began)],
        adopted: false,
        safety_of: None,
        failure: None,
    })
}

fn workload(number: u32) -> WorkloadRecord {
    WorkloadRecord {
        address: Address {
            project: Project::new("bench"),
            service: format!("service-{number}"),
            number: 1,
        },
        image: format!("registry.example.org/platform/service-{number}:2026.1"),
        image_id: format!("sha256:{number:064x}"),
        state: State::Running,
        role: "client".to_owned(),
        action: "stop".to_owned(),
        reason: "a client: it may write to a store".to_owned(),
        left_out: None,
    }
}

fn postgres(number: u64, pinned: Timestamp) -> StoreRecord {
    let mut inventory = Inventory::default();
    for database in 0..DATABASES {
        for table in ["chat", "document", "message", "user"] {
            inventory.exact(format!("database-{database}: public.{table}"), number + database);
        }
    }
    StoreRecord {
        took: None,
        watermarks: None,
        name: StoreName::new("postgres-main"),
        kind: StoreKind::new("postgres"),
        version: "17.12".to_owned(),
        pinned,
        artifacts: (0..DATABASES).map(|database| dump(number, database)).collect(),
        inventory,
        facts: [("timeline".to_owned(), "1".to_owned())].into(),
    }
}

fn dump(number: u64, database: u64) -> Artifact {
    let name = format!("database-{database}");
    Artifact {
        name: sides::artifact(&format!("{name}.dump")),
        content: "database".to_owned(),
        of: Some(name),
        size: 20_000_000 + number,
        sha256: format!("{:064x}", number * DATABASES + database),
        lists: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_has_about_8_kilobytes_and_is_one() {
        let manifest = manifest(4_999).unwrap();
        let text = serde_json::to_vec_pretty(&manifest).unwrap();
        assert!((7_000..10_000).contains(&text.len()), "{}", text.len());
        assert_eq!(Manifest::parse(manifest.id, &text).unwrap(), manifest);
    }
}
