//! Random histories of one repository, against a model of what must be in it: backups that succeed, fail and
//! die, prunes that die, damage, adoption, protection, and time that passes. After each step the same is
//! asked: is everything there that must be, and whole, and was nothing touched that is not ours?

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::Config;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::names::BackupId;
use stillpoint_core::ports::Clock;
use stillpoint_core::retention::Policy;
use stillpoint_testkit::{Method, World, sample};

/// As many as fit into a few seconds.
const CASES: u32 = 32;

const STEPS: usize = 24;

/// What happens next. Backups are chosen by their place in the listing, round and round.
#[derive(Clone, Debug)]
enum Step {
    Backup,
    FailedBackup,
    /// At this call.
    DyingBackup(usize),
    Prune,
    DyingPrune(usize),
    /// A call of it fails.
    FailingPrune(usize),
    /// What others made so many days ago.
    Adopt(u8),
    DyingAdopt(u8, usize),
    Verify(usize),
    Damage(usize),
    Protect(usize),
    Unprotect(usize),
    HoursPass(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Backup),
        1 => Just(Step::FailedBackup),
        2 => (1..160_usize).prop_map(Step::DyingBackup),
        2 => Just(Step::Prune),
        3 => (1..60_usize).prop_map(Step::DyingPrune),
        1 => (1..60_usize).prop_map(Step::FailingPrune),
        1 => (0..20_u8).prop_map(Step::Adopt),
        1 => (0..20_u8, 1..60_usize).prop_map(|(days, call)| Step::DyingAdopt(days, call)),
        2 => any::<usize>().prop_map(Step::Verify),
        2 => any::<usize>().prop_map(Step::Damage),
        1 => any::<usize>().prop_map(Step::Protect),
        1 => any::<usize>().prop_map(Step::Unprotect),
        4 => (1..120_u8).prop_map(Step::HoursPass),
    ]
}

/// A backup that is listed.
#[derive(Clone, Default)]
struct Made {
    /// What there was of it when it was first seen.
    objects: BTreeMap<String, Bytes>,
    damaged: bool,
    /// A verification has found that out.
    known: bool,
    protected: bool,
}

impl Made {
    /// Retention counts on it.
    fn counts(&self) -> bool {
        !self.known && !self.protected
    }
}

struct Model {
    world: World,
    made: BTreeMap<BackupId, Made>,
    /// What is not ours, by key.
    foreign: BTreeMap<String, Bytes>,
}

fn below(world: &World, id: BackupId) -> BTreeMap<String, Bytes> {
    let begin = format!("{id}/");
    let keys = world
        .repository
        .keys()
        .into_iter()
        .filter(|key| key.starts_with(&begin));
    keys.filter_map(|key| Some((key.clone(), world.repository.get(&key)?)))
        .collect()
}

impl Model {
    fn new() -> Self {
        let mut model = Self {
            world: sample::world(),
            made: BTreeMap::new(),
            foreign: BTreeMap::new(),
        };
        model.is_there("2026-01-01_00-00-00/db/data.dump", "orders 1\n");
        let other = "{\"format\":1,\"platform\":\"other\",\"run\":\"1\",\"host\":\"h\",\"process\":1,\"began\":\"2026-01-02T00:00:00Z\"}";
        model.is_there("2026-01-02_00-00-00/run.json", other);
        model.is_there("photos/holiday.jpg", "photo");
        model
    }

    fn is_there(&mut self, key: &str, content: &'static str) {
        self.world.repository.put(key, content);
        self.foreign
            .insert(key.to_owned(), Bytes::from_static(content.as_bytes()));
    }

    fn chosen(&self, place: usize) -> Option<BackupId> {
        let place = place.checked_rem(self.made.len())?;
        self.made.keys().nth(place).copied()
    }

