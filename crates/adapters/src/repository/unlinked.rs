//! Creating an object where the file system knows no hard links: it is written beside its place and renamed there, whole
//! and synced, by a rename that replaces nothing. Where that is unknown too (FUSE), whoever creates holds the directory's
//! lock meanwhile: of two on this host one succeeds, as with [`super::LocalRepository`]'s `replace`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::disk;

/// Fails with [`ErrorKind::AlreadyExists`] if it is there. Its directory exists, and is synced when this returns.
pub(super) async fn create(file: PathBuf, content: Bytes) -> io::Result<()> {
    disk::blocking(move || {
        let (mut staged, place) = stage(&file)?;
        let shown = staged
            .write_all(&content)
            .and_then(|()| staged.sync_all())
            .and_then(|()| show(&place, &file));
        if shown.is_err() {
            // The first error is the one that tells why; a sweep removes it later.
            drop(fs::remove_file(&place));
        }
        shown.and_then(|()| disk::sync(&disk::parent(&file)))
    })
    .await
}

/// A file beside its place, named as those of `object_store` are.
fn stage(file: &Path) -> io::Result<(File, PathBuf)> {
    for number in 1_u32.. {
        let mut place = file.as_os_str().to_owned();
        place.push(format!("#{number}"));
        match OpenOptions::new().write(true).create_new(true).open(&place) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return Ok((opened?, place.into())),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn show(staged: &Path, file: &Path) -> io::Result<()> {
    match renameat_with(CWD, staged, CWD, file, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => show_locked(staged, file),
        renamed => Ok(renamed?),
    }
}

fn show_locked(staged: &Path, file: &Path) -> io::Result<()> {
    let directory = File::open(disk::parent(file))?;
    directory.lock()?;
    if fs::exists(file)? {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::rename(staged, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways of showing, on a file system that knows either.
    #[test]
    fn what_is_there_is_never_replaced() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        for (name, show) in [("a", show as fn(&Path, &Path) -> io::Result<()>), ("b", show_locked)] {
            let file = dir.path().join(name);
            for (content, created) in [("first", true), ("second", false)] {
                let (mut staged, place) = stage(&file)?;
                staged.write_all(content.as_bytes())?;
                let shown = show(&place, &file).map_err(|error| error.kind());
                assert_eq!(
                    shown,
                    if created { Ok(()) } else { Err(ErrorKind::AlreadyExists) },
                    "{name}"
                );
                assert_eq!(fs::read(&file)?, b"first", "{name}");
            }
        }
        Ok(())
    }

    #[tokio::test]
    async fn of_many_that_create_the_same_one_succeeds_and_nothing_else_is_left() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("a");
        let tries = (0..16_u8).map(|number| create(file.clone(), Bytes::from(vec![number; 1000])));
        let tries: Vec<_> = tries.map(tokio::spawn).collect();
        let mut created = Vec::new();
        for (number, tried) in (0..).zip(tries) {
            if tried.await?.is_ok() {
                created.push(vec![number; 1000]);
            }
        }
        assert_eq!(created, [fs::read(&file)?]);
        assert_eq!(fs::read_dir(dir.path())?.count(), 1);
        Ok(())
    }
}
