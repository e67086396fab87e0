//! Everything that can refuse a restore, looked at while the platform still runs. All reasons are
//! collected: an operator in trouble should not meet them one by one.

use futures::future::join_all;

use super::Pair;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::errors::Error;
use crate::events::Step;
use crate::manifest::Manifest;
use crate::workload::State;

/// Pairs every store with its record, or says why the backup cannot be restored here.
pub(super) async fn examine<'a>(
    site: &Site,
    run: &Run,
    platform: &'a Platform,
    manifest: &'a Manifest,
    stopped_on_purpose: bool,
) -> Result<Vec<Pair<'a>>, Error> {
    let (pairs, mut reasons) = pair(platform, manifest);
    // By hashes alone: nothing was journaled yet, so no tool may be started that could outlive us.
    let damage = site.damage(run, manifest, None).await?;
    reasons.extend(damage.iter().map(ToString::to_string));
    let looks = ask_stores(site, run, platform, &pairs, stopped_on_purpose);
    reasons.extend(
        run.report
            .step(Step::Preflight, async { Ok::<_, Error>(looks.await) })
            .await?,
    );
    run.check()?;
    if reasons.is_empty() {
        Ok(pairs)
    } else {
        Err(Error::RestoreRefused(reasons))
    }
}

fn pair<'a>(platform: &'a Platform, manifest: &'a Manifest) -> (Vec<Pair<'a>>, Vec<String>) {
    let mut reasons = Vec::new();
    if manifest.platform != platform.name {
        reasons.push(format!(
            "it is a backup of platform {}, not of {}",
            manifest.platform, platform.name
        ));
    }
    let mut pairs = Vec::new();
    for store in platform.stores.values() {
        let here = |record: &&_| -> bool {
            let record: &crate::manifest::StoreRecord = record;
            record.name == *store.name() && record.kind == store.kind()
        };
        match manifest.stores.iter().find(here) {
            Some(record) => pairs.push((store.as_ref(), record)),
            None => reasons.push(format!("it holds nothing of store {} ({})", store.name(), store.kind())),
        }
    }
    for record in &manifest.stores {
        if !pairs.iter().any(|(_, paired)| paired.name == record.name) {
            reasons.push(format!("the platform has no store {} ({})", record.name, record.kind));
        }
    }
    (pairs, reasons)
}

async fn ask_stores(
    site: &Site,
    run: &Run,
    platform: &Platform,
    pairs: &[Pair<'_>],
    stopped_on_purpose: bool,
) -> Vec<String> {
    // A store that an earlier restore left stopped cannot be asked; it was, before that restore.
    if stopped_on_purpose {
        return Vec::new();
    }
    let cx = site.cx(run);
    let looks = join_all(pairs.iter().map(|(store, record)| async {
        match state(platform, *store) {
            State::Running => store.examine(&cx, record).await.err().map(|error| error.to_string()),
            state => Some(format!("store {} is {state}: start it first", store.name())),
        }
    }));
    looks.await.into_iter().flatten().collect()
}

fn state(platform: &Platform, store: &dyn crate::ports::Store) -> State {
    let found = platform
        .workloads
        .iter()
        .find(|workload| workload.id == *store.workload());
    found.map_or(State::Exited, |workload| workload.state)
}
