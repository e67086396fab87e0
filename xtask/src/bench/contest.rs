//! The course of the measurement: the two by turns on one platform, which is as it was before each run.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use stillpoint_testkit::testbed::Testbed;

use super::downtime::downtime;
use super::figures::{Figures, Runs};
use super::platform::Platform;
use super::sampler::Sampler;
use super::tool::{Kind, Tool};
use super::usage::{Looks, Usage, content};
use super::{phases, report, say};

/// What Stillpoint promises to stay below, in bytes (resident).
pub(super) const MEMORY_LIMIT: u64 = 64 << 20;

/// What a tool's runs were like.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) backups: Runs,
    pub(super) restores: Runs,
}

#[derive(Default)]
pub(super) struct Results {
    pub(super) stillpoint: Outcome,
    pub(super) classic: Outcome,
    /// Whether what the store's container writes outside its volumes could be seen.
    pub(super) layer_seen: bool,
}

impl Results {
    fn of(&mut self, kind: Kind) -> &mut Outcome {
        match kind {
            Kind::Stillpoint => &mut self.stillpoint,
            Kind::Classic => &mut self.classic,
        }
    }

    /// The most that any of Stillpoint's backups took.
    pub(super) fn worst_memory(&self) -> u64 {
        self.stillpoint.backups.worst(|run| run.usage.memory)
    }

    /// The most that any of Stillpoint's backups put aside.
    pub(super) fn worst_disk(&self) -> u64 {
        self.stillpoint.backups.worst(|run| run.usage.disk)
    }

    /// The most that any of them put aside beyond what it had named before it stopped anything.
    fn worst_unnamed(&self) -> u64 {
        let unnamed = |run: &Figures| run.usage.disk.saturating_sub(run.named);
        self.stillpoint.backups.worst(unnamed)
    }

    /// In sentences.
    pub(super) fn broken_limits(&self) -> Vec<String> {
        let (memory, disk) = (self.worst_memory(), self.worst_unnamed());
        let too_much = |what: &str, value: u64, limit: u64| {
            let sentence = format!("{what} {}, the limit is {}", report::bytes(value), report::bytes(limit));
            (value > limit).then_some(sentence)
        };
        let memory = too_much("peak resident memory", memory, MEMORY_LIMIT);
        memory
            .into_iter()
            .chain(too_much("temporary disk beyond what was named", disk, 0))
            .collect()
    }
}

pub(super) struct Contest<'a> {
    platform: Platform<'a>,
    tools: [Tool; 2],
}

impl<'a> Contest<'a> {
    pub(super) fn new(testbed: &'a Testbed, program: &Path, bench: &Path) -> Result<Self> {
        Ok(Self {
            platform: Platform::new(testbed)?,
            tools: [
                Tool::stillpoint(program, bench, testbed)?,
                Tool::classic(bench, testbed)?,
            ],
        })
    }

    pub(super) fn hold(&self, rounds: u32, restores: u32) -> Result<Results> {
        let mut results = Results {
            layer_seen: self.platform.writable_layer()?.is_some(),
            ..Results::default()
        };
        for round in 1..=rounds {
            for tool in &self.tools {
                let run = self.backup(tool, round)?;
                announce(tool, &format!("backup {round} of {rounds}"), &run);
                results.of(tool.kind).backups.0.push(run);
            }
        }
        for round in 1..=restores {
            for tool in &self.tools {
                let run = self.restore(tool, round)?;
                announce(tool, &format!("restore {round} of {restores}"), &run);
                results.of(tool.kind).restores.0.push(run);
            }
        }
        Ok(results)
    }

    fn backup(&self, tool: &Tool, round: u32) -> Result<Figures> {
        tool.remove_backups()?;
        let mut figures = self.run(tool, tool.backup(), &format!("backup-{round}"))?;
        figures.size = content(&tool.only_backup()?.1);
        Ok(figures)
    }

    fn restore(&self, tool: &Tool, round: u32) -> Result<Figures> {
        let (backup, _) = tool.only_backup()?;
        let figures = self.run(tool, tool.restore(&backup), &format!("restore-{round}"))?;
        self.platform.settle()?;
        self.platform.must_be_whole()?;
        Ok(figures)
    }

    fn run(&self, tool: &Tool, command: Command, name: &str) -> Result<Figures> {
        self.platform.settle()?;
        let events = self.platform.testbed.events_recorder()?;
        let looks = Looks::new(tool.places(self.platform.writable_layer()?));
        let (output, wall, usage) = observed(command, looks)?;
        tool.keep_log(name, &output.stdout)?;
        let out = String::from_utf8_lossy(&output.stdout);
        Ok(Figures {
            downtime: downtime(&events.stop()?, &self.platform.clients)?,
            wall,
            usage,
            size: 0,
            named: phases::spooled(&out),
            phases: match tool.kind {
                Kind::Stillpoint => phases::of_events(&out),
                Kind::Classic => phases::of_stamps(&out),
            },
        })
    }
}

/// Runs the command, which must succeed.
pub(super) fn observed(mut command: Command, looks: Looks) -> Result<(Output, Duration, Usage)> {
    let begun = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    let sampler = Sampler::start(child.id(), looks);
    let output = child.wait_with_output();
    let wall = begun.elapsed();
    let usage = sampler.stop()?;
    let output = output.with_context(|| format!("cannot read from {command:?}"))?;
    if output.status.success() {
        return Ok((output, wall, usage));
    }
    bail!(
        "{command:?}: {}\n--- standard output\n{}\n--- standard error\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn announce(tool: &Tool, what: &str, run: &Figures) {
    say(&format!(
        "{:?}, {what}: clients down {}, in all {}, memory {}, temporary disk {}",
        tool.kind,
        report::seconds(run.downtime),
        report::seconds(run.wall),
        report::bytes(run.usage.memory),
        report::bytes(run.usage.disk)
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the runs said that they would put aside.
    const NAMED: u64 = 1 << 20;

    fn results(memory: u64, disk: u64) -> Results {
        let mut results = Results::default();
        results.stillpoint.backups.0 = [(1, 0), (memory, disk)]
            .map(|(memory, disk)| run(memory, disk + NAMED))
            .into();
        results.classic.backups.0 = vec![run(u64::MAX, u64::MAX)];
        results
    }

    fn run(memory: u64, disk: u64) -> Figures {
        let usage = Usage {
            memory,
            disk,
            ledger: u64::MAX,
            processors: Duration::MAX,
        };
        Figures {
            downtime: Duration::ZERO,
            wall: Duration::ZERO,
            usage,
            size: 0,
            named: NAMED,
            phases: Vec::new(),
        }
    }

    #[test]
    fn one_run_beyond_a_limit_breaks_it() {
        assert_eq!(results(MEMORY_LIMIT, 0).broken_limits(), Vec::<String>::new());
        let both = results(MEMORY_LIMIT + (1 << 20), 4096).broken_limits();
        assert_eq!(
            both,
            [
                "peak resident memory 65.0 MiB, the limit is 64.0 MiB",
                "temporary disk beyond what was named 4 KiB, the limit is 0 B"
            ]
        );
    }
}
