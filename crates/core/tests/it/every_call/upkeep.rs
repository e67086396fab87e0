//! The same for what only touches the repository: every call that a prune, an adoption or a verification
//! makes fails, loses its answer, is where the run is interrupted, or where its process dies. At no moment is a
//! backup listed that is not whole, and when the lease of the dead has ended the next run ends what it began.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use stillpoint_core::ports::Clock;
use stillpoint_testkit::fakes::world::LEASE;

use super::trial::Fault;
use super::*;

const VARIABLE: &str = "STILLPOINT_UPKEEP";

/// How many failing cases are shown.
const SHOWN: usize = 20;

const FAULTS: [Fault; 5] = [
    Fault::Error,
    Fault::LostAnswer,
    Fault::Interrupt,
    Fault::DieBefore,
    Fault::DieAfter,
];

/// What others made.
const ADOPTED: &str = "2026-01-05_03-00-00";

/// What is half deleted.
const HALF: &str = "2026-02-01_03-00-00";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upkeep {
    Prune,
    Adopt,
    Verify,
}

/// One case, as a line: `prune 17 die-before`.
#[derive(Clone, Copy)]
struct Deed {
    what: Upkeep,
    n: usize,
    fault: Fault,
}

/// Everything in the repository, but for the lease and what the dead tried the repository with.
type Objects = BTreeMap<String, Bytes>;

/// How a run ended: its exit code and its words.
struct Ended {
    exit: Exit,
    words: String,
}

/// What is tried: the world before it, the calls that are made when all goes well, and what is left then.
struct Golden {
    base: World,
    before: Objects,
    calls: Vec<Call>,
    after: Objects,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = format!("{:?}", self.what).to_lowercase();
        write!(f, "{what} {} {}", self.n, self.fault)
    }
}

impl FromStr for Deed {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [what, n, fault] = words.as_slice() else {
            anyhow::bail!("`{line}` is no case: RUN CALL FAULT");
        };
        let all = [Upkeep::Prune, Upkeep::Adopt, Upkeep::Verify];
        let what = all.into_iter().find(|one| format!("{one:?}").to_lowercase() == *what);
        Ok(Self {
            what: what.ok_or_else(|| anyhow::anyhow!("`{line}`: prune, adopt or verify"))?,
            n: n.parse()?,
            fault: fault.parse()?,
        })
    }
}

fn objects(world: &World) -> Objects {
    let passes = |key: &str| {
        let product = key.strip_prefix(".stillpoint/");
        !product.is_some_and(|name| name == "lease.json" || name.starts_with("probe-"))
    };
    let keys = world.repository.keys().into_iter().filter(|key| passes(key));
    keys.filter_map(|key| Some((key.clone(), world.repository.get(&key)?)))
        .collect()
}

fn under<'a>(objects: &'a Objects, directory: &str) -> Vec<(&'a String, &'a Bytes)> {
    let begin = format!("{directory}/");
    objects.iter().filter(|(key, _)| key.starts_with(&begin)).collect()
}

fn is_free(world: &World) -> bool {
    let text = world.repository.get(".stillpoint/lease.json").unwrap_or_default();
    let lease: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    lease["holder"].is_null()
}

async fn sealed(world: &World) -> anyhow::Result<BackupId> {
    world.wait_a_minute().await;
    Ok(world.backup().await.outcome?.manifest.id)
}

async fn failed(world: &World) {
    world.wait_a_minute().await;
    world.faults.on(Method::ProcessFinish).of("queue").fails();
    world.backup().await;
    world.faults.reset();
}

