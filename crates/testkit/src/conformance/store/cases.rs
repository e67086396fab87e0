//! The ten cases. Each says what the product must do and what must have become of the data; that nothing else was
//! touched is asserted after each of them by the suite.

use std::cell::OnceCell;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use super::scene::{Scene, says};
use crate::testbed::Testbed;

pub(super) type Case = fn(&Scene) -> Result<()>;

pub(super) const ON_AN_EMPTY_SERVER: [(&str, Case); 3] = [
    ("empty", empty),
    ("down at preflight", down_at_preflight),
    ("wrong credential", wrong_credential),
];

pub(super) const ON_A_SEEDED_SERVER: [(&str, Case); 8] = [
    ("awkward names and content", awkward),
    ("restore over existing data", over_existing_data),
    ("restore twice", twice),
    ("damaged artifact", damaged),
    ("capture while a writer writes", while_a_writer_writes),
    ("dies while draining", dies_while_draining),
    ("cancel while draining", cancelled_while_draining),
    ("a writer from outside while draining", intruded_while_draining),
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

/// A client that writes as fast as it can until the stop begins: the backup holds all that it wrote before, and nothing
/// that it writes afterwards. It has finished its last write then: clients and stores are stopped together, which cuts
/// a write to several databases.
fn while_a_writer_writes(scene: &Scene) -> Result<()> {
    let before = scene.testbed.tick()?;
    let writing = AtomicBool::new(true);
    let ran = std::thread::scope(|scope| {
        let writer = scope.spawn(|| tick_while(&writing, scene.testbed));
        // Nothing is stopped before the claim is there, and that takes the engine longer than the signal.
        let claims = |event: &Value| event["event"] == "step_began" && event["step"] == "claim";
        let ran = scene.product.interfered_at("the claim", claims, |_| {
            writing.store(false, Ordering::Relaxed);
            writer.join().map_err(|_| anyhow!("the writer panicked"))?
        });
        writing.store(false, Ordering::Relaxed);
        ran
    })?;
    let summary = ran.must_end_with(0)?.summary()?;
    let id = summary["manifest"]["id"].as_str().context("no backup")?;
    let stopped = scene
        .testbed
        .witness_log_last_stop()?
        .context("the writer was never stopped")?;
    ensure!(stopped > before, "nobody wrote before the stop");
    ensure!(scene.tick_again()? > stopped, "nothing was written since");
    scene.restore(id)?;
    scene.shows_tick(stopped)
}

fn tick_while(writing: &AtomicBool, testbed: &Testbed) -> Result<()> {
    while writing.load(Ordering::Relaxed) {
        testbed.tick()?;
    }
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
    let listed = scene.product.backups()?;
    let killing = OnceCell::new();
    let ran = scene.half_way(|_| killing.set(scene.kill_store()?).map_err(|_| anyhow!("killed twice")))?;
    let killed = killing.into_inner().context("nothing was killed")?.join();
    killed.map_err(|_| anyhow!("the killer panicked"))??;
    says(&ran.must_end_with(1)?, &format!("store {}", scene.service()))?;
    scene.lists(&listed)
}

fn cancelled_while_draining(scene: &Scene) -> Result<()> {
    let listed = scene.product.backups()?;
    let ran = scene.half_way(|running| running.signal("INT"))?;
    says(&ran.must_end_with(130)?, "interrupted")?;
    scene.lists(&listed)
}

fn intruded_while_draining(scene: &Scene) -> Result<()> {
    let listed = scene.product.backups()?;
    let mut words = "";
    let ran = scene.half_way(|_| {
        words = scene.subject.intrude(scene.testbed)?;
        Ok(())
    })?;
    let ran = ran.must_end_with(1)?;
    says(&ran, &format!("somebody wrote into store {}", scene.service()))?;
    says(&ran, words)?;
    scene.lists(&listed)
}
