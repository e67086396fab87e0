//! Locks among the processes of one host: one empty file for each platform, locked as a whole by
//! `flock(2)`. The file is never removed and says nothing: only the lock on it counts, and the
//! kernel drops that with the last descriptor of the process that took it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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