/// One of every sort that goes, and of every sort that stays.
async fn history() -> anyhow::Result<World> {
    let world = sample::world();
    let (_old, protected, damaged) = (sealed(&world).await?, sealed(&world).await?, sealed(&world).await?);
    world.protect(protected).await?;
    failed(&world).await;
    world.wait_a_minute().await;
    world.faults.on(Method::ProcessFinish).of("queue").kills();
    anyhow::ensure!(world.faults.live(world.backup()).await.is_none(), "it lives");
    world.faults.reset();
    failed(&world).await;
    for _ in 0..3 {
        sealed(&world).await?;
    }
    world
        .repository
        .put(&format!("{damaged}/db/data.dump"), "orders 6\npublic.users 3\n");
    anyhow::ensure!(!world.verify(damaged).await?.is_empty());
    let half = "{\"format\":1,\"platform\":\"acme\",\"run\":\"1\",\"at\":\"2026-02-16T00:00:00Z\",\"reason\":\"\"}";
    world.repository.put(&format!("{HALF}/deleted.json"), half);
    world.repository.put(&format!("{HALF}/queue/data.dump"), "messages 1\n");
    world.repository.put("2026-01-01_00-00-00/db/data.dump", "orders 1\n");
    world.clock.sleep(Duration::from_hours(8 * 24)).await;
    Ok(world)
}

impl Upkeep {
    async fn prepare(self) -> anyhow::Result<World> {
        if self == Self::Prune {
            return history().await;
        }
        let world = sample::world();
        sealed(&world).await?;
        if self == Self::Adopt {
            world.repository.put(&format!("{ADOPTED}/db/data.dump"), "orders 1\n");
            world
                .repository
                .put(&format!("{ADOPTED}/queue/data.dump"), "messages 1\n");
        }
        world.wait_a_minute().await;
        Ok(world)
    }

    async fn act(self, world: &World) -> Ended {
        let told = match self {
            Self::Prune => world.prune().await.of_any_job(),
            Self::Adopt => world.adopt(BackupId::at(adopted())).await.of_any_job(),
            Self::Verify => return verify_all(world).await,
        };
        Ended {
            exit: told.exit(),
            words: format!("{} {:?}", told.words(), told.recorder.warnings()),
        }
    }

    async fn golden(self) -> anyhow::Result<Golden> {
        let base = self.prepare().await?;
        let world = sample::world().branched_from(&base);
        let ended = self.act(&world).await;
        anyhow::ensure!(ended.exit == Exit::Ok, "{}", ended.words);
        Ok(Golden {
            before: objects(&base),
            calls: world.faults.calls(),
            after: objects(&world),
            base,
        })
    }
}

fn adopted() -> Timestamp {
    Timestamp::constant(1_767_582_000, 0)
}

/// A fault on the way is no damage.
async fn verify_all(world: &World) -> Ended {
    let listed = match world.list().await {
        Ok(list) => list.backups,
        Err(error) => {
            return Ended {
                exit: error.class().exit,
                words: error.to_string(),
            };
        }
    };
    for backup in listed {
        match world.verify(backup.id).await {
            Ok(damage) if damage.is_empty() => {}
            Ok(damage) => {
                return Ended {
                    exit: Exit::Damaged,
                    words: format!("{damage:?}"),
                };
            }
            Err(error) => {
                return Ended {
                    exit: error.class().exit,
                    words: error.to_string(),
                };
            }
        }
    }
    Ended {
        exit: Exit::Ok,
        words: String::new(),
    }
}

struct Play<'a> {
    golden: &'a Golden,
    world: World,
    deed: Deed,
    call: &'a Call,
    bad: Complaints,
}

impl Deed {
    async fn play(self, golden: &Golden) -> anyhow::Result<Vec<String>> {
        let call = golden.calls.get(self.n - 1);
        let call = call.ok_or_else(|| anyhow::anyhow!("{self}: there are {} calls", golden.calls.len()))?;
        let play = Play {
            golden,
            world: sample::world().branched_from(&golden.base),
            deed: self,
            call,
            bad: Complaints::default(),
        };
        Ok(play.play().await)
    }
}

