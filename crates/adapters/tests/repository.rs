//! The local directory keeps every promise of a repository.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use stillpoint_adapters::repository::LocalRepository;
use stillpoint_core::names::BackupId;
use stillpoint_core::ports::{Key, Repository, RepositoryError};
use stillpoint_testkit::conformance::repository::{self as suite, Subject};
use stillpoint_testkit::disks::SmallDisk;
use stillpoint_testkit::repository_conformance;

fn subject() -> anyhow::Result<Subject> {
    let dir = tempfile::tempdir()?;
    Ok(Subject::with(LocalRepository::open(dir.path())?, dir))
}

repository_conformance!(subject());

/// On a disk that knows no hard links, and no rename that replaces nothing.
mod without_links {
    use super::*;

    fn subject() -> anyhow::Result<Subject> {
        let Some(disk) = SmallDisk::without_links(128 << 20)? else {
            return super::subject();
        };
        assert!(
            fs::hard_link(file(&disk)?, disk.path().join("link")).is_err(),
            "it knows hard links"
        );
        fs::remove_file(file(&disk)?)?;
        Ok(Subject::with(LocalRepository::open(disk.path())?, disk))
    }

    fn file(disk: &SmallDisk) -> anyhow::Result<std::path::PathBuf> {
        let file = disk.path().join("file");
        fs::write(&file, "")?;
        Ok(file)
    }

    repository_conformance!(subject());
}

fn key(name: &str) -> Key {
    Key::of(BackupId::at(Timestamp::constant(1_771_286_400, 0)), name)
}

#[tokio::test]
async fn a_full_disk_is_named_and_leaves_nothing() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount(4 << 20)? else {
        return Ok(());
    };
    let subject = Subject::with(LocalRepository::open(disk.path())?, disk);
    suite::a_full_repository_says_so(&subject).await
}

#[tokio::test]
async fn a_read_only_disk_is_named() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount(4 << 20)? else {
        return Ok(());
    };
    let repository = LocalRepository::open(disk.path())?;
    suite::before_it_is_denied(&repository).await?;
    disk.make_read_only()?;
    let below = LocalRepository::open(disk.path().join("new"));
    assert!(matches!(below, Err(RepositoryError::Denied { .. })), "{below:?}");
    suite::a_denied_repository_says_so(&Subject::with(repository, disk)).await
}

#[tokio::test]
async fn names_stand_on_the_disk_as_the_manifest_writes_them() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let repository = LocalRepository::open(dir.path())?;
    repository
        .create(&key("main/a%20b%2Fc%25.dump"), Bytes::from("x"))
        .await?;
    assert!(dir.path().join("2026-02-17_00-00-00/main/a%20b%2Fc%25.dump").is_file());
    Ok(())
}

#[test]
fn a_missing_directory_is_made_for_its_owner_alone() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let deep = dir.path().join("some/where");
    let repository = LocalRepository::open(&deep)?;
    assert_eq!(fs::metadata(&deep)?.permissions().mode() & 0o777, 0o700);
    assert_eq!(repository.place(), format!("local directory {}", deep.display()));
    Ok(())
}

#[test]
fn a_file_is_no_repository() -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    for path in [file.path().to_owned(), file.path().join("below")] {
        let error = LocalRepository::open(&path).unwrap_err().to_string();
        assert!(error.contains("irectory"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_killed_upload_left_is_no_object() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let repository = LocalRepository::open(dir.path())?;
    let left = dir.path().join("2026-02-17_00-00-00");
    fs::create_dir(&left)?;
    fs::write(left.join("neo4j.dump#1"), "half")?;
    assert!(repository.directories().await?.is_empty());
    let opened = repository.open(&key("neo4j.dump")).await.map(|object| object.size);
    assert!(matches!(opened, Err(RepositoryError::Missing { .. })), "{opened:?}");
    let mut upload = repository.upload(&key("neo4j.dump")).await?;
    upload.write(Bytes::from("whole")).await?;
    upload.complete().await?;
    assert_eq!(suite::read(&repository, &key("neo4j.dump")).await?, "whole");
    Ok(())
}

#[tokio::test]
async fn an_upload_that_cannot_complete_leaves_no_file() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let repository = LocalRepository::open(dir.path())?;
    let mut upload = repository.upload(&key("taken")).await?;
    upload.write(Bytes::from("x")).await?;
    fs::create_dir(dir.path().join("2026-02-17_00-00-00/taken"))?;
    assert!(upload.complete().await.is_err());
    let left: Vec<_> = fs::read_dir(dir.path().join("2026-02-17_00-00-00"))?
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["taken"]);
    Ok(())
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_ends_with_an_error() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let repository = LocalRepository::open(dir.path())?;
    repository.create(&key("a"), Bytes::from(vec![7; 3 << 20])).await?;
    let object = repository.open(&key("a")).await?;
    let file = fs::File::options()
        .write(true)
        .open(dir.path().join("2026-02-17_00-00-00/a"))?;
    file.set_len(2 << 20)?;
    let read: Result<Vec<Bytes>, _> = object.content.try_collect().await;
    assert!(matches!(read, Err(RepositoryError::Failed { .. })), "{read:?}");
    Ok(())
}

#[tokio::test]
async fn foreign_names_do_not_hide_the_backups() -> anyhow::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir()?;
    let repository = LocalRepository::open(dir.path())?;
    repository.create(&key("run.json"), Bytes::from("{}")).await?;
    for name in [&b"not utf-8 \xff"[..], b"new\nline", b"#1"] {
        let foreign = dir.path().join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir(&foreign)?;
        std::os::unix::fs::symlink("/nowhere", foreign.join("broken"))?;
    }
    fs::write(dir.path().join("a file"), "x")?;
    assert_eq!(repository.directories().await?, ["2026-02-17_00-00-00"]);
    Ok(())
}
