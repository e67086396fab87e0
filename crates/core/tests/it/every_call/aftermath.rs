//! How a trial is played, and what must hold when its run is over, dead or alive, and again when the
//! next run is over.

use std::future::Future;

use stillpoint_core::backups::Backups;
use stillpoint_core::engine::errors::Error;
use stillpoint_core::ports::journal::Phase;
use stillpoint_core::ports::{Clock, Overdue, within};
use stillpoint_core::workload::State;

use super::scene::Outcome;
use super::trial::{Fault, Next, Scene, Trial, Twist};
use super::*;

/// How a trial went.
pub(super) struct Played {
    pub(super) complaints: Vec<String>,
    /// The next run made fewer calls than it was to die at.
    pub(super) outlived: bool,
}

/// When the operator loses patience with a run that hangs.
const PATIENCE: Duration = Duration::from_mins(1);

impl Trial {
    /// Plays the case. `golden` are the calls of its scene when all goes well.
    pub(super) async fn play(self, golden: &[Call]) -> anyhow::Result<Played> {
        let call = golden.get(self.n - 1);
        let call = call.ok_or_else(|| anyhow::anyhow!("{} has {} calls", self.scene, golden.len()))?;
        let stage = Stage {
            case: self.scene.prepare().await?,
            trial: self,
            call,
            bad: Complaints::default(),
        };
        Ok(stage.play(golden.len()).await)
    }
}

struct Stage<'a> {
    case: Case,
    trial: Trial,
    call: &'a Call,
    bad: Complaints,
}