impl Play<'_> {
    fn unless(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        self.bad.unless(holds, self.call, complaint);
    }

    async fn play(mut self) -> Vec<String> {
        let (world, deed) = (self.world.clone(), self.deed);
        let (on, interrupt) = (world.faults.on_call(deed.n), world.interrupt());
        match deed.fault {
            Fault::Error => on.fails(),
            Fault::LostAnswer => on.loses_its_answer(),
            Fault::Interrupt => on.meets(move || interrupt.cancel()),
            Fault::DieBefore => on.kills(),
            _ => on.kills_after(),
        }
        let before = world.picture();
        let ended = world.faults.live(deed.what.act(&world)).await;
        world.faults.reset();
        world.forget_interrupt();
        self.unless(ended.is_none() == deed.fault.is_death(), || {
            "it died of nothing, or lives".into()
        });
        self.unless(before.touched(&world.picture()).is_empty(), || {
            "the platform was touched".into()
        });
        self.whole().await;
        if let Some(ended) = ended {
            self.living(&ended);
        }
        // The dead hold their lease until its term is over.
        world.clock.sleep(LEASE + Duration::from_secs(1)).await;
        self.next().await;
        self.bad.0
    }

    /// What holds at any moment: what is to stay is what it was, and what is listed is whole.
    async fn whole(&mut self) {
        let now = objects(&self.world);
        let (before, after) = (&self.golden.before, &self.golden.after);
        let stays = before.iter().filter(|(key, content)| after.get(*key) == Some(content));
        let lost: Vec<&String> = stays
            .filter(|(key, content)| now.get(*key) != Some(content))
            .map(|(key, _)| key)
            .collect();
        self.bad
            .unless(lost.is_empty(), self.call, || format!("{lost:?} should have stayed"));
        let manifests = now.keys().filter_map(|key| key.strip_suffix("/manifest.json"));
        for directory in manifests {
            let parts = under(before, directory).into_iter();
            let lost: Vec<&String> = parts
                .filter(|(key, content)| now.get(*key) != Some(content))
                .map(|(key, _)| key)
                .collect();
            self.bad.unless(lost.is_empty(), self.call, || {
                format!("{directory} has its manifest and not {lost:?}")
            });
        }
        let listed = self.world.list().await;
        let listed = listed.map(|list| list.backups).unwrap_or_default();
        self.unless(!listed.is_empty(), || "nothing is listed".into());
    }

    /// What holds after a run that ended by itself.
    fn living(&mut self, ended: &Ended) {
        let fits = match self.deed.fault {
            Fault::Interrupt => matches!(ended.exit, Exit::Ok | Exit::Interrupted),
            _ => matches!(ended.exit, Exit::Ok | Exit::RunFailed | Exit::Preflight),
        };
        let Ended { exit, words } = ended;
        self.unless(fits, || format!("ends with {exit:?}: {words}"));
        let free = is_free(&self.world) || words.contains("could not be given free");
        self.unless(free, || format!("the lease is held after {exit:?}: {words}"));
        let processes = self.world.processes();
        self.unless(processes.is_empty(), || format!("{processes:?} still runs a tool"));
        let unlocked = self.world.locked_by_another(PLATFORM).is_some();
        self.unless(unlocked, || "a lock is left".into());
        if *exit == Exit::Ok {
            self.is_done(words);
        }
    }

    /// The repository is what it is when all goes well.
    fn is_done(&mut self, words: &str) {
        let now = objects(&self.world);
        let after = &self.golden.after;
        if self.deed.what == Upkeep::Prune {
            let differs: BTreeSet<&String> = now
                .keys()
                .chain(after.keys())
                .filter(|key| now.get(*key) != after.get(*key))
                .collect();
            self.bad.unless(differs.is_empty(), self.call, || {
                format!("{differs:?} differs at the end: {words}")
            });
        } else {
            let names = |objects: &Objects| -> Vec<String> {
                let keys = objects.keys().filter(|key| !key.contains("/verified/"));
                keys.cloned().collect()
            };
            self.bad.unless(names(&now) == names(after), self.call, || {
                format!("{:?}: {words}", names(&now))
            });
        }
    }

    /// The next run ends what was begun, and everything that is listed then can be read.
    async fn next(&mut self) {
        let ended = self.deed.what.act(&self.world).await;
        let is_one_already = self.deed.what == Upkeep::Adopt && ended.words.contains("it is a backup already");
        self.unless(ended.exit == Exit::Ok || is_one_already, || {
            format!("the next one ends with {:?}: {}", ended.exit, ended.words)
        });
        self.is_done(&ended.words);
        self.whole().await;
        self.unless(is_free(&self.world), || "the lease is held at the end".into());
        if self.deed.what == Upkeep::Adopt {
            let sound = self.world.verify(BackupId::at(adopted())).await;
            self.unless(sound.is_ok_and(|damage| damage.is_empty()), || {
                "what was adopted is not sound".into()
            });
        }
    }
}

