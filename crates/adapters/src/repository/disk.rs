//! What is done to the directory itself, past `object_store`: making, listing, removing, and the
//! syncs that make these durable. Every function that returns a future blocks a worker of its own.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use stillpoint_core::ports::Key;
use stillpoint_core::ports::repository::Entry;

pub(super) async fn blocking<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match tokio::task::spawn_blocking(act).await {
        Ok(outcome) => outcome,
        Err(join) => Err(io::Error::other(join)),
    }
}

/// Makes the directory and what is missing above it; durable when it returns.
pub(super) fn make_directory(dir: &Path) -> io::Result<()> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(io::Error::new(ErrorKind::NotADirectory, "it is not a directory")),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let missing: Vec<&Path> = dir.ancestors().take_while(|above| !above.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    for made in missing {
        sync(&parent(made))?;
    }
    Ok(())
}

/// Syncs the directories above the one that holds `file`, up to `root`: another call may have made
/// them, and died before it synced them.
pub(super) async fn sync_above(root: PathBuf, file: PathBuf) -> io::Result<()> {
    blocking(move || {
        let above = file.ancestors().skip(2);
        above.take_while(|dir| dir.starts_with(&root)).try_for_each(sync)
    })
    .await
}

/// Removes a file, or finds that it is gone; durable either way.
pub(super) async fn remove(file: PathBuf) -> io::Result<()> {
    blocking(move || {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        sync_unless_gone(&parent(&file))
    })
    .await
}

/// Of two who delete side by side, one may have removed the directory that the other has just emptied.
fn sync_unless_gone(dir: &Path) -> io::Result<()> {
    match sync(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        synced => synced,
    }
}

/// Removes an object's file, and the directories above it that hold nothing any more.
pub(super) async fn remove_object(root: PathBuf, file: PathBuf) -> io::Result<()> {
    remove(file.clone()).await?;
    blocking(move || {
        let above = file.ancestors().skip(1).take_while(|dir| **dir != *root);
        for dir in above {
            match fs::remove_dir(dir) {
                Ok(()) => sync_unless_gone(&parent(dir))?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // Something is in it, or it is not ours to remove: an empty directory is no object.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    })
    .await
}

/// Shuts out every other replacement in the directory of `file`, until the guard is dropped.
pub(super) async fn lock_directory(file: PathBuf) -> io::Result<File> {
    blocking(move || {
        let dir = File::open(parent(&file))?;
        dir.lock()?;
        Ok(dir)
    })
    .await
}

/// The time that a file gets which is written below `dir` now: on a network disk that is not ours.
pub(super) async fn clock(dir: PathBuf) -> io::Result<Timestamp> {
    blocking(move || {
        make_directory(&dir)?;
        // Named as what is being written, so that no listing shows it and a sweep removes it.
        let file = dir.join(format!("clock#{}", std::process::id()));
        fs::write(&file, b"?")?;
        let written = fs::metadata(&file).and_then(|found| found.modified());
        fs::remove_file(&file)?;
        timestamp(written?)
    })
    .await
}

fn timestamp(time: SystemTime) -> io::Result<Timestamp> {
    Timestamp::try_from(time).map_err(io::Error::other)
}

/// Bytes that an ordinary user can still write.
pub(crate) fn room(root: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(root)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Every object below `directory`. Names that are no UTF-8 are none of ours.
pub(super) async fn list(root: PathBuf, directory: String) -> io::Result<Vec<Entry>> {
    blocking(move || {
        let mut found = Vec::new();
        list_below(&root.join(&directory), &directory, &mut found)?;
        Ok(found)
    })
    .await
}

fn list_below(dir: &Path, name: &str, found: &mut Vec<Entry>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Ok(leaf) = entry.file_name().into_string() else {
            continue;
        };
        let name = if name.is_empty() {
            leaf
        } else {
            format!("{name}/{leaf}")
        };
        match fs::metadata(entry.path()) {
            Ok(meta) if meta.is_dir() => list_below(&entry.path(), &name, found)?,
            Ok(meta) if meta.is_file() && !is_no_object(&entry.file_name()) => found.push(Entry {
                key: Key::found(name),
                size: meta.len(),
                written: timestamp(meta.modified()?)?,
            }),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Removes what uploads to `file` have left beside it.
pub(super) async fn remove_staged(file: PathBuf) -> io::Result<()> {
    blocking(move || {
        let staged = |name: &OsStr| is_staged(name) && without_suffix(name) == file.file_name().and_then(OsStr::to_str);
        for entry in fs::read_dir(parent(&file))? {
            let entry = entry?;
            if staged(&entry.file_name()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    })
    .await
}

/// Removes what uploads have left anywhere below `dir`, if it exists.
pub(super) async fn remove_all_staged(dir: PathBuf) -> io::Result<()> {
    blocking(move || remove_staged_below(&dir)).await
}

fn remove_staged_below(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_staged_below(&entry.path())?;
        } else if is_staged(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The directories directly below `root` that hold an object.
///
/// Not by `object_store`: it lists empty directories too, and one name that is no UTF-8 fails it.
pub(super) async fn directories(root: PathBuf) -> io::Result<Vec<String>> {
    blocking(move || {
        let mut found = Vec::new();
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && holds_object(&entry.path())
            {
                found.push(name);
            }
        }
        Ok(found)
    })
    .await
}

/// Whether a directory holds an object, at any depth. One that cannot be read counts: whoever opens
/// what he expects there is told why, which a silent gap in a listing would not.
fn holds_object(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.any(|entry| entry.map_or(true, |entry| is_object(&entry))),
        Err(error) => !matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound),
    }
}

fn is_object(entry: &fs::DirEntry) -> bool {
    match fs::metadata(entry.path()) {
        Ok(found) if found.is_dir() => holds_object(&entry.path()),
        Ok(found) => found.is_file() && !is_no_object(&entry.file_name()),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// Whether it is none of the repository's objects.
fn is_no_object(name: &OsStr) -> bool {
    is_staged(name) || is_hidden(name)
}

/// Whether this is how FUSE and NFS name what was removed while somebody had it open.
fn is_hidden(name: &OsStr) -> bool {
    [".fuse_hidden", ".nfs"]
        .iter()
        .any(|hidden| name.as_encoded_bytes().starts_with(hidden.as_bytes()))
}

/// Whether this is how `object_store` names a file that is being written: `NAME#1`.
fn is_staged(name: &OsStr) -> bool {
    let suffix = name.to_str().and_then(|name| name.split_once('#'));
    suffix.is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn without_suffix(name: &OsStr) -> Option<&str> {
    name.to_str()?.split_once('#').map(|(name, _)| name)
}

pub(super) fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}

pub(super) fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
