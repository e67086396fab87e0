//! Stores that are large in one direction each: backed up, harmed, restored, and compared with what they were. What
//! Stillpoint takes of memory must not grow with them.

mod load;
mod nats;

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use stillpoint_testkit::testbed::Testbed;

use super::folder;
use crate::bench::alone::{Alone, Run, bytes};

pub(super) use load::Load;

/// What became of one.
struct Outcome {
    load: Load,
    backup: Run,
    restore: Run,
    size: u64,
}

/// All of them, or one.
pub(super) fn soak(only: Option<Load>) -> Result<String> {
    let loads = Load::value_variants()
        .iter()
        .filter(|load| only.is_none_or(|only| only == **load));
    let outcomes = loads.map(|load| one(*load).with_context(|| load.words()));
    let outcomes: Vec<Outcome> = outcomes.collect::<Result<_>>()?;
    for Outcome {
        load, backup, restore, ..
    } in &outcomes
    {
        backup.hold_memory(&format!("backup of {}", load.words()))?;
        restore.hold_memory(&format!("restore of {}", load.words()))?;
    }
    Ok(report(&outcomes))
}

fn one(load: Load) -> Result<Outcome> {
    let folder = folder("large")?;
    let mut outcome = None;
    let ended = Testbed::for_test("large", load.shape())?.examined(|testbed| {
        outcome = Some(course(testbed, load, &folder)?);
        Ok(())
    });
    std::fs::remove_dir_all(&folder)?;
    ended?;
    outcome.context("nothing was done")
}

fn course(testbed: &Testbed, load: Load, folder: &Path) -> Result<Outcome> {
    let begun = Instant::now();
    let say = |what: &str| println!("{load:?}, after {:.0} s: {what}", begun.elapsed().as_secs_f32());
    testbed.up_seeded()?;
    load.lay(testbed)?;
    say("laid");
    let before = load.truth(testbed)?;
    say(&format!("{} facts", before.facts()));
    let product = Alone::new(testbed, folder)?;
    // A store that was asked for everything at once was not healthy meanwhile.
    testbed.up()?;
    let (backup, size) = product.backup()?;
    say(&format!("backed up: {}", backup.cells().join(", ")));
    load.harm(testbed)?;
    let restore = product.restore()?;
    say(&format!(
        "restored: {}; {}",
        restore.cells().join(", "),
        restore.longest_phases()
    ));
    let differences = before.differences(&load.truth(testbed)?);
    if let Some(first) = differences.first() {
        bail!(
            "{} differences after the restore, the first: {first}",
            differences.len()
        );
    }
    say("the same as before");
    Ok(Outcome {
        load,
        backup,
        restore,
        size,
    })
}

fn report(outcomes: &[Outcome]) -> String {
    let mut text = "`cargo xtask soak --only large`: each store by itself, backed up, harmed, restored; afterwards every row, key, \
        message and consumer's position was compared with what it had been, by counts and hashes. All held. Peak memory is that of \
        all of Stillpoint's processes together, every 20 ms; the limit is 64 MiB. Temporary disk is what Stillpoint put aside, and \
        how much it had named before.\n\n\
        | | run | wall | peak resident memory | temporary disk | named before | size of the backup | of which |\n\
        |---|---|---:|---:|---:|---:|---:|---|\n"
        .to_owned();
    for outcome in outcomes {
        let rows = [
            ("backup", &outcome.backup, bytes(outcome.size)),
            ("restore", &outcome.restore, String::new()),
        ];
        for (name, run, size) in rows {
            let cells = run.cells().join(" | ");
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "| {} | {name} | {cells} | {size} | {} |",
                outcome.load.words(),
                run.longest_phases()
            );
        }
    }
    text
}
