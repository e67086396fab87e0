//! The product by itself on a platform, observed as in the comparison. Judges nothing but memory and temporary disk.

use std::path::{Path, PathBuf};
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
pub(crate) struct Alone {
    tool: Tool,
    /// A place whose growth is temporary, too.
    beside: Option<PathBuf>,
}

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
        let tool = Tool::stillpoint(Kind::Pin, &program, folder, testbed)?;
        Ok(Self { tool, beside: None })
    }

    /// In one of its ways, told more than it needs to know; what this volume grows by is its temporary disk.
    pub(super) fn by(
        kind: Kind,
        program: &Path,
        testbed: &Testbed,
        folder: &Path,
        told: &[(&str, &str)],
        volume: Option<&Path>,
    ) -> Result<Self> {
        Ok(Self {
            tool: Tool::stillpoint(kind, program, folder, testbed)?.told(told),
            beside: volume.map(Path::to_path_buf),
        })
    }

    /// A backup, and the bytes of its files.
    pub(crate) fn backup(&self) -> Result<(Run, u64)> {
        self.tool.remove_backups()?;
        let run = self.run("backup", self.tool.backup())?;
        Ok((run, content(&self.tool.only_backup()?.1)))
    }

    /// Its restore.
    pub(crate) fn restore(&self) -> Result<Run> {
        let (backup, _) = self.tool.only_backup()?;
        self.run("restore", self.tool.restore(&backup))
    }

    fn run(&self, name: &str, command: Command) -> Result<Run> {
        let (output, wall, usage) = observed(command, Looks::new(self.tool.places(self.beside.clone())))?;
        self.tool.keep_log(name, &output.stdout)?;
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

    /// In sentences, what it took more of than it may.
    pub(super) fn broken_limits(&self, what: &str) -> Vec<String> {
        let memory = hold_memory(what, self.memory).err().map(|error| error.to_string());
        let unnamed = self.disk.saturating_sub(self.named);
        let disk = (unnamed > 0).then(|| format!("{what}: {} of temporary disk were not named", bytes(unnamed)));
        memory.into_iter().chain(disk).collect()
    }

    /// How long a step took.
    pub(super) fn phase(&self, name: &str) -> Duration {
        let same = self.phases.iter().filter(|(phase, _)| phase == name);
        same.map(|(_, took)| *took).sum()
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
