//! What every repository promises.
#![expect(missing_docs, reason = "each function's name is the sentence that it asserts")]
#![expect(clippy::unused_async, reason = "one macro makes the tests of all suites")]

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use stillpoint_core::names::{ArtifactName, BackupId};
use stillpoint_core::ports::repository::Version;
use stillpoint_core::ports::{Key, Repository, RepositoryError};

/// A repository under test, and whatever must live as long as it does.
pub struct Subject {
    /// The repository, empty.
    pub repository: Arc<dyn Repository>,
    /// Its directory or server.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

impl Subject {
    /// A subject that needs nothing else to live.
    pub fn new(repository: impl Repository + 'static) -> Self {
        Self::with(repository, ())
    }

    /// A subject that lives as long as `keep`.
    pub fn with(repository: impl Repository + 'static, keep: impl std::any::Any + Send + Sync) -> Self {
        Self {
            repository: Arc::new(repository),
            keep: Box::new(keep),
        }
    }
}

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! repository_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::repository,
            $make,
            [
                what_was_created_is_read_back,
                create_refuses_what_exists_and_leaves_it_alone,
                of_sixteen_creators_one_succeeds,
                what_was_replaced_has_another_version,
                what_has_changed_is_not_replaced,
                of_sixteen_replacers_one_succeeds,
                an_upload_is_invisible_before_it_completes,
                a_completed_upload_is_read_back,
                an_upload_does_not_overwrite,
                an_aborted_upload_leaves_nothing,
                an_abandoned_upload_leaves_no_object,
                after_an_abort_the_key_is_free,
                an_empty_object_is_an_object,
                a_large_object_survives_odd_pieces,
                percent_signs_stay_as_they_are,
                what_is_missing_cannot_be_opened,
                directories_are_those_that_hold_objects,
                a_listing_names_every_object_below,
                its_clock_is_the_one_that_dates_objects,
                room_is_told_or_not_known,
                deleting_twice_succeeds,
                the_last_object_takes_its_directory_with_it,
                deletions_side_by_side_get_in_nobodys_way,
                what_was_deleted_is_gone_and_can_be_created_again,
                a_reader_keeps_what_it_opened,
                a_range_is_read_of_the_version_that_was_seen,
                a_range_of_what_has_changed_is_refused,
                the_place_says_what_it_is,
            ]
        );
    };
}

const MIB: usize = 1 << 20;

fn key(name: &str) -> anyhow::Result<Key> {
    Ok(Key::of("2026-02-17_00-00-00".parse::<BackupId>()?, name))
}

/// Reads an object whole, and that its size is what was announced.
pub async fn read(repository: &dyn Repository, key: &Key) -> anyhow::Result<Bytes> {
    let object = repository.open(key).await?;
    let pieces: Vec<Bytes> = object.content.try_collect().await?;
    let whole = pieces.concat();
    ensure!(
        whole.len() as u64 == object.size,
        "{} bytes of {}",
        whole.len(),
        object.size
    );
    Ok(whole.into())
}

async fn write(repository: &dyn Repository, key: &Key, pieces: &[Bytes]) -> Result<(), RepositoryError> {
    let mut upload = repository.upload(key).await?;
    for piece in pieces {
        if let Err(error) = upload.write(piece.clone()).await {
            upload.abort().await?;
            return Err(error);
        }
    }
    upload.complete().await
}

async fn is_missing(repository: &dyn Repository, key: &Key) -> bool {
    matches!(repository.open(key).await, Err(RepositoryError::Missing { .. }))
}

/// Bytes that differ from place to place, so that a part in the wrong place shows.
fn pattern(size: usize) -> Bytes {
    let mut state = 0x9E37_79B9_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}

pub async fn what_was_created_is_read_back(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    repository.create(&key("run.json")?, Bytes::from("{}")).await?;
    ensure!(read(repository, &key("run.json")?).await? == "{}");
    Ok(())
}

pub async fn create_refuses_what_exists_and_leaves_it_alone(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    repository.create(&key("a")?, Bytes::from("first")).await?;
    let again = repository.create(&key("a")?, Bytes::from("second")).await;
    ensure!(matches!(again, Err(RepositoryError::Exists { .. })), "{again:?}");
    ensure!(read(repository, &key("a")?).await? == "first");
    Ok(())
}