impl Stage<'_> {
    fn unless(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        self.bad.unless(holds, self.call, complaint);
    }

    async fn play(mut self, total: usize) -> Played {
        self.arrange(total);
        let hangs = self.trial.fault == Fault::Hang;
        let act = self.trial.scene.act(&self.case);
        let told = ends(&self.case, hangs, act).await;
        let mut outlived = false;
        match told {
            Err(Overdue { .. }) => self.unless(false, || "it waits for ever".into()),
            Ok(None) if !self.trial.fault.is_death() => self.unless(false, || "it died of nothing".into()),
            Ok(None) => outlived = self.go_on().await,
            Ok(Some(_)) if self.trial.fault.is_death() => self.unless(false, || "it lives".into()),
            Ok(Some(told)) => {
                let stays_down = told.exit() == Exit::StoppedOnPurpose;
                self.living(&told).await;
                if self.case.down().is_empty() || stays_down || self.is_accounted_for() {
                    outlived = self.go_on().await;
                }
            }
        }
        Played {
            complaints: self.bad.0,
            outlived,
        }
    }

    fn arrange(&self, total: usize) {
        let faults = &self.case.world.faults;
        let (n, world) = (self.trial.n, self.case.world.clone());
        let interrupt = world.interrupt();
        match self.trial.fault {
            Fault::Error => faults.on_call(n).fails(),
            Fault::LostAnswer => faults.on_call(n).loses_its_answer(),
            Fault::Hang => faults.on_call(n).hangs(),
            Fault::Interrupt => faults.on_call(n).meets(move || interrupt.cancel()),
            Fault::Prune => faults
                .on_call(n)
                .meets(move || world.drop_claim(&Project::new(PLATFORM))),
            Fault::PruneThenDie => {
                faults
                    .on_call(n)
                    .meets(move || world.drop_claim(&Project::new(PLATFORM)));
                faults.on_call(n + (total - n) / 2 + 1).kills();
            }
            Fault::DieBefore => faults.on_call(n).kills(),
            Fault::DieAfter => faults.on_call(n).kills_after(),
        }
    }

    /// What holds when the run has ended by itself.
    async fn living(&mut self, told: &Outcome) {
        let Self { case, trial, call, bad } = self;
        match (trial.scene, trial.fault) {
            (scene, Fault::Error | Fault::LostAnswer) if scene.backs_up() => backup::check(case, told, call, bad).await,
            (Scene::Restore, Fault::Error | Fault::LostAnswer) => {
                restore::all_or_nothing(case, told, call, restore::is_the_backup_s(&case.world), bad);
            }
            (Scene::Undo, Fault::Error | Fault::LostAnswer) => {
                restore::all_or_nothing(case, told, call, case.is_as_before(), bad);
            }
            (scene, Fault::Interrupt | Fault::Hang) if scene.backs_up() || scene == Scene::Restore => {
                let exit = told.exit();
                let fits = matches!(exit, Exit::Ok | Exit::Interrupted)
                    || trial.scene == Scene::Restore && exit == Exit::StoppedOnPurpose;
                bad.unless(fits, call, || format!("ends with {exit:?}: {}", told.words()));
                if trial.scene.backs_up() {
                    backup::repository_is_honest(case, told, call, bad).await;
                }
            }
            (_, Fault::Prune) => {
                let exit = told.exit();
                bad.unless(exit == Exit::Ok, call, || {
                    format!("ends with {exit:?}: {}", told.words())
                });
            }
            _ => {}
        }
        let left: &[&str] = if trial.scene.restores() { &restore::LEFT } else { &LEFT };
        case.always(told, call, left, bad);
        let (down, accounted) = (case.down(), self.is_accounted_for());
        let known = down.is_empty() || accounted || down == told.degraded();
        self.unless(known, || {
            format!("{down:?} is down, and nobody knows: {}", told.words())
        });
    }

    /// Claim or journal say what is to be done.
    fn is_accounted_for(&self) -> bool {
        let open = self.case.world.journal.open();
        let acting = open
            .iter()
            .any(|run| (Phase::Acting..Phase::Verified).contains(&run.phase));
        self.case.world.claim(PLATFORM).is_some() || acting
    }

    /// What is down is down on purpose: the old data is replaced and not all of the new is proven.
    fn is_half_restored(&self) -> bool {
        let calls = self.case.world.faults.calls();
        let made = |method, subject: &str| {
            let is_it = |call: &Call| call.method == method && call.subject.starts_with(subject);
            calls.iter().any(is_it)
        };
        let replaced = made(Method::StoreRestore, "") || made(Method::AsidePutBack, "");
        let begun = self.trial.scene.begins_half() || replaced;
        let scene = self.trial.scene.restores() && !matches!(self.trial.scene, Scene::StartAnyway | Scene::Discard);
        scene && begun && !made(Method::JournalAdvance, "Undoing")
    }

    /// From the first run's end to the last one's. Returns whether the next run lived.
    async fn go_on(&mut self) -> bool {
        let half = self.is_half_restored();
        let world = self.case.world.clone();
        world.faults.reset();
        world.forget_interrupt();
        if self.trial.twist.loses_the_claim() {
            self.case.prune();
        }
        if !self.is_anybody_s() {
            return true;
        }
        self.twist();
        world.wait_a_minute().await;
        if half {
            self.stays_down().await;
        }
        let mut outlived = false;
        if let Some(m) = self.trial.again {
            world.faults.on_call(m).kills();
            match ends(&self.case, false, self.case.run(self.trial.next)).await {
                Err(Overdue { .. }) => self.unless(false, || "the next run waits for ever".into()),
                Ok(told) => outlived = told.is_some(),
            }
            world.faults.reset();
            world.wait_a_minute().await;
        }
        self.next_works().await;
        outlived
    }

    /// A reboot takes down what has no restart policy: nobody has promised to bring that back. What
    /// died before its claim has left at most a canary: only the ledger knew of it.
    fn is_anybody_s(&self) -> bool {
        let twist = self.trial.twist;
        let forgotten = twist == Twist::LedgerLost && self.case.world.claim(PLATFORM).is_none();
        !(forgotten || twist.reboots() && !self.is_accounted_for())
    }

    fn twist(&self) {
        let (world, twist) = (&self.case.world, self.trial.twist);
        if twist.reboots() {
            world.reboot();
        }
        if twist == Twist::LedgerLost {
            world.journal.lose();
        }
        if twist == Twist::Touched {
            world.revive("web");
            world.exits("web", 0);
        }
    }

    /// Neither a reboot nor anybody but an operator starts what a restore has left down.
    async fn stays_down(&mut self) {
        self.nothing_is_up("after the restore");
        let before = self.case.world.picture();
        for next in [Next::Recover, Next::Backup] {
            match ends(&self.case, false, self.case.run(next)).await {
                Ok(Some(told)) => {
                    let refused = matches!(told.outcome, Err(Error::RestoreUnfinished(_)));
                    self.unless(refused, || format!("{next} is not refused: {}", told.words()));
                }
                _ => self.unless(false, || format!("{next} does not end")),
            }
            let touched = before.touched(&self.case.world.picture());
            self.unless(touched.is_empty(), || format!("{next} touched {touched:?}"));
        }
        let claimed = self.case.world.claim(PLATFORM).is_some();
        self.unless(claimed, || "a restore is unfinished without a claim".into());
    }

    /// A store that was started alone may still run, unless its host died too.
    fn nothing_is_up(&mut self, when: &str) {
        let stores = !self.trial.twist.reboots();
        let may_run = |id: &String| stores && sample::STORES.contains(&id.as_str()) || self.call.subject == *id;
        let up = self.case.world.picture().up();
        let up: Vec<String> = up
            .into_iter()
            .filter(|id| RESTORED.contains(&id.as_str()) && !may_run(id))
            .collect();
        self.unless(up.is_empty(), || format!("{up:?} runs {when}"));
        let policies = self.case.world.policies();
        let held = RESTORED
            .iter()
            .all(|id| policies.get(*id).is_some_and(|policy| policy == "no"));
        self.unless(held, || format!("{policies:?} {when}: a reboot would start something"));
    }

    /// Whatever has happened, the next run succeeds without anybody's help, and all is as it was.
    async fn next_works(&mut self) {
        let mut next = vec![self.trial.next];
        // What is not said to be back is proven by what would refuse otherwise.
        if !matches!(self.trial.next, Next::Restore | Next::Resume) {
            next.push(Next::Backup);
        }
        for (i, next) in next.into_iter().enumerate() {
            match ends(&self.case, false, self.case.run(next)).await {
                Ok(Some(told)) => self.unless(told.exit() == Exit::Ok, || {
                    format!("the next {next} ends with {:?}: {}", told.exit(), told.words())
                }),
                _ => self.unless(false, || format!("the next {next} does not end")),
            }
            if i == 0 {
                self.all_is_back(next);
            }
            self.case.world.wait_a_minute().await;
        }
        self.nothing_is_left().await;
    }

    fn all_is_back(&mut self, after: Next) {
        // The engine removes `job` when it ends, and thaws what was paused when it starts. What died
        // between its start and its pause counts as started by somebody: it is told and left running.
        let forgiven = |id: &String| {
            let reboots = self.trial.twist.reboots();
            let thawed = self.trial.scene.restores();
            let touched = self.trial.twist == Twist::Touched;
            id == "web" && touched
                || id == "job" && reboots
                || id == "cron" && (reboots || thawed && self.paused_late())
        };
        let down: Vec<String> = self.case.down().into_iter().filter(|id| !forgiven(id)).collect();
        self.unless(down.is_empty(), || {
            format!("{down:?} is not what it was after the next {after}")
        });
        let web = self.case.world.states().get("web").copied();
        let left = self.trial.twist != Twist::Touched || web == Some(State::Exited);
        self.unless(left, || {
            format!("web was started after the next {after}; its operator had stopped it")
        });
        let mut policies = self.case.policies.clone();
        let now = self.case.world.policies();
        policies.retain(|id, _| now.contains_key(id));
        self.unless(policies == now, || {
            format!("restart policies {now:?} after the next {after}")
        });
    }

    fn paused_late(&self) -> bool {
        let dies = self.trial.fault.is_death() || self.trial.again.is_some();
        dies && self.case.world.states().get("cron") == Some(&State::Running)
    }

    async fn nothing_is_left(&mut self) {
        let world = self.case.world.clone();
        let left = [
            ("processes", world.processes()),
            ("siblings", world.siblings()),
            (
                "locks in stores",
                world.data().into_values().flat_map(|data| data.locks).collect(),
            ),
            (
                "jobs held off",
                world
                    .data()
                    .into_iter()
                    .filter_map(|(store, data)| data.jobs_held.then_some(store))
                    .collect(),
            ),
            ("uploads", world.repository.unfinished()),
            (
                "claims",
                world
                    .claim(PLATFORM)
                    .iter()
                    .map(|claim| claim.run.to_string())
                    .collect(),
            ),
            (
                "open runs",
                world.journal.open().iter().map(|run| format!("{run:?}")).collect(),
            ),
            ("violations", world.violations()),
            ("probes and canaries", scratch(&world)),
            ("leases", lease(&world).await),
        ];
        for (what, left) in left {
            self.unless(left.is_empty(), || format!("{what} are left: {left:?}"));
        }
        let free = world.locked_by_another(PLATFORM).is_some();
        self.unless(free, || "a lock is left".into());
        let sound = match (self.trial.scene, self.trial.next) {
            // What was freed in part is freed whole, and nothing was put back before.
            (Scene::Discard, _) => restore::is_the_backup_s(&world) || self.case.is_as_before(),
            (_, Next::Restore | Next::Resume) => restore::is_the_backup_s(&world),
            (_, Next::Undo) => self.case.is_as_before(),
            (scene, _) => scene.restores() || self.case.data_is_untouched(),
        };
        self.unless(sound, || format!("other data is left: {:?}", world.data()));
        let listed = world.list().await.map(|list| list.backups).unwrap_or_default();
        self.unless(!listed.is_empty(), || "no backup is listed".into());
        for backup in listed {
            let verified = world.verify(backup.id).await;
            self.unless(verified.is_ok_and(|damage| damage.is_empty()), || {
                format!("{} is listed and damaged", backup.id)
            });
        }
    }
}

