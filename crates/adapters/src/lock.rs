//! Locks among the processes of one host: one empty file for each platform, locked as a whole by
//! `flock(2)`. The file is never removed and says nothing: only the lock on it counts, and the
//! kernel drops that with the last descriptor of the process that took it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use stillpoint_core::names::{Project, escape};
use stillpoint_core::ports::lock::LockError;
use stillpoint_core::ports::{Guard, Locks};

/// Lock files in one directory.
#[derive(Clone, Debug)]
pub struct FileLocks {
    dir: PathBuf,
}

/// Keeps the descriptor open, and thereby the lock.
struct Held {
    _file: File,
}

impl Guard for Held {}

impl FileLocks {
    /// Locks in `dir`, which is made for this user alone when the first lock is taken. It should
    /// be on a local disk: over a network the lock of a dead host may outlive it.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn path(&self, platform: &Project) -> PathBuf {
        self.dir.join(format!("{}.lock", escape(platform.as_str())))
    }
}

impl Locks for FileLocks {
    fn take(&self, platform: &Project) -> Result<Option<Box<dyn Guard>>, LockError> {
        let path = self.path(platform);
        let failed = |cause: io::Error| LockError {
            path: path.display().to_string(),
            cause: cause.to_string(),
        };
        let file = open(&self.dir, &path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(Held { _file: file }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    fn lives(&self, process: u32, at: Timestamp) -> bool {
        let own = Process::read("self");
        let other = Process::read(&process.to_string());
        match (own, other) {
            (Some(own), Some(other)) => {
                let began_later = other.began.as_second() > at.as_second().saturating_add(BOOT_ROUNDED);
                own.name == other.name && !other.is_dead && !began_later
            }
            _ => false,
        }
    }
}

/// The time of the host's start is told in whole seconds, and moves with the clock: by less than this many seconds.
const BOOT_ROUNDED: i64 = 5;

/// Of what `/proc/<pid>/stat` counts, so many make a second for every program (proc(5), `sysconf(_SC_CLK_TCK)`).
const TICKS: u64 = 100;

/// What the kernel says of a process.
struct Process {
    name: String,
    /// It has ended, and its parent has not noticed.
    is_dead: bool,
    began: Timestamp,
}

impl Process {
    fn read(process: &str) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let host = std::fs::read_to_string("/proc/stat").ok()?;
        let booted = host.lines().find_map(|line| line.strip_prefix("btime "))?;
        Self::of(&stat, booted.trim().parse().ok()?)
    }

    /// `pid (name) state ppid …`; the name may hold anything, and the start is the 22nd field (proc(5)).
    fn of(stat: &str, booted: i64) -> Option<Self> {
        let (before, after) = stat.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let mut fields = after.split_whitespace();
        let state = fields.next()?;
        let ticks: u64 = fields.nth(18)?.parse().ok()?;
        let up = i64::try_from(ticks / TICKS).ok()?;
        Some(Self {
            name: name.to_owned(),
            is_dead: matches!(state, "Z" | "X"),
            began: Timestamp::from_second(booted.checked_add(up)?).ok()?,
        })
    }
}

fn open(dir: &Path, path: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let stat = "77 (a) b) c) S 1 77 77 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 3 0 12345 1000 10 18446744073709551615";
        let process = Process::of(stat, 1_000).unwrap();
        assert_eq!((process.name.as_str(), process.is_dead), ("a) b) c", false));
        assert_eq!(process.began.as_second(), 1_123);
        assert!(Process::of(&stat.replace(" S ", " Z "), 0).unwrap().is_dead);
    }
}