    async fn take(&mut self, step: &Step) -> anyhow::Result<()> {
        let world = self.world.clone();
        match step {
            Step::Backup => {
                let told = world.backup().await;
                ensure!(told.exit() == Exit::Ok, "{}", told.words());
            }
            Step::FailedBackup => {
                world.faults.on(Method::ProcessFinish).of("queue").fails();
                ensure!(world.backup().await.exit() == Exit::RunFailed);
            }
            Step::DyingBackup(call) => {
                world.faults.on_call(*call).kills();
                drop(world.faults.live(world.backup()).await);
                world.faults.reset();
                // Its watchdog: after a day of use nobody but its operator may bring the platform back.
                world.recover().await.outcome?;
            }
            Step::Prune => {
                let told = world.prune().await;
                ensure!(told.exit() == Exit::Ok, "{}", told.words());
            }
            Step::DyingPrune(call) => {
                world.faults.on_call(*call).kills_after();
                drop(world.faults.live(world.prune()).await);
            }
            Step::FailingPrune(call) => {
                world.faults.on_call(*call).fails();
                drop(world.prune().await);
            }
            Step::Adopt(days) => {
                if let Some(id) = self.lay(*days) {
                    world.adopt(id).await.outcome?;
                }
            }
            Step::DyingAdopt(days, call) => {
                if let Some(id) = self.lay(*days) {
                    world.faults.on_call(*call).kills();
                    drop(world.faults.live(world.adopt(id)).await);
                }
            }
            Step::HoursPass(hours) => world.clock.sleep(Duration::from_hours(u64::from(*hours))).await,
            Step::Verify(_) | Step::Damage(_) | Step::Protect(_) | Step::Unprotect(_) => self.treat(step).await?,
        }
        world.faults.reset();
        // The dead hold their lease until its term is over.
        world.clock.sleep(Duration::from_mins(3)).await;
        Ok(())
    }

    /// What is done to one backup.
    async fn treat(&mut self, step: &Step) -> anyhow::Result<()> {
        let (Step::Verify(place) | Step::Damage(place) | Step::Protect(place) | Step::Unprotect(place)) = step else {
            return Ok(());
        };
        let Some(id) = self.chosen(*place) else { return Ok(()) };
        let world = self.world.clone();
        let made = self.made.get_mut(&id).context("no such backup")?;
        match step {
            Step::Verify(_) => {
                let found = world.verify(id).await?;
                ensure!(found.is_empty() != made.damaged, "{id}: {found:?}");
                made.known = made.damaged;
            }
            Step::Damage(_) => {
                let key = format!("{id}/db/data.dump");
                world.repository.put(&key, "orders 6\n");
                made.damaged =
                    made.objects.insert(key, "orders 6\n".into()) != Some("orders 6\n".into()) || made.damaged;
            }
            Step::Protect(_) => {
                world.protect(id).await?;
                made.protected = true;
            }
            _ => {
                world.unprotect(id).await?;
                made.protected = false;
            }
        }
        Ok(())
    }

    /// Others make a backup; not where there is something already.
    fn lay(&mut self, days: u8) -> Option<BackupId> {
        let then = self.world.clock.now() - Duration::from_hours(24) * u32::from(days);
        let id = BackupId::at(then);
        let free = below(&self.world, id).is_empty();
        free.then(|| self.is_there(&format!("{id}/db/data.dump"), "orders 3\n"));
        free.then_some(id)
    }

    /// What holds after every step.
    async fn check(&mut self) -> anyhow::Result<()> {
        let list = self.world.list().await?;
        ensure!(list.unreadable.is_empty(), "{:?}", list.unreadable);
        let mut now: BTreeMap<BackupId, Made> = BTreeMap::new();
        for backup in list.backups {
            let id = backup.id;
            // Its deletion has begun: it is none any more.
            if self.world.repository.get(&format!("{id}/deleted.json")).is_some() {
                continue;
            }
            let fresh = || Made {
                objects: below(&self.world, id),
                ..Made::default()
            };
            let made = self.made.get(&id).cloned().unwrap_or_else(fresh);
            ensure!(
                made.protected == backup.protected,
                "{id} is protected: {}",
                backup.protected
            );
            let found = below(&self.world, id);
            ensure!(
                found == made.objects,
                "{id} was {:?} and is {:?}",
                made.objects.keys(),
                found.keys()
            );
            now.insert(id, made);
        }
        self.gone_rightly(&now)?;
        self.foreign
            .retain(|key, _| !now.keys().any(|id| key.starts_with(&format!("{id}/"))));
        for (key, content) in &self.foreign {
            ensure!(
                self.world.repository.get(key).as_ref() == Some(content),
                "{key} is not ours and was touched"
            );
        }
        self.made = now;
        let plan = self.world.would_prune().await.outcome?.plan;
        ensure!(
            plan == self.world.would_prune().await.outcome?.plan,
            "the same asked twice"
        );
        let spared: Vec<BackupId> = plan.kept().collect();
        for (id, made) in &self.made {
            ensure!(!made.protected || spared.contains(id), "{id} is protected and would go");
        }
        self.world.faults.reset();
        Ok(())
    }

