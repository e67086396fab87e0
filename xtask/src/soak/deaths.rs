//! Many deaths at random moments. After each: everything as before, nothing left running, nothing incomplete listed.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use stillpoint_testkit::product::{Product, Running};
use stillpoint_testkit::testbed::{Shape, Status, Testbed};

use super::folder;

/// The longest that a watchdog may take to bring the small platform back.
const WATCHDOG: Duration = Duration::from_mins(2);

/// So many runs are killed; the same seed kills at the same moments.
pub(super) fn soak(rounds: u32, seed: u64) -> Result<String> {
    let folder = folder("deaths")?;
    let mut report = String::new();
    let outcome = Testbed::for_test("soak", Shape::Full)?.auto().examined(|testbed| {
        testbed.up_seeded()?;
        report = Soak::new(testbed, &folder)?.rounds(rounds, seed)?;
        Ok(())
    });
    std::fs::remove_dir_all(&folder)?;
    outcome.map(|()| report)
}

struct Soak<'a> {
    testbed: &'a Testbed,
    product: Product,
    before: Vec<(String, Status, String)>,
    backup: String,
}

/// One death.
struct Death {
    job: &'static str,
    after: Duration,
    /// The watchdog was killed too.
    both: bool,
    back: Duration,
}

impl<'a> Soak<'a> {
    fn new(testbed: &'a Testbed, folder: &Path) -> Result<Self> {
        let product = Product::of(&super::program()?, folder, testbed);
        let before = standing(testbed)?;
        let backup = product.backup()?;
        Ok(Self {
            testbed,
            product,
            before,
            backup,
        })
    }

    fn rounds(&self, rounds: u32, seed: u64) -> Result<String> {
        let mut random = seed;
        let mut deaths = Vec::new();
        for round in 0..rounds {
            let restore = round % 3 == 2;
            let after = Duration::from_millis(next(&mut random) % if restore { 14_000 } else { 8_000 });
            let both = next(&mut random).is_multiple_of(2);
            let death = self.one(restore, after, both);
            let death = death
                .with_context(|| format!("round {round}: killed after {after:?}, restore {restore}, both {both}"))?;
            println!(
                "round {round}: {} killed after {:.1} s, back in {:.1} s",
                death.job,
                after.as_secs_f32(),
                death.back.as_secs_f32()
            );
            deaths.push(death);
        }
        Ok(report(seed, &deaths))
    }

    fn one(&self, restore: bool, after: Duration, both: bool) -> Result<Death> {
        let run: &[&str] = if restore {
            &["restore", &self.backup, "--confirm", &self.backup, "--discard-old"]
        } else {
            &["backup"]
        };
        let running = self.product.start(run)?;
        std::thread::sleep(after);
        end(running, both)?;
        let died = Instant::now();
        let recovered = self.recovered(both)?;
        if recovered == Some(14) {
            self.product
                .run(&["restore", &self.backup, "--confirm", &self.backup, "--discard-old"])?
                .must_end_with(0)?;
        }
        let back = died.elapsed();
        self.let_go()?;
        self.as_before()?;
        Ok(Death {
            job: if restore { "restore" } else { "backup" },
            after,
            both,
            back,
        })
    }

    /// A death after a restore's end, and before it had freed what it replaced: there is something to free.
    fn let_go(&self) -> Result<()> {
        let confirm = ["restore", "discard-old", "--confirm", self.testbed.project()];
        let ran = self.product.run(&confirm)?;
        match ran.code {
            Some(0 | 10) => Ok(()),
            code => bail!("discard-old ended with {code:?}:\n{}{}", ran.out, ran.err),
        }
    }

    /// What `containers recover` says once nobody else is at work.
    fn recovered(&self, both: bool) -> Result<Option<i32>> {
        let begun = Instant::now();
        loop {
            let ran = self.product.run(&["containers", "recover"])?;
            match ran.code {
                Some(0 | 14) => return Ok(ran.code),
                Some(11) if !both && begun.elapsed() < WATCHDOG => std::thread::sleep(Duration::from_millis(200)),
                _ => bail!("recover ended with {:?}:\n{}{}", ran.code, ran.out, ran.err),
            }
        }
    }

    fn as_before(&self) -> Result<()> {
        let now = standing(self.testbed)?;
        if now != self.before {
            bail!("not as before\nbefore {:?}\nnow    {now:?}", self.before);
        }
        let store = self.testbed.container("postgres-main")?;
        let running = self.testbed.docker(&["top", &store, "-eo", "pid,args"])?;
        if running.contains("pg_dump") || running.contains("pg_restore") {
            bail!("a tool is left running:\n{running}");
        }
        for backup in self.product.backups()? {
            self.product.run(&["verify", &backup])?.must_end_with(0)?;
        }
        Ok(())
    }
}

fn end(running: Running, both: bool) -> Result<()> {
    if both { running.kill_all() } else { running.kill() }
}

fn standing(testbed: &Testbed) -> Result<Vec<(String, Status, String)>> {
    let all = testbed.containers()?.into_iter();
    Ok(all.map(|one| (one.service, one.status, one.restart_policy)).collect())
}

/// The generator of Knuth's MMIX; its high bits.
fn next(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn report(seed: u64, deaths: &[Death]) -> String {
    let mut text = format!(
        "`make soak`, {} deaths by SIGKILL at random moments (seed {}), each followed by: every container as \
         before with its restart policy, no tool left running, every listed backup whole. All held.\n\n\
         | job | killed after | watchdog killed too | everything back in |\n|---|---:|---|---:|\n",
        deaths.len(),
        seed
    );
    for death in deaths {
        let both = if death.both { "yes" } else { "no" };
        let (after, back) = (death.after.as_secs_f32(), death.back.as_secs_f32());
        // Writing to a text cannot fail.
        let _ = writeln!(text, "| {} | {after:.1} s | {both} | {back:.1} s |", death.job);
    }
    text
}