pub async fn of_sixteen_creators_one_succeeds(subject: &Subject) -> anyhow::Result<()> {
    let contents: Vec<String> = (0..16).map(|number| format!("creator {number}").repeat(1000)).collect();
    let mut creators = tokio::task::JoinSet::new();
    for content in contents.clone() {
        let (repository, key) = (subject.repository.clone(), key("manifest.json")?);
        creators.spawn(async move { repository.create(&key, content.clone().into()).await.map(|_| content) });
    }
    let outcomes = creators.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    let only_exists = lost
        .iter()
        .all(|outcome| matches!(outcome, Err(RepositoryError::Exists { .. })));
    ensure!(won.len() == 1 && only_exists, "{} won; {lost:?}", won.len());
    let found = read(&*subject.repository, &key("manifest.json")?).await?;
    ensure!(won.into_iter().flatten().any(|winner| winner.as_bytes() == found));
    Ok(())
}

pub async fn what_was_replaced_has_another_version(subject: &Subject) -> anyhow::Result<()> {
    let (repository, key) = (&*subject.repository, Key::product("lease.json"));
    let mut versions = vec![repository.create(&key, Bytes::from("0")).await?];
    for round in 1..5 {
        let content = Bytes::from(round.to_string());
        let version = repository.replace(&key, content.clone(), &versions[round - 1]).await?;
        ensure!(!versions.contains(&version), "{version:?} twice");
        ensure!(
            repository.open(&key).await?.version == version,
            "another version is read"
        );
        ensure!(read(repository, &key).await? == content);
        versions.push(version);
    }
    Ok(())
}

pub async fn what_has_changed_is_not_replaced(subject: &Subject) -> anyhow::Result<()> {
    let (repository, key) = (&*subject.repository, Key::product("lease.json"));
    let first = repository.create(&key, Bytes::from("first")).await?;
    let second = repository.replace(&key, Bytes::from("second"), &first).await?;
    let stale = repository.replace(&key, Bytes::from("third"), &first).await;
    ensure!(matches!(stale, Err(RepositoryError::Changed { .. })), "{stale:?}");
    ensure!(read(repository, &key).await? == "second");
    repository.delete(&key).await?;
    let gone = repository.replace(&key, Bytes::from("fourth"), &second).await;
    ensure!(matches!(gone, Err(RepositoryError::Changed { .. })), "{gone:?}");
    ensure!(is_missing(repository, &key).await, "a replacement made it");
    Ok(())
}

pub async fn of_sixteen_replacers_one_succeeds(subject: &Subject) -> anyhow::Result<()> {
    let key = Key::product("lease.json");
    let was = subject.repository.create(&key, Bytes::from("0")).await?;
    let mut replacers = tokio::task::JoinSet::new();
    for number in 1..=16 {
        let (repository, key, was) = (subject.repository.clone(), key.clone(), was.clone());
        replacers.spawn(async move {
            repository
                .replace(&key, Bytes::from(format!("{number:02}")), &was)
                .await
        });
    }
    let outcomes = replacers.join_all().await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let changed = |outcome: &&Result<_, _>| matches!(outcome, Err(RepositoryError::Changed { .. }));
    let lost = outcomes.iter().filter(changed).count();
    ensure!((won, lost) == (1, 15), "{outcomes:?}");
    Ok(())
}

pub async fn an_upload_is_invisible_before_it_completes(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let key = key("big/one.dump")?;
    let mut upload = repository.upload(&key).await?;
    upload.write(pattern(9 * MIB)).await?;
    ensure!(is_missing(repository, &key).await, "seen while it is written");
    ensure!(repository.directories().await?.is_empty(), "its directory is seen");
    upload.complete().await?;
    ensure!(read(repository, &key).await?.len() == 9 * MIB);
    Ok(())
}

pub async fn a_completed_upload_is_read_back(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    write(repository, &key("a")?, &[Bytes::from("one "), Bytes::from("two")]).await?;
    ensure!(read(repository, &key("a")?).await? == "one two");
    Ok(())
}

pub async fn an_upload_does_not_overwrite(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    repository.create(&key("a")?, Bytes::from("first")).await?;
    let again = write(repository, &key("a")?, &[Bytes::from("second")]).await;
    ensure!(matches!(again, Err(RepositoryError::Exists { .. })), "{again:?}");
    ensure!(read(repository, &key("a")?).await? == "first");
    Ok(())
}

