//! Use case: take over a backup that others made in this layout.

use std::collections::BTreeMap;

use crate::backups::{Damage, Lease};
use crate::engine::errors::Error;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::events::Step;
use crate::manifest::{Artifact, FORMAT, Inventory, Manifest, Mode, StoreRecord};
use crate::names::{ArtifactName, BackupId, Project};
use crate::stores::{Store, StoreError};

pub(super) async fn adopt(
    site: &Site,
    run: &Run,
    wanted: Option<&Project>,
    backup: BackupId,
) -> Result<Manifest, Error> {
    let platform = site.platform(wanted).await?;
    let _held = site.lock(&platform.name).await?;
    let lease = site
        .open_for_writing(run, &platform.name)
        .await
        .map_err(|refused| refused.error)?;
    let (guarded, lost) = run.guarded();
    let work = guarded
        .report
        .step(Step::Adopt, take_over(site, &guarded, &platform, backup, &lease));
    let adopted = lease.keep(&lost, Box::pin(work)).await;
    site.end_lease(run, &lease).await;
    match (adopted, lease.lost().await) {
        // Nobody but the loss of its lease has interrupted it.
        (Err(Error::Interrupted), Some(lost)) if !run.cancel.is_cancelled() => Err(site.lease_failed(lost)),
        (adopted, _) => adopted,
    }
}

async fn take_over(
    site: &Site,
    run: &Run,
    platform: &Platform,
    backup: BackupId,
    lease: &Lease,
) -> Result<Manifest, Error> {
    let failed = |cause| site.repository_failed(cause);
    let refused = |reasons| Error::NotAdopted { backup, reasons };
    let names = site.backups.adoptable(backup).await.map_err(failed)?;
    let names = names.map_err(|reason| refused(vec![reason]))?;
    let (mut stores, strange) = assign(platform, &names);
    if !strange.is_empty() {
        return Err(refused(strange));
    }
    for record in &mut stores {
        for artifact in &mut record.artifacts {
            run.check()?;
            (artifact.size, artifact.sha256) = site.backups.measure(backup, &artifact.name).await.map_err(failed)?;
        }
        let damage = check_artifacts(site, run, platform, backup, record).await?;
        if !damage.is_empty() {
            return Err(refused(damage.iter().map(ToString::to_string).collect()));
        }
    }
    let manifest = describe(site, run, platform, backup, stores);
    lease.renew().await.map_err(|cause| site.lease_failed(cause))?;
    site.backups.seal(&manifest).await.map_err(failed)?;
    for store in platform.stores.values().map(|store| store.name()) {
        if manifest.stores.iter().all(|record| record.name != *store) {
            run.report.warn(format!("it holds nothing of store {store}"));
        }
    }
    Ok(manifest)
}

/// Which artifact belongs to which store, and what belongs to none.
fn assign(platform: &Platform, names: &[ArtifactName]) -> (Vec<StoreRecord>, Vec<String>) {
    let mut records: BTreeMap<&str, StoreRecord> = BTreeMap::new();
    let mut strange = Vec::new();
    for name in names {
        let known = platform
            .stores
            .values()
            .find_map(|store| Some((store, store.recognise(name)?)));
        let Some((store, (content, of))) = known else {
            strange.push(format!("`{name}` belongs to no store of {}", platform.name));
            continue;
        };
        let record = records.entry(store.name().as_str()).or_insert_with(|| empty(&**store));
        record.artifacts.push(Artifact {
            name: name.clone(),
            content,
            of,
            size: 0,
            sha256: String::new(),
            lists: None,
        });
    }
    (records.into_values().collect(), strange)
}

fn empty(store: &dyn Store) -> StoreRecord {
    StoreRecord {
        name: store.name().clone(),
        kind: store.kind(),
        version: "unknown".to_owned(),
        pinned: jiff::Timestamp::UNIX_EPOCH,
        artifacts: Vec::new(),
        inventory: Inventory::default(),
        took: None,
        watermarks: None,
        facts: BTreeMap::new(),
    }
}

/// Nothing else tells whether these artifacts are whole: a store that does not run cannot vouch for them.
async fn check_artifacts(
    site: &Site,
    run: &Run,
    platform: &Platform,
    backup: BackupId,
    record: &StoreRecord,
) -> Result<Vec<Damage>, Error> {
    let Some(store) = platform.running(record) else {
        let reasons = vec![format!(
            "store {} does not run, and only its own tools can read them",
            record.name
        )];
        return Err(Error::NotAdopted { backup, reasons });
    };
    let artifacts = site.backups.artifacts(backup, &run.report);
    match store.check_artifacts(&site.cx(run), record, &artifacts).await {
        Ok(damage) => Ok(damage),
        Err(StoreError::Cancelled) => Err(Error::Interrupted),
        Err(StoreError::Repository(cause)) => Err(site.repository_failed(cause)),
        Err(cause) => Err(Error::NotAdopted {
            backup,
            reasons: vec![format!("{}: {cause}", record.name)],
        }),
    }
}

fn describe(site: &Site, run: &Run, platform: &Platform, backup: BackupId, stores: Vec<StoreRecord>) -> Manifest {
    // The directory's name is all that tells when it was made.
    let made = backup.timestamp();
    let stores = stores.into_iter().map(|record| StoreRecord { pinned: made, ..record });
    Manifest {
        format: FORMAT,
        stillpoint: site.machine.version.clone(),
        id: backup,
        platform: platform.name.clone(),
        run: run.report.run().clone(),
        mode: Mode::Hold,
        began: made,
        sealed: site.machine.clock.now(),
        standstill: None,
        workloads: Vec::new(),
        stores: stores.collect(),
        adopted: true,
        safety_of: None,
        failure: None,
    }
}
