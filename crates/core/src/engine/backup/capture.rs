//! What happens while the platform stands still: every store is started alone, marked, pinned, drained
//! and let go. The first failure ends the others' work, so that the clients come back at once. A store in
//! which something was written meanwhile voids the point in time.

use std::sync::Arc;

use crate::engine::plan::Plan;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::engine::standstill::Standstill;
use crate::errors::RunFailure;
use crate::events::Step;
use crate::manifest::{StoreRecord, Watermark, Watermarks};
use crate::ports::store::{Footing, Written};
use crate::ports::{Cx, Pinned, Store, together};
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

/// A store whose point in time is fixed, with its mark from before the first was.
struct Pin {
    store: Arc<dyn Store>,
    before: Watermark,
    pinned: Box<dyn Pinned>,
}

type Pins = Vec<Pin>;

pub(super) async fn capture(
    site: &Site,
    run: &Run,
    platform: &Platform,
    plan: &Plan,
    standstill: &Standstill,
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
    if captured.failure.is_none() {
        let written = compare_marks(&cx, &mut pins, &mut captured.records).await.err();
        // What broke the standstill may be why a store could not be asked: it tells more.
        let broken = standstill.unbroken(plan).await.err().map(RunFailure::from);
        captured.failure = broken.or(written);
    }
    release(&mut pins).await;
    captured
}

async fn pin_all(site: &Site, cx: &Cx, platform: &Platform, standstill: &Standstill) -> Result<Pins, RunFailure> {
    let canary = site.backups.canary(cx.report.run().as_str()).await;
    canary.map_err(|cause| RunFailure::Repository {
        place: site.backups.place(),
        cause,
    })?;
    for store in platform.stores.values() {
        standstill.bring(&**store, Footing::Running).await?;
    }
    let (marked, failure) = together(cx, platform.stores.len(), platform.stores.values(), mark).await;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let (mut pins, failure) = together(cx, marked.len(), marked, pin).await;
    match failure {
        None => Ok(pins),
        Some(failure) => {
            release(&mut pins).await;
            Err(failure)
        }
    }
}

/// All stores are marked before the first is pinned: what is written between two pins shows.
async fn mark(store: &Arc<dyn Store>, cx: Cx) -> Result<(Arc<dyn Store>, Watermark), RunFailure> {
    let marked = async {
        store.ready(&cx).await?;
        store.watermark(&cx).await
    };
    match marked.await {
        Ok(before) => Ok((store.clone(), before)),
        Err(cause) => Err(RunFailure::of(store.name(), cause)),
    }
}

async fn pin((store, before): (Arc<dyn Store>, Watermark), cx: Cx) -> Result<Pin, RunFailure> {
    match store.pin(&cx).await {
        Ok(pinned) => Ok(Pin { store, before, pinned }),
        Err(cause) => Err(RunFailure::of(store.name(), cause)),
    }
}

async fn release(pins: &mut Pins) {
    for pin in pins {
        pin.pinned.release().await;
    }
}

/// Under hold nothing may have been written until the last byte was read, also what a pin keeps out: a
/// writer from outside the platform was there before the pin as well.
async fn compare_marks(cx: &Cx, pins: &mut Pins, records: &mut [StoreRecord]) -> Result<(), RunFailure> {
    let (looks, failure) = together(cx, pins.len(), pins, |pin, cx| async move {
        match pin.store.writes_since(&cx, &pin.before).await {
            Ok(written) => Ok((pin, written)),
            Err(cause) => Err(RunFailure::of(pin.store.name(), cause)),
        }
    })
    .await;
    if let Some(failure) = failure {
        return Err(failure);
    }
    for (pin, Written { after, moved }) in looks {
        let store = pin.store.name();
        if !moved.is_empty() {
            // Who it was is a courtesy: the failure is told without it.
            let visitors = pin.store.visitors(cx).await.unwrap_or_default();
            return Err(RunFailure::Written {
                store: store.clone(),
                moved,
                visitors,
            });
        }
        if let Some(record) = records.iter_mut().find(|record| record.name == *store) {
            record.watermarks = Some(Watermarks {
                before: pin.before.clone(),
                after,
            });
        }
    }
    Ok(())
}

/// Under hold every drain keeps the clients down, so one that failed has no use for the others.
async fn drain_all(run: &Run, cx: &Cx, pins: &mut Pins, sink: &Sink) -> Captured {
    let mut records = Vec::new();
    let drains = together(cx, pins.len(), pins, |pin, cx| async move {
        let drained = pin.pinned.drain(&cx, sink).await;
        drained.map_err(|cause| RunFailure::of(pin.store.name(), cause))
    });
    let drained = async {
        let (done, failure) = drains.await;
        records = done;
        failure.map_or(Ok(()), Err)
    };
    let failure = run.report.step(Step::Drain, drained).await.err();
    Captured { records, failure }
}