    /// Nothing is gone that the rules keep.
    fn gone_rightly(&self, now: &BTreeMap<BackupId, Made>) -> anyhow::Result<()> {
        let Policy { days, minimum, .. } = Policy::default();
        let counting = |of: &BTreeMap<BackupId, Made>| of.values().filter(|made| made.counts()).count();
        let fresh = now
            .iter()
            .filter(|(id, made)| made.counts() && !self.made.contains_key(id))
            .count();
        let ever = counting(&self.made) + fresh;
        ensure!(
            counting(now) >= ever.min(minimum as usize),
            "{} of {ever} are left",
            counting(now)
        );
        for (id, made) in self.made.iter().filter(|(id, _)| !now.contains_key(id)) {
            ensure!(!made.protected, "{id} was protected and is gone");
            let age = self.world.clock.now().duration_since(id.timestamp());
            ensure!(age.as_hours() >= i64::from(days) * 24, "{id} is gone after {age:?}");
            let newer = now.iter().filter(|(other, made)| *other > id && made.counts()).count();
            ensure!(
                made.known || newer >= minimum as usize,
                "{id} is gone, {newer} newer stay"
            );
            ensure!(
                now.values().any(|made| !made.known),
                "{id} is gone and nothing is whole"
            );
        }
        Ok(())
    }

    /// In the end nothing is left but backups, the last failed run, and what is not ours.
    async fn end(&mut self) -> anyhow::Result<()> {
        self.take(&Step::Backup).await?;
        self.check().await?;
        self.take(&Step::HoursPass(26)).await?;
        self.take(&Step::Prune).await?;
        self.check().await?;
        let world = &self.world;
        let list = world.list().await?;
        let ours = |id: &BackupId| !self.foreign.keys().any(|key| key.starts_with(&format!("{id}/")));
        let left: Vec<BackupId> = list.incomplete.into_iter().filter(ours).collect();
        ensure!(
            left.is_empty() && list.partial.len() <= 1,
            "{left:?} {:?}",
            list.partial
        );
        ensure!(world.journal.open().is_empty(), "{:?}", world.journal.open());
        ensure!(
            world.repository.unfinished().is_empty(),
            "{:?}",
            world.repository.unfinished()
        );
        let litter =
            |key: &String| key.contains("/probe-") || key.contains("/canary-") || key.ends_with("/deleted.json");
        let litter: Vec<String> = world.repository.keys().into_iter().filter(litter).collect();
        ensure!(litter.is_empty(), "{litter:?}");
        for (id, made) in &self.made {
            let found = world.verify(*id).await?;
            ensure!(found.is_empty() != made.damaged, "{id}: {found:?}");
        }
        Ok(())
    }
}

fn play(steps: &[Step]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(async {
        let mut model = Model::new();
        for (n, step) in steps.iter().enumerate() {
            let at = || format!("step {n}: {step:?}");
            model.take(step).await.with_context(at)?;
            model.check().await.with_context(at)?;
        }
        model.end().await.context("in the end")
    })
}

proptest! {
    #![proptest_config(Config { cases: CASES, failure_persistence: None, max_shrink_iters: 400, ..Config::default() })]

    #[test]
    fn whatever_happens_what_must_stay_is_there_and_whole(steps in prop::collection::vec(step(), 1..STEPS)) {
        if let Err(error) = play(&steps) {
            return Err(TestCaseError::fail(format!("{error:#}")));
        }
    }
}
