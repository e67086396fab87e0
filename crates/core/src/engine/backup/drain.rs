//! Pinned stores are drained into the repository and let go, each as soon as it is drained. One that fails keeps no other
//! from being drained, unless the clients wait for all of them.

use futures::future::join_all;

use super::Backup;
use super::pin::{Pin, Pins, release};
use crate::engine::deadline::bounded;
use crate::engine::errors::RunFailure;
use crate::engine::limits::DRAIN;
use crate::engine::standstill::Standstill;
use crate::events::{Step, millis};
use crate::manifest::{StoreRecord, Took, Watermarks};
use crate::sink::Sink;
use crate::stores::{Cx, MayBeCancelled, together};

/// What was drained, and the first failure.
#[derive(Default)]
pub(super) struct Drains {
    pub(super) records: Vec<StoreRecord>,
    pub(super) failure: Option<RunFailure>,
}

impl Backup<'_> {
    /// Drains inside the standstill. The clients wait, so a drain that failed has no use for the others; and until the
    /// last byte was read nobody may have written.
    pub(super) async fn drain_in(&self, standstill: &Standstill, mut pins: Pins, sink: &Sink) -> Drains {
        let limited = self.limited(standstill);
        let cx = self.site.cx(&limited.run);
        let mut records = Vec::new();
        let work = async {
            let (drained, failure) = together(&cx, pins.len(), &mut pins, |pin, cx| async move {
                drain(pin, &cx, sink).await
            })
            .await;
            records = drained;
            failure.map_or(Ok(()), Err)
        };
        let work = self.run.report.step(Step::Drain, work);
        let mut failure = limited.hold(self, work).await.err();
        if failure.is_none() {
            failure = self
                .check_no_writes(&self.site.cx(self.run), standstill, &mut pins)
                .await
                .err();
        }
        release(&self.site.cx(self.run), &mut pins).await;
        Drains { records, failure }
    }

    /// Drains beside running clients: what is pinned is worth having, whatever becomes of the others.
    pub(super) async fn drain_beside(&self, pins: Pins, sink: &Sink) -> Drains {
        if pins.is_empty() {
            return Drains::default();
        }
        let mut records = Vec::new();
        let work = async {
            let (drained, failure) = self.drain_each(pins, sink).await;
            records = drained;
            failure.map_or(Ok(()), Err)
        };
        let failure = self.run.report.step(Step::Drain, work).await.err();
        Drains { records, failure }
    }

    async fn drain_each(&self, pins: Pins, sink: &Sink) -> (Vec<StoreRecord>, Option<RunFailure>) {
        let cx = self.site.cx(self.run);
        let drains = pins.into_iter().map(|mut pin| {
            let cx = &cx;
            async move {
                let drained = drain(&mut pin, cx, sink).await;
                release(cx, &mut vec![pin]).await;
                drained
            }
        });
        let (mut records, mut failure) = (Vec::new(), None::<RunFailure>);
        for drained in join_all(drains).await {
            match drained {
                Ok(record) => records.push(record),
                Err(cause) if failure.as_ref().is_none_or(MayBeCancelled::is_cancelled) => failure = Some(cause),
                Err(_) => {}
            }
        }
        (records, failure)
    }
}

async fn drain(pin: &mut Pin, cx: &Cx, sink: &Sink) -> Result<StoreRecord, RunFailure> {
    let began = cx.clock.elapsed();
    let store = pin.store.clone();
    let pinned = &mut pin.pinned;
    let what = format!("draining {}", store.name());
    let drained = bounded(cx, DRAIN, what, |cx| async move { pinned.drain(&cx, sink).await });
    let drained = drained.await.map_err(|cause| RunFailure::of(store.name(), cause))?;
    let took = Took {
        pin: pin.took,
        drain: millis(cx.clock.elapsed().saturating_sub(began)),
    };
    let marks = Watermarks {
        before: pin.before.clone(),
        after: pin.after.clone(),
    };
    Ok(drained.record(&*store, Some(took), Some(marks)))
}
