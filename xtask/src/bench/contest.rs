//! The course of the measurement: Stillpoint, the scripts and the bare stop and start by turns on one platform, which is as it was
//! before each run.

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
use super::{Course, phases, report, say};

/// What Stillpoint promises to stay below, in bytes (resident).
pub(super) const MEMORY_LIMIT: u64 = 64 << 20;
/// How much longer its clients may be down than those that are only stopped and started.
const ABOVE_FLOOR: Duration = Duration::from_secs(3);
/// How much of the scripts' time a backup may take.
const OF_CLASSIC: f64 = 0.3;

/// What a tool's runs were like.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) backups: Runs,
    pub(super) restores: Runs,
}

#[derive(Default)]
pub(super) struct Results {
    pub(super) pin: Outcome,
    pub(super) hold: Outcome,
    /// One backup: for its memory.
    pub(super) s3: Outcome,
    pub(super) classic: Outcome,
    /// The clients' downtime if nothing is done between their stop and their start; one for each round.
    pub(super) floor: Vec<Duration>,
    /// Whether what the store's container writes outside its volumes could be seen.
    pub(super) layer_seen: bool,
}

impl Results {
    fn of(&mut self, kind: Kind) -> &mut Outcome {
        match kind {
            Kind::Pin => &mut self.pin,
            Kind::Hold => &mut self.hold,
            Kind::S3 => &mut self.s3,
            Kind::Classic => &mut self.classic,
        }
    }

    /// The most of all of Stillpoint's backups.
    fn worst(&self, of: impl Fn(&Figures) -> u64) -> u64 {
        let ours = [&self.pin, &self.hold, &self.s3];
        ours.map(|outcome| outcome.backups.worst(&of))
            .into_iter()
            .max()
            .unwrap_or(0)
    }

    /// The most that any of them took.
    pub(super) fn worst_memory(&self) -> u64 {
        self.worst(|run| run.usage.memory)
    }

    /// The most that any of them put aside.
    pub(super) fn worst_disk(&self) -> u64 {
        self.worst(|run| run.usage.disk)
    }

    /// The most that any of them named before it stopped anything.
    pub(super) fn most_named(&self) -> u64 {
        self.worst(|run| run.named)
    }

    /// The most that any of them put aside beyond what it had named.
    fn worst_unnamed(&self) -> u64 {
        self.worst(|run| run.usage.disk.saturating_sub(run.named))
    }

    /// The middle of all rounds.
    pub(super) fn median_floor(&self) -> Duration {
        let mut rounds = self.floor.clone();
        rounds.sort_unstable();
        rounds.get(rounds.len() / 2).copied().unwrap_or_default()
    }

    /// In sentences.
    pub(super) fn broken_limits(&self) -> Vec<String> {
        let bytes = |what: &str, value: u64, limit: u64| {
            let sentence = format!("{what} {}, the limit is {}", report::bytes(value), report::bytes(limit));
            (value > limit).then_some(sentence)
        };
        let times = |what: &str, value: Duration, limit: Duration, why: &str| {
            let (taken, limit_text) = (report::seconds(value), report::seconds(limit));
            (value > limit).then(|| format!("{what} {taken}, the limit is {limit_text}: {why}"))
        };
        let (down, wall) = (
            self.pin.backups.median(|run| run.downtime),
            self.pin.backups.median(|run| run.wall),
        );
        let (floor, classic) = (self.median_floor(), self.classic.backups.median(|run| run.wall));
        let broken = [
            bytes("peak resident memory", self.worst_memory(), MEMORY_LIMIT),
            bytes("temporary disk beyond what was named", self.worst_unnamed(), 0),
            times(
                "clients down",
                down,
                floor + ABOVE_FLOOR,
                "a bare stop and start, and 3 s",
            ),
            // What stopping and starting the clients takes is in both, and is neither's doing.
            times(
                "wall time",
                wall,
                floor + classic.saturating_sub(floor).mul_f64(OF_CLASSIC),
                "a bare stop and start, and 0.3 of what the scripts take beyond it",
            ),
        ];
        broken.into_iter().flatten().collect()
    }
}

pub(super) struct Contest<'a> {
    platform: Platform<'a>,
    pin: Tool,
    hold: Tool,
    s3: Tool,
    classic: Tool,
}

impl<'a> Contest<'a> {
    pub(super) fn new(testbed: &'a Testbed, program: &Path, bench: &Path) -> Result<Self> {
        let stillpoint = |kind| Tool::stillpoint(kind, program, bench, testbed);
        Ok(Self {
            platform: Platform::new(testbed)?,
            pin: stillpoint(Kind::Pin)?,
            hold: stillpoint(Kind::Hold)?,
            s3: stillpoint(Kind::S3)?,
            classic: Tool::classic(bench, testbed)?,
        })
    }

    pub(super) fn hold(&self, Course { rounds, restores, .. }: Course) -> Result<Results> {
        let mut results = Results {
            layer_seen: self.platform.writable_layer()?.is_some(),
            ..Results::default()
        };
        for round in 1..=rounds {
            let floor = self.platform.floor()?;
            say(&format!(
                "bare stop and start {round} of {rounds}: {}",
                report::seconds(floor)
            ));
            results.floor.push(floor);
            for tool in [&self.pin, &self.hold, &self.classic] {
                let run = self.backup(tool, round)?;
                announce(tool, &format!("backup {round} of {rounds}"), &run);
                results.of(tool.kind).backups.0.push(run);
            }
        }
        let run = self.run(&self.s3, self.s3.backup(), "backup-1")?;
        announce(&self.s3, "one backup", &run);
        results.s3.backups.0.push(run);
        for round in 1..=restores {
            for tool in [&self.pin, &self.classic] {
                let tick = results.of(tool.kind).backups.0.last().map_or(0, |run| run.tick);
                let run = self.restore(tool, round, tick)?;
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

    /// Of the last backup, which was made at that tick.
    fn restore(&self, tool: &Tool, round: u32, tick: u64) -> Result<Figures> {
        let (backup, _) = tool.only_backup()?;
        let figures = self.run(tool, tool.restore(&backup), &format!("restore-{round}"))?;
        self.platform.settle()?;
        self.platform.must_show(tick)?;
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
                Kind::Classic => phases::of_stamps(&out),
                _ => phases::of_events(&out),
            },
            tick: self.platform.stopped_after()?,
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
        results.pin.backups.0 = vec![run(1, NAMED)];
        results.s3.backups.0 = vec![run(memory, disk + NAMED)];
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
            tick: 0,
        }
    }

    #[test]
    fn times_are_held_against_what_else_was_measured_in_the_same_run() {
        let mut results = results(0, 0);
        results.floor = [9, 4, 5].map(Duration::from_secs).into();
        results.classic.backups.0[0].wall = Duration::from_secs(100);
        results.pin.backups.0[0].downtime = Duration::from_secs(8);
        results.pin.backups.0[0].wall = Duration::from_millis(33_500);
        assert_eq!(results.broken_limits(), Vec::<String>::new());
        results.pin.backups.0[0].downtime = Duration::from_millis(8_100);
        results.pin.backups.0[0].wall = Duration::from_millis(33_600);
        assert_eq!(
            results.broken_limits(),
            [
                "clients down 8.1 s, the limit is 8.0 s: a bare stop and start, and 3 s",
                "wall time 33.6 s, the limit is 33.5 s: a bare stop and start, and 0.3 of what the scripts take beyond it"
            ]
        );
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