pub async fn an_aborted_upload_leaves_nothing(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let mut upload = repository.upload(&key("a")?).await?;
    upload.write(pattern(17 * MIB)).await?;
    upload.abort().await?;
    upload.abort().await.context("the second time")?;
    ensure!(is_missing(repository, &key("a")?).await);
    ensure!(repository.directories().await?.is_empty());
    let after = upload.complete().await;
    ensure!(
        after.is_err() && is_missing(repository, &key("a")?).await,
        "completed after its abort"
    );
    Ok(())
}

pub async fn an_abandoned_upload_leaves_no_object(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let mut upload = repository.upload(&key("a")?).await?;
    upload.write(pattern(9 * MIB)).await?;
    drop(upload);
    ensure!(is_missing(repository, &key("a")?).await);
    ensure!(repository.directories().await?.is_empty());
    Ok(())
}

pub async fn after_an_abort_the_key_is_free(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    repository.upload(&key("a")?).await?.abort().await?;
    write(repository, &key("a")?, &[Bytes::from("second try")]).await?;
    ensure!(read(repository, &key("a")?).await? == "second try");
    Ok(())
}

pub async fn an_empty_object_is_an_object(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    write(repository, &key("uploaded")?, &[]).await?;
    repository.create(&key("created")?, Bytes::new()).await?;
    for name in ["uploaded", "created"] {
        ensure!(read(repository, &key(name)?).await?.is_empty(), "{name}");
    }
    ensure!(repository.directories().await?.len() == 1);
    Ok(())
}

pub async fn a_large_object_survives_odd_pieces(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let whole = pattern(20 * MIB + 7);
    let (mut rest, mut pieces, mut size) = (whole.clone(), Vec::new(), 1);
    while !rest.is_empty() {
        pieces.push(rest.split_to(size.min(rest.len())));
        size = (size * 3 + 1) % (11 * MIB);
    }
    write(repository, &key("a")?, &pieces).await?;
    ensure!(read(repository, &key("a")?).await? == whole, "other bytes came back");
    Ok(())
}

pub async fn percent_signs_stay_as_they_are(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let backup: BackupId = "2026-02-17_00-00-00".parse()?;
    let names = ["a b.dump", "a%20b.dump", "a/b.dump", "50%.dump", "größe.dump", "."];
    for name in names {
        let name = ArtifactName::of(&["postgres-main", name]);
        let text = Bytes::from(name.to_string());
        write(repository, &Key::artifact(backup, &name), &[text]).await?;
    }
    for name in names {
        let name = ArtifactName::of(&["postgres-main", name]);
        let found = read(repository, &Key::artifact(backup, &name)).await?;
        ensure!(found == name.as_str(), "{name} holds {found:?}");
    }
    Ok(())
}

pub async fn what_is_missing_cannot_be_opened(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    ensure!(is_missing(repository, &key("nothing")?).await, "in an empty repository");
    repository.create(&key("some/thing")?, Bytes::from("x")).await?;
    ensure!(is_missing(repository, &key("nothing")?).await, "beside something");
    ensure!(is_missing(repository, &key("some")?).await, "a directory is no object");
    Ok(())
}

pub async fn directories_are_those_that_hold_objects(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    ensure!(repository.directories().await?.is_empty(), "an empty one");
    let backups = ["2026-02-17_00-00-00", "2026-02-18_00-00-00", "2026-02-19_00-00-00"];
    for backup in backups {
        let backup: BackupId = backup.parse()?;
        let deep = Key::of(backup, "deep/down.dump");
        repository.create(&deep, Bytes::from("x")).await?;
    }
    repository
        .create(&Key::product("instance.json"), Bytes::from("x"))
        .await?;
    repository
        .upload(&Key::of("2026-02-20_00-00-00".parse()?, "a"))
        .await?
        .abort()
        .await?;
    let gone = Key::of(backups[1].parse()?, "deep/down.dump");
    repository.delete(&gone).await?;
    let mut found = repository.directories().await?;
    found.sort();
    ensure!(found == [".stillpoint", backups[0], backups[2]], "{found:?}");
    Ok(())
}

