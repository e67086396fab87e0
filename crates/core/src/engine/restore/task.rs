//! What is done with one store while its data is replaced or put back, and doing it: the store is brought into
//! the state that each stage wants, beside the other stores, and left running.

use std::collections::BTreeSet;

use futures::future::join_all;

use crate::engine::errors::RunFailure;
use crate::engine::standstill::Standstill;
use crate::manifest::StoreRecord;
use crate::names::StoreName;
use crate::stores::{Cx, Footing, Staged, Store};

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

/// Every store must hold what its record says before a single client starts.
pub(super) async fn compare_all(cx: &Cx, tasks: &[Task<'_>]) -> Result<(), RunFailure> {
    let loaded = tasks.iter().filter_map(|task| Some((task.store, task.record?)));
    let counts = loaded.map(|(store, record)| async move {
        let found = store.inventory(cx, record).await;
        let found = found.map_err(|cause| RunFailure::of(store.name(), cause))?;
        let differences = record.inventory.differences(&found);
        if differences.is_empty() {
            return Ok(());
        }
        Err(RunFailure::Inventory {
            store: store.name().clone(),
            differences,
        })
    });
    join_all(counts).await.into_iter().collect()
}

/// The names of the stores of some tasks.
pub(super) fn names(tasks: &[Task<'_>]) -> BTreeSet<StoreName> {
    tasks.iter().map(|task| task.store.name().clone()).collect()
}
