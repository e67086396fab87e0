//! The cases. Each says what the product must do and what must have become of the data; that nothing else was
//! touched is asserted after each of them by the suite.

use std::cell::OnceCell;
use std::fs;

use anyhow::{Context, Error, Result, anyhow, ensure};

use super::scene::{Scene, says};
use crate::rounds::{Random, moments};

pub(super) type Case = fn(&Scene) -> Result<()>;

/// The clients run again while the store is drained.
const PIN: &[&str] = &["--mode", "pin"];
/// They wait until it is.
const HOLD: &[&str] = &["--mode", "hold"];

pub(super) const ON_AN_EMPTY_SERVER: [(&str, Case); 3] = [
    ("empty", empty),
    ("down at preflight", down_at_preflight),
    ("wrong credential", wrong_credential),
];

pub(super) const ON_A_SEEDED_SERVER: [(&str, Case); 5] = [
    ("awkward names and content", awkward),
    ("restore over existing data", over_existing_data),
    ("restore twice", twice),
    ("damaged artifact", damaged),
    ("capture while a writer writes", while_a_writer_writes),
];

pub(super) const WHILE_DRAINING: [(&str, Case); 4] = [
    ("writes while draining are not in the backup", written_while_draining),
    ("dies while draining", dies_while_draining),
    ("cancel while draining", cancelled_while_draining),
    (
        "a writer from outside inside the standstill",
        intruded_inside_the_standstill,
    ),
];

fn empty(scene: &Scene) -> Result<()> {
    let made = scene.made()?;
    scene.product.run(&["verify", &made.id])?.must_end_with(0)?;
    scene.restore(&made.id)?;
    scene.is_as(made)
}

fn down_at_preflight(scene: &Scene) -> Result<()> {
    let made = scene.made()?;
    scene.testbed.docker(&["stop", &scene.store])?;
    scene.untouched(|| {
        let ran = scene.product.run(&["backup"])?.must_end_with(12)?;
        says(&ran, scene.service())?;
        let ran = scene.try_restore(&made.id)?.must_end_with(13)?;
        says(&ran, scene.service())
    })?;
    scene.testbed.docker(&["start", &scene.store])?;
    scene.answers()?;
    scene.is_as(made)
}

fn wrong_credential(scene: &Scene) -> Result<()> {
    let made = scene.made()?;
    let wrong = scene.product.clone().with(scene.subject.password(), "not-the-secret");
    let refused = format!("{} refused user", scene.service());
    scene.untouched(|| {
        let backup = wrong.run(&["backup"])?.must_end_with(12)?;
        let restore = wrong
            .run(&["restore", &made.id, "--confirm", &made.id])?
            .must_end_with(13)?;
        for ran in [backup, restore] {
            says(&ran, &refused)?;
            says(&ran, scene.subject.password()).context("the way out is not told")?;
            ensure!(says(&ran, "not-the-secret").is_err(), "a password was shown");
        }
        Ok(())
    })?;
    scene.is_as(made)
}

fn awkward(scene: &Scene) -> Result<()> {
    let made = scene.made()?;
    scene.is_as(made).context("the backup has changed the data")?;
    scene.product.run(&["verify", &made.id])?.must_end_with(0)?;
    scene.testbed.wreck()?;
    ensure!(scene.is_as(made).is_err(), "the disaster has destroyed nothing");
    scene.restore(&made.id)?;
    scene.is_as(made)
}

fn over_existing_data(scene: &Scene) -> Result<()> {
    let made = scene.made()?;
    scene.subject.intrude(scene.testbed)?;
    scene.testbed.tick()?;
    ensure!(scene.is_as(made).is_err(), "nothing was written since");
    scene.restore(&made.id)?;
    scene.is_as(made)
}

/// The case before has restored the same backup, and nothing was written since.
fn twice(scene: &Scene) -> Result<()> {
    let made = scene.made()?;
    scene.restore(&made.id)?;
    scene.is_as(made)
}