pub async fn a_listing_names_every_object_below(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    ensure!(repository.list(None).await?.is_empty(), "an empty one");
    ensure!(
        repository.list(Some("2026-02-17_00-00-00")).await?.is_empty(),
        "none such"
    );
    let odd = ArtifactName::of(&["postgres-main", "we \"ird' db #1%.dump"]);
    for name in ["run.json", "store/a.dump", "store-2/a.dump", odd.as_str()] {
        repository.create(&key(name)?, Bytes::from("four")).await?;
    }
    repository
        .create(&Key::product("instance.json"), Bytes::from("x"))
        .await?;
    let mut upload = repository.upload(&key("store/b.dump")?).await?;
    upload.write(pattern(9 * MIB)).await?;
    let mut below = repository.list(Some("2026-02-17_00-00-00")).await?;
    below.sort();
    let names: Vec<_> = below.iter().map(|entry| entry.key.to_string()).collect();
    let mut expected =
        ["run.json", "store/a.dump", "store-2/a.dump", odd.as_str()].map(|name| format!("2026-02-17_00-00-00/{name}"));
    expected.sort();
    ensure!(names == expected, "{names:?}");
    ensure!(below.iter().all(|entry| entry.size == 4), "{below:?}");
    ensure!(repository.list(None).await?.len() == 5, "everything");
    for entry in below {
        ensure!(
            read(repository, &entry.key).await? == "four",
            "{} cannot be opened",
            entry.key
        );
    }
    upload.abort().await?;
    Ok(())
}

/// To two seconds: some clocks tell whole seconds only.
pub async fn its_clock_is_the_one_that_dates_objects(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let before = repository.clock().await?;
    repository.create(&key("a")?, Bytes::from("x")).await?;
    let written = repository.open(&key("a")?).await?.written;
    let listed = repository.list(None).await?;
    let after = repository.clock().await?;
    let slack = jiff::SignedDuration::from_secs(2);
    ensure!(
        before - slack <= written && written <= after + slack,
        "{before} {written} {after}"
    );
    ensure!(listed.len() == 1, "the clock is listed: {listed:?}");
    ensure!(listed[0].written.duration_since(written).abs() <= slack, "{listed:?}");
    Ok(())
}

pub async fn room_is_told_or_not_known(subject: &Subject) -> anyhow::Result<()> {
    let room = subject.repository.room().await?;
    ensure!(room.is_none_or(|bytes| bytes > 0), "{room:?}");
    Ok(())
}

/// Where there are directories; an object store has none.
pub async fn the_last_object_takes_its_directory_with_it(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    for name in ["deep/down/a", "deep/b"] {
        repository.create(&key(name)?, Bytes::from("x")).await?;
    }
    repository.delete(&key("deep/down/a")?).await?;
    ensure!(read(repository, &key("deep/b")?).await? == "x");
    repository.delete(&key("deep/b")?).await?;
    ensure!(repository.directories().await?.is_empty() && repository.list(None).await?.is_empty());
    write(repository, &key("deep/down/a")?, &[Bytes::from("again")]).await?;
    ensure!(read(repository, &key("deep/down/a")?).await? == "again");
    Ok(())
}

pub async fn deleting_twice_succeeds(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    repository.delete(&key("never/was")?).await.context("what never was")?;
    repository.create(&key("a")?, Bytes::from("x")).await?;
    repository.delete(&key("a")?).await?;
    repository.delete(&key("a")?).await.context("the second time")?;
    Ok(())
}

/// Whoever empties a directory may find that another has removed it, and those above it.
pub async fn deletions_side_by_side_get_in_nobodys_way(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let mut keys = Vec::new();
    for at in 0..100 {
        keys.push(key(&format!("deep/{}/{}/{at}/object", at % 3, at % 7))?);
    }
    for key in &keys {
        repository.create(key, Bytes::from_static(b"x")).await?;
    }
    let deletions = keys.iter().map(|key| repository.delete(key));
    for deleted in join_all(deletions).await {
        deleted?;
    }
    ensure!(repository.list(None).await?.is_empty());
    Ok(())
}

pub async fn what_was_deleted_is_gone_and_can_be_created_again(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    repository.create(&key("a")?, Bytes::from("old")).await?;
    repository.create(&key("b")?, Bytes::from("other")).await?;
    repository.delete(&key("a")?).await?;
    ensure!(is_missing(repository, &key("a")?).await);
    ensure!(read(repository, &key("b")?).await? == "other");
    repository.create(&key("a")?, Bytes::from("new")).await?;
    ensure!(read(repository, &key("a")?).await? == "new");
    Ok(())
}

