//! The course of the measurement: in every round each side once, and the other side first than in the round
//! before. Each round of streams has a server of its own: what is deleted frees its disk, and both sides
//! find it as empty.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use stillpoint_testkit::seaweed::{ADMIN, BUCKET, REGION, Seaweed};

use super::super::report::bytes;
use super::super::say;
use super::results::{Pair, Results};
use super::sides::must_be;
use super::step::{self, Asked, By, Figures, Work};
use super::{Arguments, MIB};

pub(super) struct Contest {
    xtask: PathBuf,
    stillpoint: PathBuf,
    /// The program's state directory.
    state: PathBuf,
}

impl Contest {
    pub(super) fn new(program: &Path, folder: &Path) -> Result<Self> {
        let target = folder.parent().context("the report's folder stands nowhere")?;
        let state = folder.join("work/repository-state");
        std::fs::create_dir_all(&state).with_context(|| format!("cannot make {}", state.display()))?;
        Ok(Self {
            xtask: step::program(target)?,
            stillpoint: program.to_owned(),
            state,
        })
    }

    pub(super) fn hold(&self, arguments: &Arguments) -> Result<Results> {
        let mut results = Results::default();
        Seaweed::start()?.examined(|server| self.listings(server, arguments, &mut results))?;
        for round in 1..=arguments.repository_rounds {
            Seaweed::start()?.examined(|server| self.streams(server, arguments, round, &mut results))?;
        }
        Ok(results)
    }

    fn listings(&self, server: &Seaweed, arguments: &Arguments, results: &mut Results) -> Result<()> {
        let asked = Asked::of(server, "listing", arguments.listed);
        say(&format!("sealing {} backups", arguments.listed));
        asked.measure(&self.xtask, Work::Seed, By::Stillpoint)?;
        // Both find the server's caches as the other left them.
        asked.measure(&self.xtask, Work::List, By::Bare)?;
        for round in 1..=arguments.repository_rounds {
            results.listing.0.push(self.pair(&asked, Work::List, round)?);
            let pair = taking_turns(
                round,
                || self.program(&asked),
                || asked.measure(&self.xtask, Work::List, By::Bare),
            )?;
            tell("backups ls", round, &pair);
            results.program.0.push(pair);
        }
        Ok(())
    }

    fn streams(&self, server: &Seaweed, arguments: &Arguments, round: u32, results: &mut Results) -> Result<()> {
        // As much as each of the two will write: whoever comes first must not be the one for whom the server
        // makes its volumes.
        let warm_up = Asked::of(server, "warm-up", arguments.stream * MIB);
        warm_up.measure(&self.xtask, Work::Write, By::Bare)?;
        let asked = Asked::of(server, "stream", arguments.stream * MIB);
        results.writing.0.push(self.pair(&asked, Work::Write, round)?);
        results.reading.0.push(self.pair(&asked, Work::Read, round)?);
        // The large one is still being written when the last small one is done.
        let crowd = Asked::of(server, "crowd", arguments.stream * MIB / 2);
        let crowd = crowd.measure(&self.xtask, Work::Crowd, By::Stillpoint)?;
        say(&format!("many at once, round {round}: {}", told(&crowd)));
        results.crowd.push(crowd);
        Ok(())
    }

    fn pair(&self, asked: &Asked, work: Work, round: u32) -> Result<Pair> {
        let by = |by| move || asked.measure(&self.xtask, work, by);
        let pair = taking_turns(round, by(By::Stillpoint), by(By::Bare))?;
        tell(&format!("{work:?}"), round, &pair);
        Ok(pair)
    }

    /// `stillpoint backups ls --json`, from its start to its exit. Only its time is looked at.
    fn program(&self, asked: &Asked) -> Result<Figures> {
        let begun = Instant::now();
        let output = Command::new(&self.stillpoint)
            .args(["backups", "ls", "--json"])
            .env_remove("STILLPOINT_REPOSITORY")
            .env("STILLPOINT_STATE_DIR", &self.state)
            .env("BACKUP_S3_ENDPOINT", &asked.endpoint)
            .env("BACKUP_S3_REGION", REGION)
            .env("BACKUP_S3_BUCKET", BUCKET)
            .env("BACKUP_S3_PREFIX", &asked.prefix)
            .env("BACKUP_S3_ACCESS_KEY_ID", ADMIN.id)
            .env("BACKUP_S3_SECRET_ACCESS_KEY", ADMIN.secret)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {}", self.stillpoint.display()))?;
        let seconds = begun.elapsed().as_secs_f64();
        if !output.status.success() {
            bail!("backups ls: {}", String::from_utf8_lossy(&output.stderr));
        }
        let listed: Value = serde_json::from_slice(&output.stdout).context("backups ls printed no JSON")?;
        let count = listed["backups"].as_array().map_or(0, Vec::len);
        must_be("backups listed", count as u64, asked.count)?;
        Ok(Figures {
            seconds,
            ..Figures::default()
        })
    }
}

fn taking_turns(
    round: u32,
    ours: impl FnOnce() -> Result<Figures>,
    bare: impl FnOnce() -> Result<Figures>,
) -> Result<Pair> {
    if round.is_multiple_of(2) {
        let bare = bare()?;
        Ok(Pair { ours: ours()?, bare })
    } else {
        let ours = ours()?;
        Ok(Pair { ours, bare: bare()? })
    }
}

fn tell(what: &str, round: u32, pair: &Pair) {
    let (ours, bare) = (told(&pair.ours), told(&pair.bare));
    say(&format!("{what}, round {round}: stillpoint {ours}; bare {bare}"));
}

fn told(figures: &Figures) -> String {
    let (seconds, processor) = (figures.seconds, figures.processor);
    format!(
        "{seconds:.2} s, processor {processor:.2} s, memory {}",
        bytes(figures.memory)
    )
}
