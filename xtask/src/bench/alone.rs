//! For the soak: the product by itself on a platform, observed as in the comparison. Judges nothing but memory.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use stillpoint_testkit::testbed::Testbed;

use super::contest::observed;
use super::phases::{self, Phases};
use super::report;
use super::repository::hold_memory;
use super::tool::{Kind, Tool};
use super::usage::{Looks, content};

/// The optimised product on one platform, with a folder that the caller removes.
pub(crate) struct Alone(Tool);

/// What a run took.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    wall: Duration,
    memory: u64,
    disk: u64,
    named: u64,
    phases: Phases,
}

impl Alone {
    pub(crate) fn new(testbed: &Testbed, folder: &Path) -> Result<Self> {
        let program = super::product(&super::target_directory()?)?;
        Tool::stillpoint(Kind::Pin, &program, folder, testbed).map(Self)
    }

    /// A backup, and the bytes of its files.
    pub(crate) fn backup(&self) -> Result<(Run, u64)> {
        self.0.remove_backups()?;
        let run = self.run("backup", self.0.backup())?;
        Ok((run, content(&self.0.only_backup()?.1)))
    }

    /// Its restore.
    pub(crate) fn restore(&self) -> Result<Run> {
        let (backup, _) = self.0.only_backup()?;
        self.run("restore", self.0.restore(&backup))
    }

    fn run(&self, name: &str, command: Command) -> Result<Run> {
        let (output, wall, usage) = observed(command, Looks::new(self.0.places(None)))?;
        self.0.keep_log(name, &output.stdout)?;
        let out = String::from_utf8_lossy(&output.stdout);
        Ok(Run {
            wall,
            memory: usage.memory,
            disk: usage.disk,
            named: phases::spooled(&out),
            phases: phases::of_events(&out),
        })
    }
}

impl Run {
    pub(crate) fn hold_memory(&self, what: &str) -> Result<()> {
        hold_memory(what, self.memory)
    }

    /// Where the seconds went, as far as they count.
    pub(crate) fn longest_phases(&self) -> String {
        let long = self.phases.iter().filter(|(_, took)| took.as_secs() >= 1);
        let told = long.map(|(name, took)| format!("{name} {}", report::seconds(*took)));
        told.collect::<Vec<_>>().join(", ")
    }

    /// Cells of a table: time, memory, disk, and what of the disk was named before.
    pub(crate) fn cells(&self) -> [String; 4] {
        [
            report::seconds(self.wall),
            report::bytes(self.memory),
            report::bytes(self.disk),
            report::bytes(self.named),
        ]
    }
}

pub(crate) use report::bytes;
