//! What a backup says about itself, and the moment from which it counts.

use super::Backup;
use crate::engine::errors::RunFailure;
use crate::engine::seal::make_count;
use crate::events::{EventKind, Step};
use crate::manifest::{FORMAT, Manifest, Standstill, StoreRecord};

impl Backup<'_> {
    pub(super) fn describe(&self, stores: Vec<StoreRecord>, window: Option<Standstill>) -> Manifest {
        let site = self.site;
        Manifest {
            format: FORMAT,
            stillpoint: site.machine.version.clone(),
            id: self.intent.backup,
            platform: self.plan.platform.clone(),
            run: self.run.report.run().clone(),
            mode: self.plan.mode,
            began: self.run.began,
            sealed: site.machine.clock.now(),
            standstill: window,
            workloads: self.plan.records(),
            stores: in_order(stores, self),
            adopted: false,
            safety_of: None,
            failure: None,
        }
    }

    /// Makes the backup count, or says why it does not and describes what there is of it.
    pub(super) async fn seal(&self, manifest: &Manifest, failure: Option<RunFailure>) -> Result<(), RunFailure> {
        let (site, report) = (self.site, &self.run.report);
        let sealed = match failure {
            None => report.step(Step::Seal, make_count(site, self.lease, manifest)).await,
            Some(failure) => Err(failure),
        };
        match &sealed {
            Ok(()) => report.tell(EventKind::Sealed { backup: manifest.id }),
            Err(failure) => self.describe_failed(manifest, failure).await,
        }
        sealed
    }

    async fn describe_failed(&self, manifest: &Manifest, failure: &RunFailure) {
        let partial = Manifest {
            failure: Some(failure.to_string()),
            ..manifest.clone()
        };
        if let Err(error) = self.site.backups.seal_partial(&partial).await {
            let said = format!("what the failed run left could not be described: {error}");
            self.run.report.warn(said);
        }
    }
}

/// Whichever was drained first today, the manifest lists stores alike every day.
fn in_order(mut stores: Vec<StoreRecord>, backup: &Backup<'_>) -> Vec<StoreRecord> {
    let place = |record: &StoreRecord| {
        let mut names = backup.platform.stores.values().map(|store| store.name());
        names.position(|name| *name == record.name)
    };
    stores.sort_by_key(place);
    stores
}
