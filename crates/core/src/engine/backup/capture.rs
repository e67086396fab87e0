//! What happens while the platform stands still: every store is started alone, pinned, drained and
//! let go. The first failure ends the others' work, so that the clients come back at once.

use std::sync::Arc;

use crate::engine::plan::Plan;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::engine::standstill::Standstill;
use crate::engine::together::together;
use crate::errors::RunFailure;
use crate::events::Step;
use crate::manifest::StoreRecord;
use crate::ports::{Cx, Pinned, Store};
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
    release(&mut pins).await;
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
    let (mut pins, failure) = together(cx, platform.stores.values(), pin).await;
    match failure {
        None => Ok(pins),
        Some(failure) => {
            release(&mut pins).await;
            Err(failure)
        }
    }
}

async fn pin(store: &Arc<dyn Store>, cx: Cx) -> Result<(Arc<dyn Store>, Box<dyn Pinned>), RunFailure> {
    let pinned = async {
        store.ready(&cx).await?;
        store.pin(&cx).await
    };
    match pinned.await {
        Ok(pin) => Ok((store.clone(), pin)),
        Err(cause) => Err(RunFailure::of(store.name(), cause)),
    }
}

async fn release(pins: &mut Pins) {
    for (_, pin) in pins {
        pin.release().await;
    }
}

/// Under hold every drain keeps the clients down, so one that failed has no use for the others.
async fn drain_all(run: &Run, cx: &Cx, pins: &mut Pins, sink: &Sink) -> Captured {
    let mut records = Vec::new();
    let drains = together(cx, pins, |(store, pin), cx| async move {
        let drained = pin.drain(&cx, sink).await;
        drained.map_err(|cause| RunFailure::of(store.name(), cause))
    });
    let drained = async {
        let (done, failure) = drains.await;
        records = done;
        failure.map_or(Ok(()), Err)
    };
    let failure = run.report.step(Step::Drain, drained).await.err();
    Captured { records, failure }
}