/// A client that writes by itself, until it is stopped and as soon as it is back, while the store is drained: the backup holds all
/// that it wrote before, to the end of what it was doing when it was told to stop, and nothing that it wrote afterwards.
fn while_a_writer_writes(scene: &Scene) -> Result<()> {
    let mut random = Random::by_the_clock();
    scene.testbed.go_on()?;
    let moment = moments::back_up(scene.testbed, &scene.product, "pin", &mut random)?;
    moments::must_be_one(scene.testbed, &scene.product, &moment)
}

/// The point in time is the pin: what clients write while the store is drained belongs to the next backup.
fn written_while_draining(scene: &Scene) -> Result<()> {
    scene.bulky_artifact()?;
    let pinned = scene.testbed.truth()?;
    let differences = || Ok::<_, Error>(pinned.differences(&scene.testbed.truth()?));
    let ran = scene.half_way(PIN, |_| scene.subject.intrude(scene.testbed).map(drop))?;
    let summary = ran.must_end_with(0)?.summary()?;
    ensure!(
        !differences()?.is_empty(),
        "nothing was written while the store was drained"
    );
    scene.restore(summary["manifest"]["id"].as_str().context("no backup")?)?;
    let differences = differences()?;
    ensure!(
        differences.is_empty(),
        "other data than at the pin:\n{}",
        differences.join("\n")
    );
    Ok(())
}

fn damaged(scene: &Scene) -> Result<()> {
    let made = scene.made()?;
    let artifact = scene.largest_artifact(&made.id)?;
    let path = scene.product.repository.join(&made.id).join(&artifact);
    let whole = fs::read(&path)?;
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&path, flipped)?;
    scene.untouched(|| {
        let verified = scene.product.run(&["verify", &made.id])?.must_end_with(15)?;
        let restored = scene.try_restore(&made.id)?.must_end_with(13)?;
        says(&verified, &artifact)?;
        says(&restored, &artifact)
    })?;
    scene.is_as(made)?;
    fs::write(&path, whole)?;
    scene.product.run(&["verify", &made.id])?.must_end_with(0).map(drop)
}

fn dies_while_draining(scene: &Scene) -> Result<()> {
    [PIN, HOLD].into_iter().try_for_each(|mode| {
        let listed = scene.product.backups()?;
        let killing = OnceCell::new();
        let ran = scene.half_way(mode, |_| {
            if mode == PIN {
                // The clients run again. The witness has found its place before its store dies: else it would end, as a client may.
                scene.testbed.rest()?;
            }
            killing.set(scene.kill_store()?).map_err(|_| anyhow!("killed twice"))
        })?;
        let killed = killing.into_inner().context("nothing was killed")?.join();
        killed.map_err(|_| anyhow!("the killer panicked"))??;
        if mode == PIN && !scene.subject.is_read_while_draining() {
            let summary = ran.must_end_with(0)?.summary()?;
            let id = summary["manifest"]["id"].as_str().context("no backup")?;
            scene.product.run(&["verify", id])?.must_end_with(0)?;
        } else {
            says(&ran.must_end_with(1)?, scene.service())?;
            scene.lists(&listed)?;
        }
        // A run has stopped no store and starts none: whoever has killed it starts it again.
        scene.testbed.docker(&["start", &scene.store])?;
        scene.answers()?;
        scene.nothing_is_left().with_context(|| format!("{mode:?}"))
    })
}

fn cancelled_while_draining(scene: &Scene) -> Result<()> {
    [PIN, HOLD].into_iter().try_for_each(|mode| {
        let listed = scene.product.backups()?;
        let ran = scene.half_way(mode, |running| running.signal("INT"))?;
        says(&ran.must_end_with(130)?, "interrupted")?;
        scene.lists(&listed)?;
        scene.nothing_is_left().with_context(|| format!("{mode:?}"))
    })
}

/// The marks are compared at the end of the standstill: where the clients stay down, that is after the last byte.
fn intruded_inside_the_standstill(scene: &Scene) -> Result<()> {
    let listed = scene.product.backups()?;
    let mut words = "";
    let ran = scene.half_way(HOLD, |_| {
        words = scene.subject.intrude(scene.testbed)?;
        Ok(())
    })?;
    let ran = ran.must_end_with(1)?;
    says(&ran, &format!("store {} was written to", scene.service()))?;
    says(&ran, words)?;
    scene.lists(&listed)
}
