//! The crash matrix: the promise of promises, over every single call that a run makes of the world.
//! Let it fail, let its answer get lost, let it hang, interrupt the run at it, let the process or its
//! host die at it, let somebody prune the claim or lose the ledger, and let the recovery die as well.
//! Whatever happens, what ran runs again after a backup, a restore leaves either everything as it was
//! or everything down, and after the next run nothing is left of the one that died.
//!
//! A hang is tried only where the rules promise an end ([`Call::ends_when_cancelled`]): every other
//! method of a port promises a deadline of its own, which its adapter's conformance suite holds.
//!
//! A [`Trial`] is one case and can be said in one line: a complaint names the command that replays it.

mod aftermath;
mod backup;
mod restore;
mod scene;
mod sweeps;
mod trial;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::events::EventKind;
use stillpoint_core::maintenance::CleanupWish;
use stillpoint_core::names::{BackupId, Project};
use stillpoint_core::operations::{Operations, RunRequest};
use stillpoint_testkit::fakes::{Container, Data, Kept};
use stillpoint_testkit::sample::{self, LEFT, PLATFORM, RESTORED};
use stillpoint_testkit::stage::{Degrades, Picture, Told};
use stillpoint_testkit::{Call, Method, Recorder, World};

/// No run of the sample may take longer, in virtual time: whatever waits has come to its limit.
const ENDS_WITHIN: Duration = Duration::from_mins(20);

/// What is wrong with one case.
#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn unless(&mut self, holds: bool, call: &Call, complaint: impl FnOnce() -> String) {
        if !holds {
            self.0.push(format!("{call}: {}", complaint()));
        }
    }
}

/// A sample world, and how it was before anything happened.
struct Case {
    world: World,
    before: Picture,
    data: Vec<(String, Data)>,
    /// The data before anything was restored.
    old: Vec<(String, BTreeMap<String, u64>)>,
    policies: BTreeMap<String, String>,
    /// The backup that is restored, if the stage has one.
    id: BackupId,
}

impl Case {
    fn new(world: World) -> Self {
        Self {
            before: world.picture(),
            data: world.data().into_iter().collect(),
            old: restore::rows(&world),
            policies: world.policies(),
            id: BackupId::at(Timestamp::UNIX_EPOCH),
            world,
        }
    }

    fn down(&self) -> Vec<String> {
        self.before.differences(&self.world.picture())
    }

    /// Everything that a restore has replaced is back, and nothing of it is kept any more.
    fn is_as_before(&self) -> bool {
        let nothing_kept = self.world.data().values().all(|data| data.aside.is_none());
        self.old == restore::rows(&self.world) && nothing_kept
    }

    fn data_is_untouched(&self) -> bool {
        self.data == self.world.data().into_iter().collect::<Vec<_>>()
    }

    /// What holds after every run that ends, however it ends.
    fn always<T: Degrades>(&self, told: &Told<T>, call: &Call, left: &[&str], bad: &mut Complaints) {
        let world = &self.world;
        let touched: Vec<String> = self.before.touched(&world.picture());
        let left: BTreeSet<&str> = left.iter().copied().chain(["other.blog"]).collect();
        let touched: Vec<&String> = touched.iter().filter(|id| left.contains(id.as_str())).collect();
        bad.unless(touched.is_empty(), call, || {
            format!("{touched:?} should have been left alone")
        });
        bad.unless(world.violations().is_empty(), call, || {
            format!("{:?}", world.violations())
        });
        bad.unless(world.locked_by_another(PLATFORM).is_some(), call, || {
            "the lock is held".into()
        });
        bad.unless(world.data().values().all(|data| data.pins == 0), call, || {
            "a point in time is still held".into()
        });
        let seqs: Vec<u64> = told.recorder.events().iter().map(|event| event.seq).collect();
        bad.unless(seqs == (1..=seqs.len() as u64).collect::<Vec<_>>(), call, || {
            "events are missing".into()
        });
        bad.unless(told.outcome.is_ok() || !told.words().ends_with("()"), call, || {
            format!("no hint: {}", told.words())
        });
    }
}

fn clients_down(told: &Told<impl Degrades>) -> usize {
    told.recorder
        .count(|kind| matches!(kind, EventKind::ClientsGoDown { .. }))
}

fn clients_back(told: &Told<impl Degrades>) -> usize {
    told.recorder
        .count(|kind| matches!(kind, EventKind::ClientsAreBack { .. }))
}

/// What maintenance calls.
async fn maintained() -> anyhow::Result<Vec<Method>> {
    let world = sample::world();
    world.keeps_dagster("db", Kept::default());
    let operations = world.operations();
    let request = || RunRequest {
        run: None,
        platform: None,
        listener: Arc::new(Recorder::default()),
        cancel: world.interrupt(),
    };
    operations.cleanup(CleanupWish::default(), request()).await?;
    operations.repack(false, request()).await?;
    operations.count_cleanup(request()).await?;
    operations.maintenance_status(request()).await?;
    Ok(world.faults.calls().into_iter().map(|call| call.method).collect())
}

/// A sweep over calls that nobody makes would prove nothing about them.
#[tokio::test(start_paused = true)]
async fn every_method_of_every_port_is_called_by_some_run() -> anyhow::Result<()> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.wait_a_minute().await;
    world.faults.on(Method::ProcessOutput).of("db").fails();
    assert_eq!(world.backup().await.exit(), Exit::RunFailed);
    world.wait_a_minute().await;
    let seen = world.clone();
    world
        .faults
        .on(Method::StorePin)
        .of("db")
        .meets(move || seen.change("db", "orders", 6));
    assert_eq!(world.backup().await.exit(), Exit::RunFailed);
    world.wait_a_minute().await;
    world.restore(id).await.outcome?;
    world.wait_a_minute().await;
    world.undo().await.outcome?;
    world.wait_a_minute().await;
    world.restore(id).await.outcome?;
    world.discard_old().await.outcome?;
    world.wait_a_minute().await;
    world.faults.on(Method::StoreRestore).of("db").fails();
    assert_eq!(world.restore(id).await.exit(), Exit::StoppedOnPurpose);
    world.resume().await.outcome?;
    world.list().await?;
    world.verify(id).await?;
    world.examine("acme").await?;
    let mut called: BTreeSet<Method> = world.faults.calls().into_iter().map(|call| call.method).collect();
    world.faults.on(Method::StorePin).nth(1).kills();
    world.wait_a_minute().await;
    assert!(world.faults.live(world.backup()).await.is_none(), "it lives");
    world.faults.reset();
    world.recover().await.outcome?;
    called.extend(world.faults.calls().into_iter().map(|call| call.method));
    world.faults.on(Method::PowerStart).of("web").always().fails();
    world.wait_a_minute().await;
    assert_eq!(world.backup().await.exit(), Exit::Degraded);
    called.extend(world.faults.calls().into_iter().map(|call| call.method));
    world.faults.reset();
    world.start_containers().await.outcome?;
    called.extend(world.faults.calls().into_iter().map(|call| call.method));
    let lake = World::of([Container::writing_store("lake", &[("events", 7)])]);
    let id = lake.backup().await.outcome?.manifest.id;
    lake.wait_a_minute().await;
    lake.restore(id).await.outcome?;
    called.extend(lake.faults.calls().into_iter().map(|call| call.method));
    called.extend(maintained().await?);
    let never: Vec<&Method> = Method::ALL.iter().filter(|method| !called.contains(method)).collect();
    assert!(never.is_empty(), "{never:?}");
    Ok(())
}
