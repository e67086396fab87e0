//! Servers that know less of S3 than Amazon's, or want more.

use std::time::Duration;

use bytes::Bytes;
use stillpoint_adapters::repository::s3::{S3Repository, S3Settings};
use stillpoint_core::ports::{Key, Repository, RepositoryError};
use stillpoint_testkit::conformance::repository::read;
use stillpoint_testkit::s3_proxy::{Match, Rule, S3Proxy, What};
use tokio::task::JoinSet;

use crate::server;

const MIB: usize = 1 << 20;

fn key(name: &str) -> anyhow::Result<Key> {
    Ok(Key::of("2026-02-17_00-00-00".parse()?, name))
}

fn behind(what: What) -> anyhow::Result<(S3Proxy, S3Settings)> {
    let proxy = S3Proxy::start(server::start()?)?;
    proxy.fault(Rule::new(Match::default(), what));
    let mut settings = server::settings()?;
    settings.endpoint = Some(proxy.endpoint());
    Ok((proxy, settings))
}

/// Object Lock: the second try has a checksum, and from then on the first one.
#[tokio::test]
async fn a_bucket_that_wants_checksums_gets_them() -> anyhow::Result<()> {
    let (proxy, settings) = behind(What::WantsChecksum)?;
    let repository = S3Repository::open(&settings, None).await?;
    let first = repository.create(&key("small")?, Bytes::from("first")).await?;
    repository
        .replace(&key("small")?, Bytes::from("second"), &first)
        .await?;
    let mut upload = repository.upload(&key("large")?).await?;
    let whole = Bytes::from(vec![7; 12 * MIB]);
    upload.write(whole.clone()).await?;
    upload.complete().await?;
    assert_eq!(read(&repository, &key("small")?).await?, "second");
    assert_eq!(read(&repository, &key("large")?).await?, whole);
    let statuses: Vec<_> = proxy
        .seen()
        .into_iter()
        .filter(|seen| seen.method == "PUT")
        .map(|seen| seen.status)
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == Some(400)).count(),
        1,
        "{statuses:?}"
    );
    Ok(())
}

/// Backblaze B2: told at once, and with the setting that goes on without.
#[tokio::test]
async fn a_server_without_conditional_writes_is_named_and_goes_by_a_setting() -> anyhow::Result<()> {
    let (proxy, mut settings) = behind(What::UnknownConditions)?;
    let repository = S3Repository::open(&settings, None).await?;
    let refused = repository.create(&key("a")?, Bytes::from("first")).await.unwrap_err();
    assert!(matches!(refused, RepositoryError::NoConditions { .. }), "{refused:?}");
    assert!(refused.to_string().ends_with("(501)"), "{refused}");
    let puts = proxy.seen().into_iter().filter(|seen| seen.method == "PUT").count();
    assert_eq!(puts, 1, "it was asked again");

    settings.conditional_writes = false;
    let repository = S3Repository::open(&settings, None).await?;
    let first = repository.create(&key("a")?, Bytes::from("first")).await?;
    repository.replace(&key("a")?, Bytes::from("second"), &first).await?;
    let late = repository.replace(&key("a")?, Bytes::from("third"), &first).await;
    assert!(matches!(late, Err(RepositoryError::Changed { .. })), "{late:?}");
    Ok(())
}

/// Several producers at once, of which some stand still now and then: memory is short, and every part is full all the same.
#[tokio::test]
async fn parts_of_an_upload_have_one_size_however_short_memory_is() -> anyhow::Result<()> {
    let (proxy, settings) = behind(What::EqualParts)?;
    let repository = S3Repository::open(&settings, None).await?;
    let mut uploads = JoinSet::new();
    for number in 0..7_u8 {
        let repository = repository.clone();
        uploads.spawn(async move {
            let whole = Bytes::from(vec![number; 13 * MIB + usize::from(number) * 100_003]);
            let mut upload = repository.upload(&key(&number.to_string())?).await?;
            for (at, piece) in whole.chunks(130_043).enumerate() {
                upload.write(whole.slice_ref(piece)).await?;
                if at % 20 == usize::from(number) {
                    tokio::time::sleep(Duration::from_millis(10 * u64::from(number))).await;
                }
            }
            upload.complete().await?;
            anyhow::Ok(read(&repository, &key(&number.to_string())?).await? == whole)
        });
    }
    for arrived in uploads.join_all().await {
        assert!(arrived?, "other bytes came back");
    }
    let parts = proxy
        .seen()
        .into_iter()
        .filter(|seen| seen.query.contains("partNumber="));
    assert!(parts.count() >= 7 * 3, "nothing was sent in parts");
    Ok(())
}
