//! Many uploads at once, and uploads that nobody ended.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use stillpoint_core::ports::{Key, Repository};
use stillpoint_testkit::conformance::repository::read;
use tokio::task::JoinSet;

use crate::server::{self, unfinished};

const MIB: usize = 1 << 20;

fn key(name: &str) -> anyhow::Result<Key> {
    Ok(Key::of("2026-02-17_00-00-00".parse()?, name))
}

/// Uploads `count` objects at once, each in pieces of an odd size, and reads each back.
async fn all_arrive(count: u8, size: usize) -> anyhow::Result<()> {
    let repository = server::repository().await?;
    let mut uploads = JoinSet::new();
    for number in 0..count {
        let repository = repository.clone();
        uploads.spawn(async move {
            let whole = Bytes::from(vec![number; size]);
            let mut upload = repository.upload(&key(&number.to_string())?).await?;
            for piece in whole.chunks(30_011) {
                upload.write(whole.slice_ref(piece)).await?;
                tokio::task::yield_now().await;
            }
            upload.complete().await?;
            anyhow::Ok(Sha256::digest(&whole) == Sha256::digest(read(&repository, &key(&number.to_string())?).await?))
        });
    }
    for arrived in uploads.join_all().await {
        assert!(arrived?, "other bytes came back");
    }
    Ok(())
}

#[tokio::test]
async fn two_hundred_small_uploads_at_once_all_arrive() -> anyhow::Result<()> {
    all_arrive(200, 100 << 10).await
}

#[tokio::test]
async fn eight_large_uploads_at_once_all_arrive() -> anyhow::Result<()> {
    all_arrive(8, 30 * MIB).await
}

#[tokio::test]
async fn what_nobody_ended_is_swept_and_nothing_else() -> anyhow::Result<()> {
    let settings = server::settings()?;
    let repository = stillpoint_adapters::repository::s3::S3Repository::open(&settings, None).await?;
    repository.create(&key("run.json")?, Bytes::from("{}")).await?;
    let other = Key::of("2026-02-18_00-00-00".parse()?, "b.dump");
    for key in [key("a.dump")?, key("50%25 we&ird.dump")?, other] {
        let mut upload = repository.upload(&key).await?;
        upload.write(Bytes::from(vec![7; 9 * MIB])).await?;
        drop(upload);
    }
    assert_eq!(unfinished(&settings.prefix)?, 3);
    repository.sweep("2026-02-17_00-00-00").await?;
    assert_eq!(unfinished(&settings.prefix)?, 1, "the other backup's");
    repository.sweep("2026-02-18_00-00-00").await?;
    repository.sweep("2026-02-18_00-00-00").await?;
    assert_eq!(unfinished(&settings.prefix)?, 0);
    assert_eq!(repository.list(None).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing_to_sweep() -> anyhow::Result<()> {
    let settings = server::settings()?;
    let repository = stillpoint_adapters::repository::s3::S3Repository::open(&settings, None).await?;
    for number in 0..8 {
        let mut upload = repository.upload(&key(&number.to_string())?).await?;
        upload.write(Bytes::from(vec![7; 17 * MIB])).await?;
        upload.abort().await?;
    }
    assert_eq!(unfinished(&settings.prefix)?, 0);
    Ok(())
}

#[tokio::test]
async fn keys_stand_in_the_store_as_the_manifest_writes_them() -> anyhow::Result<()> {
    let settings = server::settings()?;
    let repository = stillpoint_adapters::repository::s3::S3Repository::open(&settings, None).await?;
    let name = "a%20b%2Fc%25+&\"ü.dump";
    repository
        .create(&key(&format!("main/{name}"))?, Bytes::from("x"))
        .await?;
    let files = server::files(&format!("{}/2026-02-17_00-00-00/main", settings.prefix))?;
    assert_eq!(files, [name]);
    Ok(())
}

/// Without conditional writes two writers are not kept apart, but one alone still sees what is there.
#[tokio::test]
async fn without_conditional_writes_what_is_there_is_not_overwritten() -> anyhow::Result<()> {
    let mut settings = server::settings()?;
    settings.conditional_writes = false;
    let repository = stillpoint_adapters::repository::s3::S3Repository::open(&settings, None).await?;
    let first = repository.create(&key("a")?, Bytes::from("first")).await?;
    assert!(repository.create(&key("a")?, Bytes::from("again")).await.is_err());
    let second = repository.replace(&key("a")?, Bytes::from("second"), &first).await?;
    assert!(
        repository
            .replace(&key("a")?, Bytes::from("third"), &first)
            .await
            .is_err()
    );
    assert_eq!(repository.open(&key("a")?).await?.version, second);
    Ok(())
}
