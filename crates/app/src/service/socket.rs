//! The socket of the service, in the state directory: its permissions say who may ask the service for anything.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

const SOCKET: &str = "service.sock";
/// No Compose project has a dot in its name, after which the locks of platforms are called.
const LOCK: &str = "service.sock.lock";

/// Where it is.
pub(super) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(SOCKET)
}

/// The socket of the only service of a state directory.
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    /// Held as long as the service lives; the kernel frees it with the process.
    _alone: File,
}

/// Opens it. None: another service has it.
pub(super) fn open(state_dir: &Path) -> io::Result<Option<Socket>> {
    DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
    let alone = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(state_dir.join(LOCK))?;
    match alone.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let path = path(state_dir);
    // Whoever left it is dead: we have its lock.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = bind_privately(state_dir, &path)?;
    Ok(Some(Socket {
        listener,
        _alone: alone,
    }))
}

/// A socket has the permissions of its process's mask when it is made, so it is made where nobody else can look, and moved.
fn bind_privately(state_dir: &Path, path: &Path) -> io::Result<UnixListener> {
    let folder = state_dir.join("service.new");
    let _ = std::fs::remove_dir_all(&folder);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let made = folder.join("s");
    let listener = UnixListener::bind(&made)?;
    std::fs::set_permissions(&made, Permissions::from_mode(0o600))?;
    std::fs::rename(&made, path)?;
    std::fs::remove_dir(&folder)?;
    Ok(listener)
}
