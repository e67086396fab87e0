//! Freeing the data that a restore has replaced. From its first act on there is no way back, for no store:
//! the claim says so until all of it is free, and whoever finds the claim of one that died goes on with it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::kept::{Kept, sole_copy_reason};
use super::safety;
use crate::engine::claim::PlatformLock;
use crate::engine::errors::Error;
use crate::engine::plan::Plan;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::events::Step;
use crate::findings::Finding;
use crate::manifest::Manifest;
use crate::names::{BackupId, StoreName};
use crate::ports::journal::Phase;
use crate::ports::power::{Intent, Job};

/// What was freed.
#[derive(Debug, Serialize)]
pub struct Discarded {
    /// Stores that held old data.
    pub stores: BTreeSet<StoreName>,
    /// Copies of old data.
    pub copies: Vec<BackupId>,
}

/// Frees what is kept. Nothing is stopped. The caller holds the lock.
pub async fn discard(site: &Site, run: &Run, held: &PlatformLock, platform: &Platform) -> Result<Discarded, Error> {
    let kept = Kept::must_be(site, run, platform).await?;
    let sole: Vec<Finding> = kept.sole().collect();
    if !sole.is_empty() {
        return Err(Error::RestoreRefused(sole));
    }
    let plan = Plan::new(platform, Job::DiscardJob);
    let claim = async {
        let has_copies = !kept.copies.is_empty();
        let intent = safety::intend(site, held, run, &plan, BackupId::at(run.began), has_copies).await?;
        site.claim(run, &intent).await?;
        Ok::<_, Error>(intent)
    };
    let intent = run.report.step(Step::Claim, claim).await?;
    free(site, run, kept, &intent).await
}

/// Goes on with what a dead run had begun to free.
pub async fn finish(site: &Site, run: &Run, platform: &Platform, intent: &Intent) -> Result<(), Error> {
    run.report.warn(format!(
        "run {} died while it freed what a restore had replaced: that is finished first",
        intent.run
    ));
    let kept = Kept::of(site, run, platform).await?;
    free(site, run, kept, intent).await.map(drop)
}

/// The claim stays until all of it is free.
async fn free(site: &Site, run: &Run, kept: Kept<'_>, intent: &Intent) -> Result<Discarded, Error> {
    let freed = run
        .report
        .step(Step::Discard, free_all(site, run, kept, intent))
        .await?;
    site.note(run, intent, Phase::Verified).await;
    site.release(run, intent).await;
    Ok(freed)
}

async fn free_all(site: &Site, run: &Run, kept: Kept<'_>, intent: &Intent) -> Result<Discarded, Error> {
    let cx = site.cx_as(run, &intent.run);
    let mut left: Vec<String> = kept.unasked().collect();
    let mut freed = Discarded {
        stores: BTreeSet::new(),
        copies: kept.copies.iter().map(|copy: &Manifest| copy.id).collect(),
    };
    for (store, aside, _) in kept.aside {
        match aside.discard(&cx).await {
            Ok(sole) if sole.is_empty() => drop(freed.stores.insert(store.name().clone())),
            // Told only: a claim that waits for it would keep everything else from the platform.
            Ok(sole) => sole
                .iter()
                .for_each(|old| run.report.warn(sole_copy_reason(store, old))),
            Err(error) => left.push(format!("store {}: {error}", store.name())),
        }
    }
    match safety::remove_all(site, run, intent, &freed.copies).await {
        Ok(true) => {}
        Ok(false) => left.push("the repository could not be given free".to_owned()),
        Err(error) => left.push(error.to_string()),
    }
    if left.is_empty() {
        Ok(freed)
    } else {
        Err(Error::NotDiscarded(left))
    }
}