fn scratch(world: &World) -> Vec<String> {
    let mut keys = world.repository.keys();
    keys.retain(|key| {
        [".stillpoint/probe", ".stillpoint/canary"]
            .iter()
            .any(|begin| key.starts_with(begin))
    });
    keys
}

/// Read past the port: what is asked for must not be a fault's prey.
async fn lease(world: &World) -> Vec<String> {
    let repository = std::sync::Arc::new(world.repository.clone());
    let holder = Backups::new(repository, std::sync::Arc::new(stillpoint_testkit::fakes::AtOnce))
        .holder()
        .await;
    holder
        .ok()
        .flatten()
        .map(|holder| holder.run.to_string())
        .into_iter()
        .collect()
}

/// Awaits a run, or its death. One that `hangs` is interrupted after a while.
async fn ends(case: &Case, hangs: bool, run: impl Future<Output = Outcome>) -> Result<Option<Outcome>, Overdue> {
    let interrupt = case.world.interrupt();
    let patience = async {
        if hangs {
            case.world.clock.sleep(PATIENCE).await;
            interrupt.cancel();
        }
        std::future::pending::<()>().await;
    };
    let run = case.world.faults.live(run);
    let run = async {
        tokio::select! {
            told = run => told,
            () = patience => None,
        }
    };
    within(&case.world.clock, ENDS_WITHIN, "the run", run).await
}
