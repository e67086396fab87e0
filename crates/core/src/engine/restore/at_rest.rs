//! What a restore, or its undoing, would lose by stopping the stores of its platform, whether their data is replaced or not:
//! what is replaced could not be brought back, and what is left alone would be gone. And which of them would not start
//! again. Clients may hold in memory what they like.

use futures::future::join_all;

use super::refusals::MEND;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::findings::Finding;
use crate::names::StoreName;
use crate::stores::{AtRest, Store};
use crate::workload::{MountSource, State, Workload};

/// What the stop would do, in words, one for each store and cause.
#[derive(Default)]
pub(super) struct Stop {
    /// What is gone then, each with the store.
    pub(super) lost: Vec<(StoreName, String)>,
    /// What does not start again.
    pub(super) unstartable: Vec<Finding>,
}

/// Asks every store that runs.
pub(super) async fn look(site: &Site, run: &Run, platform: &Platform) -> Stop {
    let cx = site.cx(run);
    let running = platform.stores.values();
    let running = running.filter(|store| platform.state(&***store) == State::Running);
    let looks = join_all(running.map(async |store| (store, store.at_rest(&cx).await)));
    let mut stop = Stop::default();
    for (store, at_rest) in looks.await {
        let name = store.name();
        match at_rest {
            Ok(at_rest) => stop.take(run, platform, &**store, at_rest),
            // One that is restored was asked more than this, and has said so.
            Err(error) => run.report.warn(format!(
                "whether a stop of store {name} loses data could not be asked: {error}"
            )),
        }
    }
    stop
}

impl Stop {
    fn take(&mut self, run: &Run, platform: &Platform, store: &dyn Store, at_rest: AtRest) {
        let name = store.name();
        let AtRest {
            folders,
            mut unsaved,
            unstartable,
        } = at_rest;
        for folder in folders {
            let workload = platform
                .workloads
                .iter()
                .find(|workload| workload.id == *store.workload());
            match workload.map(|workload| source_of(workload, &folder)) {
                Some(Some(MountSource::Memory)) if !unsaved.iter().any(|told| told.contains(&folder)) => {
                    unsaved.push(format!("its folder {folder} lies in memory (tmpfs)"));
                }
                Some(None) => run.report.warn(format!(
                    "store {name}: its folder {folder} lies on no volume: it outlives a stop, and goes when its container \
                     is made again"
                )),
                _ => {}
            }
        }
        let lost = |what| {
            let told =
                format!("store {name}: {what}: the stop of a restore would lose that, and no undo brings it back");
            (name.clone(), told)
        };
        self.lost.extend(unsaved.into_iter().map(lost));
        let down = |why| {
            let what = format!("store {name} would not start again as it runs now: {why}");
            Finding::refuses(what, MEND)
        };
        self.unstartable.extend(unstartable.into_iter().map(down));
    }
}

/// What the engine has mounted where a folder lies; none: the container's own layer.
fn source_of<'a>(workload: &'a Workload, folder: &str) -> Option<&'a MountSource> {
    let above = |at: &str| folder == at || folder.starts_with(&format!("{}/", at.trim_end_matches('/')));
    let mounts = workload.mounts.iter().filter(|mount| above(&mount.at));
    mounts.max_by_key(|mount| mount.at.len()).map(|mount| &mount.source)
}
