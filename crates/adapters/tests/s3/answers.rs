//! Answers that are lost, and answers that say no, in the middle of a write.

use bytes::Bytes;
use stillpoint_adapters::repository::s3::S3Repository;
use stillpoint_core::ports::{Key, Repository, RepositoryError};
use stillpoint_testkit::conformance::repository::read;

use crate::between::{Between, Deed};
use crate::server::{self, settings, unfinished};

const MIB: usize = 1 << 20;

struct Subject {
    repository: S3Repository,
    between: Between,
    prefix: String,
    key: Key,
}

async fn subject() -> anyhow::Result<Subject> {
    let between = Between::start(Some(server::address()?)).await?;
    let mut settings = settings()?;
    settings.endpoint = Some(format!("http://{}", between.address));
    Ok(Subject {
        repository: S3Repository::open(&settings, None).await?,
        between,
        prefix: settings.prefix,
        key: Key::of("2026-02-17_00-00-00".parse()?, "a"),
    })
}

#[tokio::test]
async fn a_creator_whose_answer_was_lost_has_created() -> anyhow::Result<()> {
    let Subject {
        repository,
        between,
        key,
        ..
    } = subject().await?;
    between.next("PUT ", 1, Deed::LoseAnswer);
    let version = repository.create(&key, Bytes::from("mine")).await?;
    let puts = between
        .seen
        .lock()
        .unwrap()
        .iter()
        .filter(|head| head.starts_with("PUT "))
        .count();
    assert_eq!(puts, 2, "nothing was asked again");
    assert_eq!(repository.open(&key).await?.version, version);
    assert_eq!(read(&repository, &key).await?, "mine");
    let again = repository.create(&key, Bytes::from("mine")).await;
    assert!(matches!(again, Err(RepositoryError::Exists { .. })), "{again:?}");
    Ok(())
}

#[tokio::test]
async fn a_replacement_whose_answer_was_lost_has_replaced() -> anyhow::Result<()> {
    let Subject {
        repository,
        between,
        key,
        ..
    } = subject().await?;
    let first = repository.create(&key, Bytes::from("first")).await?;
    between.next("PUT ", 1, Deed::LoseAnswer);
    let second = repository.replace(&key, Bytes::from("second"), &first).await?;
    assert_eq!(repository.open(&key).await?.version, second);
    assert_eq!(read(&repository, &key).await?, "second");
    Ok(())
}

#[tokio::test]
async fn a_conflict_that_left_nothing_is_asked_again() -> anyhow::Result<()> {
    let Subject {
        repository,
        between,
        key,
        ..
    } = subject().await?;
    between.next("PUT ", 1, Deed::Answer("409 Conflict".into()));
    repository.create(&key, Bytes::from("mine")).await?;
    assert_eq!(read(&repository, &key).await?, "mine");
    Ok(())
}

#[tokio::test]
async fn an_upload_whose_last_answer_was_lost_is_complete() -> anyhow::Result<()> {
    for size in [3, 9 * MIB] {
        let Subject {
            repository,
            between,
            key,
            prefix,
        } = subject().await?;
        let mut upload = repository.upload(&key).await?;
        upload.write(Bytes::from(vec![7; size])).await?;
        let last = if size < MIB { "PUT " } else { "POST " };
        between.next(last, 1, Deed::LoseAnswer);
        upload.complete().await?;
        assert_eq!(read(&repository, &key).await?.len(), size);
        assert_eq!(unfinished(&prefix)?, 0);
    }
    Ok(())
}

const DENIED: &str = "403 Forbidden\n\n<Error><Code>AccessDenied</Code><Message>Not you.</Message></Error>";

#[tokio::test]
async fn an_upload_that_cannot_complete_leaves_nothing() -> anyhow::Result<()> {
    let Subject {
        repository,
        between,
        key,
        prefix,
    } = subject().await?;
    let mut upload = repository.upload(&key).await?;
    upload.write(Bytes::from(vec![7; 9 * MIB])).await?;
    between.next("POST ", 1, Deed::Answer(DENIED.into()));
    let error = upload.complete().await.unwrap_err();
    assert!(matches!(error, RepositoryError::Denied { .. }), "{error:?}");
    assert!(error.to_string().ends_with("AccessDenied: Not you (403)"), "{error}");
    assert!(matches!(
        repository.open(&key).await.map(drop),
        Err(RepositoryError::Missing { .. })
    ));
    assert_eq!(unfinished(&prefix)?, 0);
    upload.abort().await?;
    Ok(())
}

