//! What happens while no client runs: every store is marked, pinned while it runs, and asked whether anybody has written
//! since its mark. A store in which something was written voids the point in time.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};

use super::Backup;
use crate::backups::{Canary, When};
use crate::engine::deadline::{asked, bounded};
use crate::engine::errors::RunFailure;
use crate::engine::limits::{CALL_ENDS, LETS_IN, PIN, STANDSTILL};
use crate::engine::site::Run;
use crate::engine::standstill::{Standstill, StandstillError};
use crate::engine::strangers;
use crate::events::{Step, millis};
use crate::manifest::Watermark;
use crate::ports::within;
use crate::sink::Sink;
use crate::stores::{Cx, Footing, Pinned, Quiet, Store, Written, together};

/// A store whose point in time is fixed.
pub(super) struct Pin {
    pub(super) store: Arc<dyn Store>,
    /// Its mark from before the first pin.
    pub(super) before: Watermark,
    /// Its mark from after the last one.
    pub(super) after: Watermark,
    pub(super) pinned: Box<dyn Pinned>,
    /// What keeps it from writing by itself.
    quiet: Option<Box<dyn Quiet>>,
    /// How long its pin took, in milliseconds.
    pub(super) took: u64,
}

pub(super) type Pins = Vec<Pin>;

/// A store with its mark, which keeps still.
struct Marked {
    store: Arc<dyn Store>,
    before: Watermark,
    quiet: Box<dyn Quiet>,
}

impl Backup<'_> {
    /// Pins every store, within the limit of the standstill.
    pub(super) async fn pin(&self, standstill: &Standstill, sink: &Sink) -> Result<Pins, RunFailure> {
        let limited = self.limited(standstill);
        let pinning = self.pin_all(&limited.run, standstill, sink);
        let pinning = self.run.report.step(Step::Pin, pinning);
        Box::pin(limited.hold(self, pinning)).await
    }

    async fn pin_all(&self, run: &Run, standstill: &Standstill, sink: &Sink) -> Result<Pins, RunFailure> {
        let site = self.site;
        let canary = run
            .cancel
            .run_until_cancelled(site.backups.canary(run.report.run(), When::Inside, Canary::Small));
        let canary = canary.await.ok_or(RunFailure::Interrupted)?;
        canary.map_err(|cause| RunFailure::Repository {
            place: site.backups.place(),
            cause,
        })?;
        let cx = site.cx(run);
        // All stores are marked before the first is pinned: what is written between two pins shows.
        let stores = &self.platform.stores;
        let (marked, failure) = together(&cx, stores.len(), stores.values(), mark).await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut pins = Pins::new();
        let pinned = self.pin_marked(&cx, (standstill, sink), marked, &mut pins).await;
        let pinned = match pinned {
            Ok(()) => self.check_no_writes(&cx, standstill, &mut pins).await,
            failed => failed,
        };
        match pinned {
            Ok(()) => Ok(pins),
            Err(failure) => {
                release(&cx, &mut pins).await;
                Err(failure)
            }
        }
    }

    /// Those that are pinned while they run come first, side by side; each of the others is brought where it wants to be
    /// as late as possible, and back at once.
    async fn pin_marked(
        &self,
        cx: &Cx,
        (standstill, sink): (&Standstill, &Sink),
        marked: Vec<Marked>,
        pins: &mut Pins,
    ) -> Result<(), RunFailure> {
        let runs = |marked: &Marked| marked.store.pin_footing() == Footing::Running;
        let (running, others): (Vec<Marked>, Vec<Marked>) = marked.into_iter().partition(runs);
        let (pinned, failure) = together(cx, running.len(), running, |marked, cx| pin_one(marked, cx, sink)).await;
        pins.extend(pinned);
        if let Some(failure) = failure {
            return Err(failure);
        }
        for marked in others {
            let store = marked.store.clone();
            let footing = store.pin_footing();
            standstill.bring(&*store, footing).await?;
            let pinned = pin_one(marked, cx.clone(), sink).await;
            // Back first: how it was pinned is told afterwards.
            let back = standstill.bring(&*store, Footing::Running).await;
            pins.push(pinned?);
            back?;
            let ready = asked(cx, format!("{} answering again", store.name()), |cx| {
                let store = store.clone();
                async move { store.ready(&cx).await }
            });
            ready.await.map_err(|cause| RunFailure::of(store.name(), cause))?;
        }
        Ok(())
    }

    /// Nothing may have been written since the marks, also what a pin keeps out: a writer from outside the platform was
    /// there before the pin as well. What broke the standstill may be why a store could not be asked: it tells more.
    pub(super) async fn check_no_writes(
        &self,
        cx: &Cx,
        standstill: &Standstill,
        pins: &mut Pins,
    ) -> Result<(), RunFailure> {
        let written = self.compare_marks(cx, pins).await;
        if matches!(written, Err(RunFailure::Interrupted)) {
            return written;
        }
        standstill.unbroken(self.plan).await?;
        written
    }

    async fn compare_marks(&self, cx: &Cx, pins: &mut Pins) -> Result<(), RunFailure> {
        let (looks, failure) = together(cx, pins.len(), pins, |pin, cx| async move {
            let store = &pin.store;
            let what = format!("asking {} what was written", store.name());
            let before = &pin.before;
            let written = asked(&cx, what, |cx| async move { store.writes_since(&cx, before).await });
            match written.await {
                Ok(written) => Ok((pin, written)),
                Err(cause) => Err(RunFailure::of(pin.store.name(), cause)),
            }
        })
        .await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        for (pin, Written { after, moved }) in looks {
            if !moved.is_empty() {
                return Err(self.written(cx, &*pin.store, moved).await);
            }
            pin.after = after;
        }
        Ok(())
    }

    /// Who it was is a courtesy: the failure is told without it.
    async fn written(&self, cx: &Cx, store: &dyn Store, moved: Vec<String>) -> RunFailure {
        let what = format!("asking {} who is connected", store.name());
        let connected_clients = asked(cx, what, |cx| async move { store.connected_clients(&cx).await }).await;
        let around = self.site.machine.catalog.neighbours().await.unwrap_or_default();
        RunFailure::Written {
            store: store.name().clone(),
            moved,
            connected_clients: strangers::named(connected_clients.unwrap_or_default(), &around),
            outside: strangers::outside(&self.plan.platform, store.workload(), &around),
        }
    }

    /// The limit of this standstill, as a run that ends with it.
    pub(super) fn limited(&self, standstill: &Standstill) -> Limited {
        let unless_told = (!self.plan.holds_any()).then_some(STANDSTILL);
        let limit = self.site.standstill.max.or(unless_told);
        let (run, over) = self.run.guarded();
        let left = limit.map(|limit| (limit, limit.saturating_sub(standstill.lasted())));
        Limited { run, over, left }
    }
}

