//! What of the platform a restore is about, and what it does to the rest.

use crate::engine::plan::Plan;
use crate::engine::platform::Platform;
use crate::manifest::StoreRecord;
use crate::ports::power::{Intent, Job};
use crate::stores::Store;
use crate::workload::Workload;

/// A store with what the backup holds of it.
pub(super) type Pair<'a> = (&'a dyn Store, &'a StoreRecord);

/// Everything is stopped, whatever is restored: no client may meet data of which half is old.
pub(super) fn plan_of(platform: &Platform, pairs: &[Pair<'_>]) -> Plan {
    let stores = pairs.iter().map(|(store, _)| store.name().clone()).collect();
    Plan::new(platform, Job::FullRestoreJob).replacing(&stores)
}

/// What an unfinished restore had stopped is planned as what it was before that restore.
pub(super) fn as_recorded(mut platform: Platform, unfinished: Option<&Intent>) -> Platform {
    let recorded = unfinished.map_or(&[][..], |intent| &intent.workloads);
    for entry in recorded {
        let here = |workload: &&mut Workload| workload.address == entry.address;
        if let Some(workload) = platform.workloads.iter_mut().find(here) {
            workload.state = entry.state;
            workload.restart = entry.restart.clone();
        }
    }
    platform
}