#[tokio::test]
async fn a_lost_part_breaks_its_upload() -> anyhow::Result<()> {
    let Subject {
        repository,
        between,
        key,
        prefix,
    } = subject().await?;
    between.next("PUT ", 1, Deed::Answer(DENIED.into()));
    let mut upload = repository.upload(&key).await?;
    let part = Bytes::from(vec![7; 8 * MIB]);
    let mut written = Ok(());
    for _ in 0..3 {
        if written.is_ok() {
            written = upload.write(part.clone()).await;
        }
    }
    assert!(upload.complete().await.is_err());
    upload.abort().await?;
    assert_eq!(unfinished(&prefix)?, 0);
    assert!(repository.list(None).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_object_of_another_size_than_was_written_is_an_error() -> anyhow::Result<()> {
    let Subject {
        repository,
        between,
        key,
        ..
    } = subject().await?;
    let mut upload = repository.upload(&key).await?;
    upload.write(Bytes::from("four")).await?;
    between.next("PUT ", 1, Deed::Answer("200 OK\r\nETag: \"x\"".into()));
    let error = upload.complete().await.unwrap_err();
    assert!(
        error.to_string().contains("it was written, and is not there"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn what_may_not_be_deleted_is_told() -> anyhow::Result<()> {
    let Subject {
        repository,
        between,
        key,
        ..
    } = subject().await?;
    repository.create(&key, Bytes::from("x")).await?;
    between.next("DELETE ", 1, Deed::Answer(DENIED.into()));
    let error = repository.delete(&key).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Denied { .. }), "{error:?}");
    assert_eq!(read(&repository, &key).await?, "x");
    Ok(())
}

#[tokio::test]
async fn a_full_store_is_told() -> anyhow::Result<()> {
    let Subject {
        repository,
        between,
        key,
        ..
    } = subject().await?;
    let full = "400 Bad Request\n\n<Error><Code>QuotaExceeded</Code><Message>No more.</Message></Error>";
    between.next("PUT ", 1, Deed::Answer(full.into()));
    let error = repository.create(&key, Bytes::from("x")).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Full { .. }), "{error:?}");
    Ok(())
}

/// Pages of more than a thousand are made by hand.
#[tokio::test]
async fn a_sweep_reads_every_page() -> anyhow::Result<()> {
    let Subject {
        repository,
        between,
        prefix,
        ..
    } = subject().await?;
    let page = |id: &str, more: bool| {
        Deed::Answer(format!(
            "200 OK\n\n<ListMultipartUploadsResult><IsTruncated>{more}</IsTruncated>\
             <NextKeyMarker>{prefix}/d/a&amp;b</NextKeyMarker><NextUploadIdMarker>{id}</NextUploadIdMarker>\
             <Upload><Key>{prefix}/d/a&amp;b</Key><UploadId>{id}</UploadId></Upload>\
             <Upload><Key>elsewhere/d/a</Key><UploadId>foreign</UploadId></Upload></ListMultipartUploadsResult>"
        ))
    };
    between.next("GET /backups?uploads", 1, page("one", true));
    between.next("GET /backups?uploads", 1, page("two", false));
    between.next("DELETE ", 2, Deed::Answer("204 No Content".into()));
    repository.sweep("d").await?;
    let seen = between.seen.lock().unwrap().clone();
    let first_lines: Vec<_> = seen.iter().filter_map(|head| head.lines().next()).collect();
    let deleted = first_lines.iter().filter(|line| line.starts_with("DELETE "));
    assert_eq!(
        deleted
            .filter(|line| line.contains("uploadId=one") || line.contains("uploadId=two"))
            .count(),
        2
    );
    assert!(
        first_lines.iter().any(|line| line.contains("upload-id-marker=one")),
        "{first_lines:?}"
    );
    assert!(
        !first_lines.iter().any(|line| line.contains("foreign")),
        "{first_lines:?}"
    );
    Ok(())
}