async fn sweep(what: Upkeep, faults: &[Fault]) -> anyhow::Result<()> {
    let golden = what.golden().await?;
    let (mut cases, mut bad) = (0, Vec::new());
    for n in 1..=golden.calls.len() {
        for fault in faults {
            let deed = Deed { what, n, fault: *fault };
            if *fault == Fault::LostAnswer && !golden.calls[n - 1].method.may_lose_its_answer() {
                continue;
            }
            cases += 1;
            let complaints = deed.play(&golden).await?;
            if !complaints.is_empty() {
                let complaints = complaints.join("\n    ");
                bad.push(format!(
                    "{complaints}\n  replay: {VARIABLE}='{deed}' cargo nextest run -p stillpoint-core -E 'test(upkeep::replay)'"
                ));
            }
        }
    }
    anyhow::ensure!(cases > 60, "only {cases} cases were tried");
    let shown: Vec<&str> = bad.iter().take(SHOWN).map(String::as_str).collect();
    anyhow::ensure!(
        bad.is_empty(),
        "{} of {cases} cases failed:\n{}",
        bad.len(),
        shown.join("\n")
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_prune_lives_through_any_fault() -> anyhow::Result<()> {
    sweep(Upkeep::Prune, &FAULTS[..3]).await
}

#[tokio::test(start_paused = true)]
async fn a_prune_that_died_is_finished_by_the_next() -> anyhow::Result<()> {
    sweep(Upkeep::Prune, &FAULTS[3..]).await
}

#[tokio::test(start_paused = true)]
async fn an_adoption_lives_through_any_fault_and_a_dead_one_is_made_again() -> anyhow::Result<()> {
    sweep(Upkeep::Adopt, &FAULTS).await
}

#[tokio::test(start_paused = true)]
async fn a_verification_takes_no_fault_for_damage_and_changes_nothing() -> anyhow::Result<()> {
    sweep(Upkeep::Verify, &FAULTS).await
}

/// What the sweeps over a prune rest on: it deletes one of every sort.
#[tokio::test(start_paused = true)]
async fn the_prune_that_is_tried_deletes_one_of_every_sort() -> anyhow::Result<()> {
    let world = history().await?;
    let plan = world.would_prune().await.outcome?.plan;
    let gone: BTreeSet<BackupId> = plan.gone().collect();
    let (gone, stay): (Vec<_>, Vec<_>) = plan.verdicts.iter().partition(|verdict| gone.contains(&verdict.id));
    let sorts = |of: Vec<&stillpoint_core::retention::Verdict>| -> Vec<String> {
        of.iter().map(|verdict| verdict.standing.to_string()).collect()
    };
    let expected = [
        "half deleted",
        "complete",
        "failed verification",
        "failed run",
        "unfinished",
    ];
    assert_eq!(sorts(gone), expected);
    assert_eq!(
        sorts(stay),
        ["complete", "failed run", "complete", "complete", "complete"]
    );
    Ok(())
}

/// Replays the case that the environment names, or one that shows how.
#[expect(clippy::disallowed_methods, reason = "nothing but the environment reaches a test")]
#[tokio::test(start_paused = true)]
async fn replay() -> anyhow::Result<()> {
    let line = std::env::var(VARIABLE).unwrap_or_else(|_| "prune 40 die-before".to_owned());
    let deed: Deed = line.parse()?;
    assert_eq!(deed.to_string(), line);
    let golden = deed.what.golden().await?;
    let complaints = deed.play(&golden).await?;
    anyhow::ensure!(complaints.is_empty(), "{deed}:\n{}", complaints.join("\n"));
    Ok(())
}
