//! What happens while the platform stands still: every store is started alone, pinned, drained and
//! let go. The first failure ends the other drains, so that the clients come back at once.

use std::sync::Arc;

use futures::future::join_all;

use crate::engine::plan::Plan;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::engine::standstill::Standstill;
use crate::errors::RunFailure;
use crate::events::Step;
use crate::manifest::StoreRecord;
use crate::ports::{Cx, Pinned, Store, StoreError};
use crate::sink::Sink;

/// What the standstill yielded.
pub(super) struct Captured {
    /// The stores that were drained whole.
    pub(super) records: Vec<StoreRecord>,
    /// Why the backup failed, if it did.
    pub(super) failure: Option<RunFailure>,
}

impl Captured {
    pub(super) fn failed(failure: RunFailure) -> Self {
        Self {
            records: Vec::new(),
            failure: Some(failure),
        }
    }
}

type Pins = Vec<(Arc<dyn Store>, Box<dyn Pinned>)>;

pub(super) async fn capture(
    site: &Site,
    run: &Run,
    platform: &Platform,
    plan: &Plan,
    standstill: &mut Standstill,
    sink: &Sink,
) -> Captured {
    let cx = site.cx(run);
    let mut pins = match run
        .report
        .step(Step::Pin, pin_all(site, &cx, platform, standstill))
        .await
    {
        Ok(pins) => pins,
        Err(failure) => return Captured::failed(failure),
    };
    let mut captured = drain_all(run, &cx, &mut pins, sink).await;
    for (_, pin) in &mut pins {
        pin.release().await;
    }
    if captured.failure.is_none() {
        captured.failure = standstill.unbroken(plan).await.err().map(Into::into);
    }
    captured
}

async fn pin_all(site: &Site, cx: &Cx, platform: &Platform, standstill: &mut Standstill) -> Result<Pins, RunFailure> {
    let canary = site.backups.canary(cx.report.run().as_str()).await;
    canary.map_err(|cause| RunFailure::Repository {
        place: site.backups.place(),
        cause,
    })?;
    for store in platform.stores.values() {
        standstill.start_alone(store.name(), store.workload()).await?;
    }
    let stores: Vec<&Arc<dyn Store>> = platform.stores.values().collect();
    let attempts = join_all(stores.iter().map(|store| pin(store, cx))).await;
    let mut pins = Pins::new();
    let mut failure = None;
    for (store, attempt) in stores.into_iter().zip(attempts) {
        match attempt {
            Ok(pin) => pins.push((store.clone(), pin)),
            Err(cause) => failure = Some(failed(store, cause)),
        }
    }
    match failure {
        None => Ok(pins),
        Some(failure) => {
            for (_, pin) in &mut pins {
                pin.release().await;
            }
            Err(failure)
        }
    }
}

async fn pin(store: &Arc<dyn Store>, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError> {
    store.ready(cx).await?;
    store.pin(cx).await
}

async fn drain_all(run: &Run, cx: &Cx, pins: &mut Pins, sink: &Sink) -> Captured {
    let others = Cx {
        cancel: cx.cancel.child_token(),
        ..cx.clone()
    };
    let drains = join_all(pins.iter_mut().map(|(store, pin)| drain(store, pin, &others, sink)));
    let outcomes = run.report.step(Step::Drain, async { whole(drains.await) });
    outcomes.await.unwrap_or_else(|captured| captured)
}

async fn drain(
    store: &Arc<dyn Store>,
    pin: &mut Box<dyn Pinned>,
    cx: &Cx,
    sink: &Sink,
) -> Result<StoreRecord, RunFailure> {
    let drained = pin.drain(cx, sink).await;
    // Under hold every drain keeps the clients down, so one that failed has no use for the others.
    drained.map_err(|cause| {
        cx.cancel.cancel();
        failed(store, cause)
    })
}

/// All of it, or what there is together with the failure that came first (a cancelled drain is a
/// consequence, never the cause).
fn whole(outcomes: Vec<Result<StoreRecord, RunFailure>>) -> Result<Captured, Captured> {
    let (records, failures): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    let records = records.into_iter().filter_map(Result::ok).collect();
    let mut failures: Vec<RunFailure> = failures.into_iter().filter_map(Result::err).collect();
    failures.sort_by_key(|failure| matches!(failure, RunFailure::Interrupted));
    match failures.into_iter().next() {
        None => Ok(Captured { records, failure: None }),
        failure => Err(Captured { records, failure }),
    }
}

fn failed(store: &Arc<dyn Store>, cause: StoreError) -> RunFailure {
    RunFailure::of(store.name(), cause)
}
