//! Everything that can refuse a restore, looked at while the platform still runs. All reasons are
//! collected: an operator in trouble should not meet them one by one.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::kept::Kept;
use super::logins::Logins;
use super::pairs::{Pair, plan_of};
use super::selection::{Paired, Selection};
use crate::backups::Damage;
use crate::engine::errors::Error;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::events::Step;
use crate::manifest::Manifest;
use crate::names::StoreName;
use crate::ports::power::Intent;
use crate::stores::StoreError;
use crate::workload::State;

/// What a restore goes by.
pub(super) struct Examined<'a> {
    /// Every wanted store with its record.
    pub(super) pairs: Vec<Pair<'a>>,
    /// The logins that clients hold for these stores, tried if the stores run.
    pub(super) logins: Logins<'a>,
}

/// Pairs every wanted store with its record, or says why the backup cannot be restored here.
pub(super) async fn examine<'a>(
    site: &Site,
    run: &Run,
    platform: &'a Platform,
    manifest: &'a Manifest,
    selection: &Selection,
    unfinished: Option<&Intent>,
) -> Result<Examined<'a>, Error> {
    let Paired {
        pairs,
        mut reasons,
        warnings,
    } = selection.pair(platform, manifest);
    for warning in warnings {
        run.report.warn(warning);
    }
    reasons.extend(unfinished.and_then(|intent| other_stores(platform, intent, &pairs)));
    let damage = run
        .report
        .step(Step::Verify, damage(site, run, manifest, selection, &pairs))
        .await?;
    reasons.extend(damage.iter().map(ToString::to_string));
    let mut logins = Logins::of(&plan_of(platform, &pairs), &pairs);
    let looks = ask_stores(site, run, platform, &pairs, unfinished.is_some());
    let sound = reasons.is_empty();
    let looks = async {
        let mut reasons = looks.await;
        if unfinished.is_none() {
            reasons.extend(Kept::of(site, run, platform).await?.reasons(&pairs));
            if sound && reasons.is_empty() {
                logins.try_before(&site.cx(run)).await;
            }
        }
        Ok::<_, Error>(reasons)
    };
    reasons.extend(run.report.step(Step::Preflight, looks).await?);
    reasons.dedup();
    run.check()?;
    if reasons.is_empty() {
        Ok(Examined { pairs, logins })
    } else {
        Err(Error::RestoreRefused(reasons))
    }
}

/// What is wrong with the artifacts that would be loaded. By hashes alone: nothing was journaled yet, so
/// no tool may be started that could outlive us.
async fn damage(
    site: &Site,
    run: &Run,
    manifest: &Manifest,
    selection: &Selection,
    pairs: &[Pair<'_>],
) -> Result<Vec<Damage>, Error> {
    let mut damage = site.unnamed(run, manifest).await?;
    if !selection.is_whole(manifest) {
        // What was left out on purpose, or by a run that failed, is no damage to what is wanted.
        damage.retain(|damage| {
            pairs
                .iter()
                .any(|(store, _)| store.recognise(&damage.artifact).is_some())
        });
    }
    for (_, record) in pairs {
        damage.extend(site.damage_of(run, manifest.id, record, None).await?);
    }
    Ok(damage)
}

/// Taking over half a restore must finish all of it: what it had begun to replace would stay half done.
fn other_stores(platform: &Platform, unfinished: &Intent, pairs: &[Pair<'_>]) -> Option<String> {
    let begun = unfinished.workloads.iter().filter(|entry| entry.worked_on);
    let begun: BTreeSet<&StoreName> = begun
        .filter_map(|entry| platform.stores.get(&entry.address))
        .map(|store| store.name())
        .collect();
    let wanted: BTreeSet<&StoreName> = pairs.iter().map(|(store, _)| store.name()).collect();
    let names: Vec<&str> = begun.iter().map(|name| name.as_str()).collect();
    (begun != wanted).then(|| {
        format!(
            "{} did not finish and was of other stores: restore just {} (--store)",
            unfinished.deed(),
            names.join(", ")
        )
    })
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
        match platform.state(*store) {
            State::Running => store.examine(&cx, record).await.err().map(|error| reason(&error)),
            state => Some(format!("store {} is {state}: start it first", store.name())),
        }
    }));
    looks.await.into_iter().flatten().collect()
}

/// All reasons of a refusal share one hint: the way out of this one is told with it.
fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Credential { remedy, .. } => format!("{error}: {remedy}"),
        other => other.to_string(),
    }
}
