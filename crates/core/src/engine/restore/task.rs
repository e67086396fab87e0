//! What is done with one store while its data is replaced or put back, and doing it: the store is brought into
//! the state that each stage wants, beside the other stores, and left running.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::parts::Gap;
use crate::engine::errors::RunFailure;
use crate::engine::standstill::Standstill;
use crate::manifest::StoreRecord;
use crate::names::StoreName;
use crate::stores::{self, Cx, Footing, Staged, Store, StoreError, together};

/// The work on one store.
pub(super) struct Task<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) work: Box<dyn Staged>,
    /// What is loaded; none where the store puts its old data back.
    pub(super) record: Option<&'a StoreRecord>,
}

impl Task<'_> {
    /// Does it. The store runs afterwards: what is in it is to be counted.
    pub(super) async fn carry_out(&mut self, cx: &Cx, standstill: &Standstill) -> Result<(), RunFailure> {
        let footings = self.work.footings();
        for (stage, footing) in footings.iter().enumerate() {
            bring(self.store, cx, standstill, *footing).await?;
            let done = self.work.carry_out(cx, stage).await;
            done.map_err(|cause| RunFailure::of(self.store.name(), cause))?;
        }
        match footings.last() {
            Some(Footing::Running) => Ok(()),
            _ => bring(self.store, cx, standstill, Footing::Running).await,
        }
    }
}

/// Brings a store into a state, and waits until it answers if it is to run.
pub(super) async fn bring(
    store: &dyn Store,
    cx: &Cx,
    standstill: &Standstill,
    footing: Footing,
) -> Result<(), RunFailure> {
    if cx.cancel.is_cancelled() {
        return Err(RunFailure::Interrupted);
    }
    standstill.bring(store, footing).await?;
    match footing {
        Footing::Running => store
            .ready(cx)
            .await
            .map_err(|cause| RunFailure::of(store.name(), cause)),
        Footing::Frozen | Footing::Stopped => Ok(()),
    }
}

/// What stores do by themselves goes on, now that all of it was looked at; one that asks for it starts anew.
pub(super) async fn resume_jobs(cx: &Cx, tasks: &[Task<'_>], standstill: &Standstill) -> Result<(), RunFailure> {
    let resumed = together(cx, tasks.len(), tasks.iter().map(|task| task.store), |store, cx| {
        resume_one(store, cx, standstill)
    });
    resumed.await.1.map_or(Ok(()), Err)
}

async fn resume_one(store: &dyn Store, cx: Cx, standstill: &Standstill) -> Result<(), RunFailure> {
    let resumed = store.resume_jobs(&cx).await;
    if resumed.map_err(|cause| RunFailure::of(store.name(), cause))?.is_none() {
        return Ok(());
    }
    bring(store, &cx, standstill, Footing::Stopped).await?;
    bring(store, &cx, standstill, Footing::Running).await
}

/// Every store must hold what its record says before a single client starts, but for what may be missing. Returns what is.
pub(super) async fn compare_all(cx: &Cx, tasks: &[Task<'_>], accepted: &[String]) -> Result<Vec<Gap>, RunFailure> {
    let loaded = tasks.iter().filter_map(|task| Some((task, task.record?)));
    let compared = loaded.map(|(task, record)| compare(cx, task, record, accepted));
    let gaps: Result<Vec<Vec<Gap>>, RunFailure> = join_all(compared).await.into_iter().collect();
    Ok(gaps?.concat())
}

async fn compare(cx: &Cx, task: &Task<'_>, record: &StoreRecord, accepted: &[String]) -> Result<Vec<Gap>, RunFailure> {
    let store = task.store;
    let parts = store.parts(record);
    let (accepted, required): (Vec<String>, Vec<String>) = parts.into_iter().partition(|part| accepted.contains(part));
    let strict = store.only(record, &required);
    let found = store.inventory(cx, &strict).await;
    let found = found.map_err(|cause| RunFailure::of(store.name(), cause))?;
    let differences = strict.inventory.differences(&found);
    if !differences.is_empty() {
        let differs = |part: &&String| {
            let part = store.only(record, std::slice::from_ref(*part));
            !part.inventory.differences(&found).is_empty()
        };
        return Err(RunFailure::Inventory {
            store: store.name().clone(),
            differences,
            parts: required.iter().filter(differs).cloned().collect(),
        });
    }
    let mut gaps = task.work.gaps();
    for part in accepted {
        let missing = missing(cx, store, &store.only(record, std::slice::from_ref(&part))).await?;
        match gaps.iter_mut().find(|gap| gap.part == part) {
            Some(gap) => gap.missing.extend(missing),
            None if missing.is_empty() => {}
            None => gaps.push(stores::Gap { part, missing }),
        }
    }
    Ok(gaps.into_iter().map(|gap| Gap::of(store, gap)).collect())
}

/// What is missing of a part that may be; one that cannot even be counted is missing whole.
async fn missing(cx: &Cx, store: &dyn Store, part: &StoreRecord) -> Result<Vec<String>, RunFailure> {
    match store.inventory(cx, part).await {
        Ok(found) => Ok(part.inventory.differences(&found)),
        Err(StoreError::Cancelled) => Err(RunFailure::Interrupted),
        Err(error) => Ok(vec![error.to_string()]),
    }
}

/// The names of the stores of some tasks.
pub(super) fn names(tasks: &[Task<'_>]) -> BTreeSet<StoreName> {
    tasks.iter().map(|task| task.store.name().clone()).collect()
}
