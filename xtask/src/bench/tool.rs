//! What is compared, as programs with arguments. What they are given is the same: a platform, a directory for backups, a
//! directory for temporary files. Nothing here measures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use stillpoint_testkit::seaweed;
use stillpoint_testkit::testbed::Testbed;

use super::usage::Places;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Stillpoint as it comes: the clients run again while the stores are drained.
    Pin,
    /// The clients wait until the stores are drained.
    Hold,
    /// As it comes, its backups in the platform's own object store.
    S3,
    /// The scripts.
    Classic,
}

/// A name that means something in the platform's own network alone: it is reached through the engine.
const S3_ENDPOINT: &str = "http://seaweedfs-s3:8333";

pub(super) struct Tool {
    pub(super) kind: Kind,
    program: PathBuf,
    folder: PathBuf,
    logs: PathBuf,
    project: String,
    /// What an operator tells it.
    told: Vec<(String, String)>,
}

impl Tool {
    /// Works below `bench/work`, which the caller removes.
    pub(super) fn stillpoint(kind: Kind, program: &Path, bench: &Path, testbed: &Testbed) -> Result<Self> {
        Self::new(kind, program.to_path_buf(), bench, testbed, testbed.logins())
    }

    /// The same.
    pub(super) fn classic(bench: &Path, testbed: &Testbed) -> Result<Self> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let scripts = own.parent().unwrap_or(own).join("benches/classic");
        let told = Testbed::for_scripts()?;
        let told = told.into_iter().map(|(name, value)| (name.to_owned(), value));
        Self::new(Kind::Classic, scripts, bench, testbed, told.collect())
    }

    fn new(kind: Kind, program: PathBuf, bench: &Path, testbed: &Testbed, told: Vec<(String, String)>) -> Result<Self> {
        let tool = Self {
            kind,
            program,
            folder: bench.join("work").join(format!("{kind:?}").to_lowercase()),
            logs: bench.join("logs"),
            project: testbed.project().to_owned(),
            told,
        };
        for place in [tool.repository(), tool.temporary(), tool.state(), tool.logs.clone()] {
            fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
        }
        Ok(tool)
    }

    /// The same, told more.
    pub(super) fn told(mut self, more: &[(&str, &str)]) -> Self {
        let more = more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.told.extend(more);
        self
    }

    fn repository(&self) -> PathBuf {
        self.folder.join("repository")
    }

    fn temporary(&self) -> PathBuf {
        self.folder.join("temporary")
    }

    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    pub(super) fn places(&self, layer: Option<PathBuf>) -> Places {
        Places {
            temporary: self.temporary(),
            state: Some(self.state()),
            layer,
        }
    }

    pub(super) fn backup(&self) -> Command {
        match self.kind {
            Kind::Pin => self.command(&self.program, &["backup", "--json", "--mode", "pin"]),
            Kind::Hold => self.command(&self.program, &["backup", "--json", "--mode", "hold"]),
            Kind::S3 => {
                let mut command = self.command(&self.program, &["backup", "--json"]);
                command
                    .env_remove("STILLPOINT_REPOSITORY")
                    .env("BACKUP_S3_ENDPOINT", S3_ENDPOINT)
                    .env("BACKUP_S3_ACCESS_KEY_ID", seaweed::BACKUP.id)
                    .env("BACKUP_S3_SECRET_ACCESS_KEY", seaweed::BACKUP.secret);
                command
            }
            Kind::Classic => {
                let repository = self.repository();
                let arguments = [&self.project, &*repository.to_string_lossy()];
                self.command(&self.program.join("backup.sh"), &arguments)
            }
        }
    }

    pub(super) fn restore(&self, backup: &str) -> Command {
        match self.kind {
            Kind::Pin | Kind::Hold | Kind::S3 => self.command(
                &self.program,
                &["restore", backup, "--confirm", backup, "--discard-old", "--json"],
            ),
            Kind::Classic => {
                let backup = self.repository().join(backup);
                let arguments = [&self.project, &*backup.to_string_lossy()];
                self.command(&self.program.join("restore.sh"), &arguments)
            }
        }
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(self.told.iter().map(|(name, value)| (name, value)))
            .env("TMPDIR", self.temporary())
            .env("STILLPOINT_PLATFORM", &self.project)
            .env("STILLPOINT_REPOSITORY", self.repository())
            .env("STILLPOINT_STATE_DIR", self.state())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// What it said, for whoever asks where the seconds went; stays after the measurement, beside the report.
    pub(super) fn keep_log(&self, name: &str, out: &[u8]) -> Result<()> {
        let path = self.logs.join(format!("{:?}-{name}.log", self.kind).to_lowercase());
        fs::write(&path, out).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The one backup that is there, of a tool that keeps it in a directory: its name and that directory.
    pub(super) fn only_backup(&self) -> Result<(String, PathBuf)> {
        let mut names = self.backups()?;
        let only = names.pop().filter(|_| names.is_empty());
        let name = only.with_context(|| format!("{} does not hold one backup", self.repository().display()))?;
        let path = self.repository().join(&name);
        Ok((name, path))
    }

    pub(super) fn remove_backups(&self) -> Result<()> {
        for name in self.backups()? {
            let path = self.repository().join(name);
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// Objects of the product that are no backup stand under names that begin with a dot.
    fn backups(&self) -> Result<Vec<String>> {
        let repository = self.repository();
        let entries = fs::read_dir(&repository).with_context(|| format!("cannot read {}", repository.display()))?;
        let names = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(names.filter(|name| !name.starts_with('.')).collect())
    }
}
