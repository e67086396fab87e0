//! Deaths by SIGKILL around the stop, beside a client that ends by itself every three seconds and is started again by its restart policy:
//! nothing is left down.

use anyhow::{Context, Result};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::rounds::Random;
use stillpoint_testkit::rounds::restarts::{Death, die, runs_again};
use stillpoint_testkit::testbed::{Shape, Testbed};

use super::{folder, program};

pub(super) fn soak(rounds: u32, seed: u64) -> Result<String> {
    let folder = folder("restarts")?;
    let (mut revived, mut both) = (0, 0);
    let outcome = Testbed::for_test("restarts", Shape::Restless)?.examined(|testbed| {
        testbed.up_seeded()?;
        let product = Product::of(&program()?, &folder, testbed);
        let mut random = Random::seeded(seed);
        for round in 1..=rounds {
            let death = Death::at_random(&mut random);
            die(testbed, &product, death).with_context(|| format!("seed {seed}, round {round}"))?;
            println!("restarts: round {round} of {rounds}: {death:?}: everything runs");
            revived += u32::from(death.revived);
            both += u32::from(death.both);
        }
        let before = testbed.containers()?;
        product.backup()?;
        runs_again(testbed, &before)
    });
    std::fs::remove_dir_all(&folder)?;
    outcome.map(|()| {
        format!(
            "`cargo xtask soak --only restarts` (seed {seed}): {rounds} backups were killed at random moments around their stop, on a \
             platform with a client that ends by itself every three seconds and is started again by its restart policy. In {revived} of \
             them its policy started it between what the run had read and what it stopped; in {both} the watchdog was killed too. \
             After each everything ran, and a backup in the end was good.\n"
        )
    })
}
