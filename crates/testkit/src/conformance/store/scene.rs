//! A platform with one store, the product beside it, and what the cases ask of both.

use std::cell::OnceCell;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::traces::Traces;
use super::{Subject, objects};
use crate::product::{Product, Ran, Running};
use crate::testbed::{Testbed, Truth};

const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Scene<'a> {
    pub(super) subject: &'a dyn Subject,
    pub(super) testbed: &'a Testbed,
    pub(super) product: Product,
    /// The store's container.
    pub(super) store: String,
    before: Traces,
    made: OnceCell<Made>,
    bulk: OnceCell<&'static str>,
}

/// A backup, and what was there when it was made.
pub(super) struct Made {
    pub(super) id: String,
    truth: Truth,
    /// The witness's; 0 where it was never ready.
    tick: u64,
}

impl<'a> Scene<'a> {
    pub(super) fn new(subject: &'a dyn Subject, program: &str, folder: &Path, testbed: &'a Testbed) -> Result<Self> {
        let product = Product::of(program, folder, testbed);
        Ok(Self {
            store: testbed.container(subject.service())?,
            before: Traces::of(subject, testbed, &product)?,
            subject,
            testbed,
            product,
            made: OnceCell::new(),
            bulk: OnceCell::new(),
        })
    }

    pub(super) fn service(&self) -> &'static str {
        self.subject.service()
    }

    /// A backup of the data that the platform began with. Made once: the first case asks for it.
    pub(super) fn made(&self) -> Result<&Made> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let truth = self.testbed.truth()?;
        let tick = self.tick()?;
        let id = self.product.backup()?;
        Ok(self.made.get_or_init(|| Made { id, truth, tick }))
    }

    /// Fails unless the store holds what it held when the backup was made, to the last tick.
    pub(super) fn is_as(&self, made: &Made) -> Result<()> {
        let differences = made.truth.differences(&self.testbed.truth()?);
        ensure!(differences.is_empty(), "other data:\n{}", differences.join("\n"));
        if made.tick == 0 {
            Ok(())
        } else {
            self.shows_tick(made.tick)
        }
    }

    /// Fails unless the witness has written so many ticks, whole, everywhere in the store.
    fn shows_tick(&self, tick: u64) -> Result<()> {
        let shown = self.testbed.one_tick()?;
        ensure!(shown == tick, "the store shows tick {shown}, not {tick}");
        Ok(())
    }

    fn tick(&self) -> Result<u64> {
        let states = self.testbed.witness()?;
        Ok(states.values().map(|witness| witness.last).max().unwrap_or(0))
    }

    pub(super) fn try_restore(&self, id: &str) -> Result<Ran> {
        self.product.run(&["restore", id, "--confirm", id, "--discard-old"])
    }

    /// Restores, which must succeed. That something was done is seen by the store's new start: of an empty one nothing
    /// else would tell.
    pub(super) fn restore(&self, id: &str) -> Result<()> {
        let before = self.testbed.state(self.service())?.started_at;
        self.try_restore(id)?.must_end_with(0)?;
        let now = self.testbed.state(self.service())?.started_at;
        ensure!(now != before, "the restore has not touched the store");
        Ok(())
    }

    /// Fails if the deed stopped, started or changed any container.
    pub(super) fn untouched(&self, deed: impl FnOnce() -> Result<()>) -> Result<()> {
        let before = self.testbed.containers()?;
        deed()?;
        let now = self.testbed.containers()?;
        ensure!(
            now == before,
            "something was touched\nbefore {before:?}\nnow    {now:?}"
        );
        Ok(())
    }

    /// A backup of much data, and a deed when its first bytes have come. The product stands still meanwhile
    /// (SIGSTOP), so that the deed is done half-way however long it takes.
    pub(super) fn half_way(&self, arguments: &[&str], deed: impl FnOnce(&Running) -> Result<()>) -> Result<Ran> {
        let artifact = self.bulky_artifact()?;
        self.product.interfered_with(arguments, artifact, deed)
    }

    /// Made once, by the first case that wants it.
    pub(super) fn bulky_artifact(&self) -> Result<&'static str> {
        if let Some(artifact) = self.bulk.get() {
            return Ok(artifact);
        }
        let artifact = self.subject.bulk(self.testbed)?;
        Ok(self.bulk.get_or_init(|| artifact))
    }

    /// Ends the store's process as a lack of memory would, and returns when it is gone. The engine may take longer
    /// to say so: it waits for whoever reads what the container's other processes have said.
    pub(super) fn kill_store(&self) -> Result<JoinHandle<Result<String>>> {
        let main = self
            .testbed
            .docker(&["inspect", "--format={{.State.Pid}}", &self.store])?;
        let process = Path::new("/proc").join(main);
        let (testbed, store) = (self.testbed.clone(), self.store.clone());
        let killing = std::thread::spawn(move || testbed.docker(&["kill", &store]));
        let begun = Instant::now();
        while process.exists() {
            ensure!(begun.elapsed() < PATIENCE, "{} was not killed", self.service());
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(killing)
    }

    /// Waits until the store answers.
    pub(super) fn answers(&self) -> Result<()> {
        let begun = Instant::now();
        while let Err(error) = self.testbed.truth() {
            ensure!(begun.elapsed() < PATIENCE, "the store does not answer: {error:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Fails unless these are the complete backups.
    pub(super) fn lists(&self, ids: &[String]) -> Result<()> {
        let listed = self.product.backups()?;
        ensure!(listed == ids, "listed are {listed:?}, not {ids:?}");
        Ok(())
    }

    pub(super) fn largest_artifact(&self, id: &str) -> Result<String> {
        let path = self.product.repository.join(id).join("manifest.json");
        let manifest: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        let artifacts = manifest["stores"][0]["artifacts"].as_array().context("no artifacts")?;
        let largest = artifacts.iter().max_by_key(|artifact| artifact["size"].as_u64());
        let name = largest.and_then(|artifact| artifact["name"].as_str());
        name.map(str::to_owned).context("no artifact")
    }

    /// Fails unless everything around the data is as it was before the first case. What an ended run has let go of may
    /// take a moment to be seen as gone.
    pub(super) fn nothing_is_left(&self) -> Result<()> {
        objects::are_documented(&self.product.repository)?;
        let begun = Instant::now();
        loop {
            let now = Traces::of(self.subject, self.testbed, &self.product);
            let differences = now.map(|now| self.before.differences(&now));
            match differences {
                Ok(none) if none.is_empty() => return Ok(()),
                Ok(left) if begun.elapsed() > PATIENCE => bail!("not as before:\n{}", left.join("\n")),
                Err(error) if begun.elapsed() > PATIENCE => return Err(error),
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

/// Fails unless it said this, as text or in JSON.
pub(super) fn says(ran: &Ran, words: &str) -> Result<()> {
    let said = format!("{}{}", ran.out, ran.err);
    ensure!(said.contains(words), "`{words}` is not said:\n{said}");
    Ok(())
}