/// Work inside a standstill that has a limit.
pub(super) struct Limited {
    /// The run to work with: it ends with the limit.
    pub(super) run: Run,
    over: tokio_util::sync::CancellationToken,
    /// The limit, and what is left of it.
    left: Option<(Duration, Duration)>,
}

impl Limited {
    /// Awaits the work; at the limit it is told to stop, as by the operator, and is awaited for a moment more.
    pub(super) async fn hold<T>(
        &self,
        backup: &Backup<'_>,
        work: impl Future<Output = Result<T, RunFailure>>,
    ) -> Result<T, RunFailure> {
        let Some((limit, left)) = self.left else {
            return work.await;
        };
        let clock = &*backup.site.machine.clock;
        let work = pin!(work);
        let work = match select(work, pin!(clock.sleep(left))).await {
            Either::Left((outcome, _)) => return outcome,
            Either::Right(((), work)) => work,
        };
        self.over.cancel();
        let too_long = || Err(StandstillError::TooLong(limit).into());
        match within(clock, CALL_ENDS, "ending the work on the stores", work).await {
            Ok(Err(RunFailure::Interrupted)) if !backup.run.cancel.is_cancelled() => too_long(),
            Ok(outcome) => outcome,
            Err(_) => too_long(),
        }
    }
}

async fn mark(store: &Arc<dyn Store>, cx: Cx) -> Result<Marked, RunFailure> {
    let what = format!("reading the mark of writes of {}", store.name());
    let marked = asked(&cx, what, |cx| async move {
        store.ready(&cx).await?;
        let quiet = store.quieten(&cx).await?;
        Ok((store.watermark(&cx).await?, quiet))
    });
    match marked.await {
        Ok((before, quiet)) => Ok(Marked {
            store: store.clone(),
            before,
            quiet,
        }),
        Err(cause) => Err(RunFailure::of(store.name(), cause)),
    }
}

async fn pin_one(marked: Marked, cx: Cx, sink: &Sink) -> Result<Pin, RunFailure> {
    let Marked { store, before, quiet } = marked;
    let began = cx.clock.elapsed();
    let what = format!("fixing the point in time of {}", store.name());
    let pinned = bounded(&cx, PIN, what, |cx| {
        let store = store.clone();
        async move { store.pin(&cx, sink).await }
    });
    match pinned.await {
        Ok(pinned) => Ok(Pin {
            store,
            after: before.clone(),
            before,
            pinned,
            quiet: Some(quiet),
            took: millis(cx.clock.elapsed().saturating_sub(began)),
        }),
        Err(cause) => Err(RunFailure::of(store.name(), cause)),
    }
}

/// Tells stores that the marks were compared. The clients wait for it, so one that does not come to an end is left to
/// the release of its pin.
pub(super) async fn let_writers_in(cx: &Cx, pins: &mut Pins) {
    for pin in pins {
        end_quiet(cx, pin).await;
    }
}

async fn end_quiet(cx: &Cx, pin: &mut Pin) {
    let Some(mut quiet) = pin.quiet.take() else { return };
    let what = format!("letting writers into {} again", pin.store.name());
    if let Err(overdue) = within(&*cx.clock, LETS_IN, &what, quiet.end()).await {
        cx.report.warn(overdue.to_string());
    }
}

/// Lets go of every point in time. One that cannot be let go of ends with its connection.
pub(super) async fn release(cx: &Cx, pins: &mut Pins) {
    for pin in pins.iter_mut() {
        let what = format!("letting go of the point in time of {}", pin.store.name());
        if let Err(overdue) = within(&*cx.clock, CALL_ENDS, &what, pin.pinned.release()).await {
            cx.report.warn(overdue.to_string());
        }
        end_quiet(cx, pin).await;
    }
}