/// A content never ends early without an error: here it may end well, or with an error.
pub async fn a_reader_keeps_what_it_opened(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let whole = pattern(3 * MIB);
    write(repository, &key("a")?, std::slice::from_ref(&whole)).await?;
    let mut object = repository.open(&key("a")?).await?;
    let mut read = object.content.next().await.context("a first piece")??.to_vec();
    repository.delete(&key("a")?).await?;
    loop {
        match object.content.next().await {
            Some(Ok(piece)) => read.extend_from_slice(&piece),
            Some(Err(_)) => return Ok(()),
            None => break,
        }
    }
    ensure!(read == whole, "it ended after {} bytes without an error", read.len());
    Ok(())
}

pub async fn the_place_says_what_it_is(subject: &Subject) -> anyhow::Result<()> {
    ensure!(!subject.repository.place().is_empty());
    Ok(())
}

/// Over a repository in which less than 6 MiB fit: the error says so and nothing is visible.
pub async fn a_full_repository_says_so(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let uploaded = write(repository, &key("uploaded")?, &[pattern(9 * MIB), pattern(9 * MIB)]).await;
    ensure!(matches!(uploaded, Err(RepositoryError::Full { .. })), "{uploaded:?}");
    let created = repository.create(&key("created")?, pattern(6 * MIB)).await;
    ensure!(matches!(created, Err(RepositoryError::Full { .. })), "{created:?}");
    ensure!(is_missing(repository, &key("uploaded")?).await && is_missing(repository, &key("created")?).await);
    ensure!(repository.directories().await?.is_empty());
    write(repository, &key("small")?, &[pattern(2 * MIB)])
        .await
        .context("nothing of the others takes space")
}

/// Over a repository that may be read but not written, and holds the object `a`.
pub async fn a_denied_repository_says_so(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let version = repository.open(&key("a")?).await?.version;
    for outcome in [
        repository.create(&key("b")?, Bytes::from("x")).await.map(drop),
        repository
            .replace(&key("a")?, Bytes::from("y"), &version)
            .await
            .map(drop),
        write(repository, &key("b")?, &[Bytes::from("x")]).await,
        repository.delete(&key("a")?).await,
    ] {
        ensure!(matches!(outcome, Err(RepositoryError::Denied { .. })), "{outcome:?}");
    }
    read(repository, &key("a")?).await.context("it may be read")?;
    Ok(())
}

/// The object that [`a_denied_repository_says_so`] wants to find: to be made while writing is allowed.
pub async fn before_it_is_denied(repository: &dyn Repository) -> anyhow::Result<()> {
    repository.create(&key("a")?, Bytes::from("x")).await?;
    Ok(())
}

async fn read_range(
    repository: &dyn Repository,
    key: &Key,
    was: &Version,
    range: Range<u64>,
) -> Result<Bytes, RepositoryError> {
    let content = repository.open_range(key, was, range).await?;
    let pieces: Vec<Bytes> = content.try_collect().await?;
    Ok(pieces.concat().into())
}

pub async fn a_range_is_read_of_the_version_that_was_seen(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let whole = pattern(3 * MIB + 7);
    write(repository, &key("a")?, &[whole.slice(..MIB), whole.slice(MIB..)]).await?;
    let was = repository.open(&key("a")?).await?.version;
    for range in [
        0..1,
        0..whole.len(),
        MIB - 1..2 * MIB + 3,
        whole.len() - 1..whole.len(),
        5..5,
    ] {
        let read = read_range(repository, &key("a")?, &was, range.start as u64..range.end as u64).await?;
        ensure!(read == whole[range.clone()], "{range:?}: {} bytes", read.len());
    }
    Ok(())
}

pub async fn a_range_of_what_has_changed_is_refused(subject: &Subject) -> anyhow::Result<()> {
    let repository = &*subject.repository;
    let key = key("a")?;
    let first = repository.create(&key, Bytes::from("first")).await?;
    let second = repository.replace(&key, Bytes::from("second"), &first).await?;
    let read = read_range(repository, &key, &first, 1..3).await;
    ensure!(matches!(read, Err(RepositoryError::Changed { .. })), "{read:?}");
    ensure!(read_range(repository, &key, &second, 1..3).await? == "ec");
    repository.delete(&key).await?;
    for range in [1..3, 2..2] {
        let read = read_range(repository, &key, &second, range).await;
        ensure!(matches!(read, Err(RepositoryError::Changed { .. })), "{read:?}");
    }
    Ok(())
}
