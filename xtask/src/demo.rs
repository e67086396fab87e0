//! `cargo xtask demo`: the main job, before a newcomer's eyes, on a platform of real engines: backed
//! up, wrecked, restored, proven. Leaves the platform running for a look.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use stillpoint_testkit::seaweed;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::testbed::{Saved, prove_against};

const PROJECT: &str = "stillpoint-demo";

/// A name that means something in the platform's own network alone: it is reached through the engine.
const S3_ENDPOINT: &str = "http://seaweedfs-s3:8333";

#[derive(Args)]
pub(crate) struct Arguments {
    /// The size of the data: 1 is a few megabytes in each store, 100 about 2 GB in PostgreSQL
    #[arg(long, default_value_t = 3, env = "SCALE")]
    scale: u32,
    /// Where the backup goes: a directory, or the bucket of the platform's own object store
    #[arg(long, value_enum, default_value_t, env = "REPO")]
    repo: Repo,
    /// The kinds of store that the platform has, separated by commas; all of them if none is named
    #[arg(long, value_delimiter = ',', env = "STORES")]
    stores: Vec<String>,
    /// Only remove the demo's platform and its backups
    #[arg(long)]
    down: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Repo {
    #[default]
    Local,
    S3,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let shape = if arguments.stores.iter().all(|kind| kind.trim().is_empty()) {
        Shape::Full
    } else {
        Shape::of(&arguments.stores)?
    };
    let testbed = Testbed::kept(PROJECT, shape);
    let demo = Demo::new(&testbed, arguments.repo)?;
    testbed.down()?;
    demo.forget()?;
    if arguments.down {
        Ok(())
    } else {
        demo.tell(shape, arguments.scale)
    }
}

struct Demo<'a> {
    testbed: &'a Testbed,
    program: PathBuf,
    folder: PathBuf,
    repo: Repo,
}

impl<'a> Demo<'a> {
    fn new(testbed: &'a Testbed, repo: Repo) -> Result<Self> {
        let target = std::env::current_exe()?
            .parent()
            .context("this program has no folder")?
            .to_owned();
        Ok(Self {
            testbed,
            program: target.join("stillpoint"),
            folder: target.join("demo"),
            repo,
        })
    }

    fn forget(&self) -> Result<()> {
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder)
                .with_context(|| format!("cannot remove {}", self.folder.display()))?;
        }
        Ok(())
    }

    fn tell(&self, shape: Shape, scale: u32) -> Result<()> {
        let mut story = Story::default();
        story.chapter(
            &format!(
                "A platform comes up: {}, and nine other containers",
                shape.kinds().join(", ")
            ),
            || self.testbed.up(),
        )?;
        story.chapter(
            "All are filled; the witness counts in all of them by itself, as a client would, and does not stop for us",
            || self.testbed.seed(scale),
        )?;
        story.chapter("What would a backup stop, and why?", || {
            self.stillpoint(&["containers", "plan"])
        })?;
        println!();
        for (name, value) in self.settings() {
            println!("$ export {name}={value}");
        }
        story.chapter(
            "Backup: the clients stop for seconds, the stores never; they are copied while the clients run again",
            || self.stillpoint(&["backup"]),
        )?;
        let (backup, saved) = (self.newest()?, Saved::of(self.testbed)?);
        story.chapter(
            "Disaster: every database, role, key, stream, graph and collection is gone",
            || self.testbed.wreck(),
        )?;
        story.chapter("Restore", || {
            self.stillpoint(&["restore", &backup, "--confirm", &backup])
        })?;
        story.chapter(
            "What the restore replaced may go; until then `restore undo` would bring it back",
            || self.stillpoint(&["restore", "discard-old", "--confirm", PROJECT]),
        )?;
        story.chapter(
            "Proof: row for row, key for key, message for message, node for node, and one point in time",
            || prove_against(self.testbed, &saved),
        )?;
        story.end();
        self.where_next(&backup);
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("STILLPOINT_STATE_DIR", self.folder.join("state"));
        command.envs(self.settings());
        command
    }

    /// What an operator would set, apart from where the demo keeps its state.
    fn settings(&self) -> Vec<(String, String)> {
        let mut settings = vec![("STILLPOINT_PLATFORM", PROJECT.to_owned())];
        match self.repo {
            Repo::Local => settings.push(("STILLPOINT_REPOSITORY", shown(&self.folder.join("repository")))),
            Repo::S3 => settings.extend([
                ("BACKUP_S3_ENDPOINT", S3_ENDPOINT.to_owned()),
                ("BACKUP_S3_ACCESS_KEY_ID", seaweed::BACKUP.id.to_owned()),
                ("BACKUP_S3_SECRET_ACCESS_KEY", seaweed::BACKUP.secret.to_owned()),
            ]),
        }
        let own = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
        own.chain(self.testbed.logins()).collect()
    }

    fn stillpoint(&self, arguments: &[&str]) -> Result<()> {
        println!("$ stillpoint {}", arguments.join(" "));
        let status = self
            .command()
            .args(arguments)
            .status()
            .context("cannot run stillpoint")?;
        if status.success() {
            Ok(())
        } else {
            bail!("stillpoint {} ended with {status}", arguments.join(" "))
        }
    }

    fn newest(&self) -> Result<String> {
        let listed = self.command().args(["backups", "ls", "--json"]).output()?;
        let listed: serde_json::Value =
            serde_json::from_slice(&listed.stdout).context("`backups ls` printed no JSON")?;
        let newest = listed["backups"].as_array().and_then(|backups| backups.last());
        newest
            .and_then(|backup| backup["id"].as_str())
            .map(ToOwned::to_owned)
            .context("there is no backup")
    }

    fn where_next(&self, backup: &str) {
        let settings: Vec<String> = self
            .settings()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let look = match self.repo {
            Repo::Local => format!("ls -R {}", shown(&self.folder.join("repository"))),
            Repo::S3 => format!(
                "docker exec {PROJECT}-seaweedfs-s3-1 curl -s -H 'Accept: application/json' \
                 localhost:8888/buckets/backups/{PROJECT}/{backup}/"
            ),
        };
        println!(
            "\nWhere to look next\n  \
             the platform runs:        docker ps -a --filter name={PROJECT}\n  \
             the backup is files:      {look}\n  \
             what it holds:            {settings} {program} backups show {backup}\n  \
             restored without us:      docs/operating/by-hand.md\n  \
             how it works:             ARCHITECTURE.md\n  \
             remove all of it:         make down",
            settings = settings.join(" "),
            program = shown(&self.program),
        );
    }
}

/// A path as the reader would type it here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

#[derive(Default)]
struct Story {
    chapters: Vec<(String, Duration)>,
}

impl Story {
    fn chapter(&mut self, title: &str, act: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("\n── {}. {title}", self.chapters.len() + 1);
        let begun = Instant::now();
        act().with_context(|| format!("the demo stopped at: {title}"))?;
        self.chapters.push((title.to_owned(), begun.elapsed()));
        Ok(())
    }

    fn end(&self) {
        println!(
            "\n── The demo is complete: what was destroyed is back, proven to the last row, key, message and node"
        );
        for (title, took) in &self.chapters {
            println!("  {:>6.1} s  {title}", took.as_secs_f32());
        }
    }
}
