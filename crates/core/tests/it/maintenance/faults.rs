//! Every call that a cleanup or a repack makes of the world fails, loses its answer, is where the run is interrupted, or where its
//! process dies. Nothing of the platform is touched, nothing goes that is to stay, and the next run heals what the dead has left.

use stillpoint_testkit::Call;
use stillpoint_testkit::fakes::{Index, Kept};

use super::*;

/// What becomes of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Error,
    LostAnswer,
    Interrupt,
    DieBefore,
    DieAfter,
}

const FAULTS: [Fault; 5] = [
    Fault::Error,
    Fault::LostAnswer,
    Fault::Interrupt,
    Fault::DieBefore,
    Fault::DieAfter,
];

const OLD: u64 = 35;
const STAYS: u64 = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    Cleanup,
    Repack,
}

/// How a run ended: its exit, and what did not succeed in it.
struct Ended {
    exit: Exit,
    failed: bool,
}

fn dagster() -> World {
    let world = sample::world();
    world.keeps_dagster(
        "db",
        Kept {
            old: OLD,
            stays: STAYS,
            // As a run before has left it, which died too.
            index: Index::Unfinished,
            trigger: true,
            bloat: 1000,
        },
    );
    world
}

fn kept(world: &World) -> Kept {
    world.data()["db"].dagster.clone().unwrap_or_default()
}

impl Job {
    async fn act(self, world: &World) -> Ended {
        let operations = world.operations();
        let outcome = match self {
            Self::Cleanup => {
                let cleaned = operations.cleanup(CleanupWish::default(), request(world)).await;
                cleaned.map(|done| {
                    let of_database = done.databases.iter().any(|one| {
                        !one.failed.is_empty() || one.handlers.iter().any(|handler| handler.failed.is_some())
                    });
                    of_database || !done.failed.is_empty()
                })
            }
            Self::Repack => {
                let repacked = operations.repack(false, request(world)).await;
                repacked.map(|done| !done.failed.is_empty())
            }
        };
        match outcome {
            Ok(failed) => Ended { exit: Exit::Ok, failed },
            Err(error) => Ended {
                exit: error.class().exit,
                failed: true,
            },
        }
    }

    fn is_done(self, kept: &Kept) -> bool {
        match self {
            Self::Cleanup => kept.old == 0 && kept.index == Index::Built,
            Self::Repack => kept.bloat == 0 && !kept.trigger,
        }
    }

    /// What is wrong after this fault of the nth call.
    async fn wrongs(self, n: usize, fault: Fault) -> Vec<&'static str> {
        let (world, mut wrongs) = (dagster(), Vec::new());
        let mut unless = |holds: bool, wrong: &'static str| {
            if !holds {
                wrongs.push(wrong);
            }
        };
        let before = world.picture();
        let (on, interrupt) = (world.faults.on_call(n), world.interrupt());
        match fault {
            Fault::Error => on.fails(),
            Fault::LostAnswer => on.loses_its_answer(),
            Fault::Interrupt => on.meets(move || interrupt.cancel()),
            Fault::DieBefore => on.kills(),
            Fault::DieAfter => on.kills_after(),
        }
        let ended = world.faults.live(self.act(&world)).await;
        world.faults.reset();
        world.forget_interrupt();
        let is_death = matches!(fault, Fault::DieBefore | Fault::DieAfter);
        unless(ended.is_none() == is_death, "it lives, or died of nothing");
        match ended {
            Some(Ended { exit: Exit::Ok, failed }) => {
                unless(failed || self.is_done(&kept(&world)), "it calls done what is not");
                unless(fault != Fault::Interrupt || !failed, "who was interrupted did not fail");
            }
            Some(Ended { exit, .. }) => unless(
                (exit == Exit::Interrupted) == (fault == Fault::Interrupt),
                "it ends as if it had been interrupted, or not",
            ),
            None => {}
        }
        unless(kept(&world).stays == STAYS, "a row went that is to stay");
        unless(world.locked_by_another(PLATFORM).is_some(), "a lock is left");
        let next = self.act(&world).await;
        unless(next.exit == Exit::Ok && !next.failed, "the next one fails");
        unless(self.is_done(&kept(&world)), "the next one heals nothing");
        unless(kept(&world).stays == STAYS, "the next one deletes what is to stay");
        unless(before.touched(&world.picture()).is_empty(), "the platform was touched");
        unless(world.claim(PLATFORM).is_none(), "a claim is left");
        wrongs
    }
}

async fn sweep(job: Job, least: usize) {
    let world = dagster();
    let golden = job.act(&world).await;
    assert!(golden.exit == Exit::Ok && !golden.failed && job.is_done(&kept(&world)));
    let calls: Vec<Call> = world.faults.calls();
    let (mut cases, mut bad) = (0, Vec::new());
    for (n, call) in calls.iter().enumerate() {
        for fault in FAULTS {
            cases += 1;
            let wrongs = job.wrongs(n + 1, fault).await;
            bad.extend(
                wrongs
                    .iter()
                    .map(|wrong| format!("{job:?}, {fault:?} at {} {call}: {wrong}", n + 1)),
            );
        }
    }
    assert!(cases > least, "only {cases} cases");
    assert!(bad.is_empty(), "{} of {cases} cases:\n{}", bad.len(), bad.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_lives_through_any_fault_and_the_next_one_heals_what_a_dead_one_left() {
    sweep(Job::Cleanup, 60).await;
}

#[tokio::test(start_paused = true)]
async fn a_repack_lives_through_any_fault_and_the_next_one_heals_what_a_dead_one_left() {
    sweep(Job::Repack, 40).await;
}
