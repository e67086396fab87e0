//! Backups in a row, each at a random moment of a platform whose witness ticks by itself, then the restore of each of them: all stores at
//! one tick, the one after which the witness was stopped. One half under each mode.

use std::fmt::Write;

use anyhow::{Context, Result, bail, ensure};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::rounds::{Random, moments};
use stillpoint_testkit::testbed::{Shape, Testbed};

use super::{folder, program};

/// So many backups under each of the two.
pub(super) fn soak(backups: u32, seed: u64) -> Result<String> {
    let folder = folder("moments")?;
    let mut text = format!(
        "`cargo xtask soak --only moments` (seed {seed}): backups in a row at random moments of PostgreSQL, Valkey and NATS, into all of \
         which a client writes one counter, by itself and about twice a second. Each was restored: every store shows one tick, whole, \
         the one after which the client was stopped.\n\n| mode | backups | stops that came inside a tick |\n|---|---:|---:|\n"
    );
    for mode in ["pin", "hold"] {
        let outcome = Testbed::for_test("moments", Shape::Stores)?.auto().examined(|testbed| {
            testbed.up_seeded()?;
            let product = Product::of(&program()?, &folder.join(mode), testbed);
            let inside = under(mode, testbed, &product, backups, seed)?;
            // Writing to a text cannot fail.
            let _ = writeln!(text, "| {mode} | {backups} | {inside} |");
            Ok(())
        });
        outcome?;
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(text)
}

/// How many of the stops came inside a tick: where none does, nothing is proven.
fn under(mode: &str, testbed: &Testbed, product: &Product, backups: u32, seed: u64) -> Result<usize> {
    let mut random = Random::seeded(seed);
    let mut all = Vec::new();
    for number in 1..=backups {
        let moment = moments::back_up(testbed, product, mode, &mut random);
        let moment = moment.with_context(|| format!("{mode}, backup {number}"))?;
        println!("moments: {mode}, backup {number} of {backups}: {:?}", moment.stop);
        all.push(moment);
    }
    let mut wrong = Vec::new();
    for moment in &all {
        match moments::must_be_one(testbed, product, moment) {
            Ok(()) => println!("moments: {mode}, {} is tick {} everywhere", moment.id, moment.stop.tick),
            Err(error) => wrong.push(format!("{error:#}")),
        }
    }
    if !wrong.is_empty() {
        bail!(
            "{mode}: {} of {backups} backups are wrong\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }
    let inside = all.iter().filter(|moment| moment.stop.inside).count();
    ensure!(inside > 0 || backups < 10, "{mode}: no stop came inside a tick");
    Ok(inside)
}
