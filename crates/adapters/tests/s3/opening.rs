//! What opening a repository finds out, and how it says so.

use anyhow::Context;
use secrecy::SecretString;
use stillpoint_adapters::repository::s3::{S3Repository, S3Settings};
use stillpoint_core::ports::{Key, Repository, RepositoryError};

use crate::between::{Between, Deed};
use crate::server::{self, settings};

async fn refused(settings: &S3Settings) -> anyhow::Result<RepositoryError> {
    let opened = S3Repository::open(settings, None).await;
    opened.err().context("it was opened")
}

#[tokio::test]
async fn an_unknown_key_is_refused_in_the_servers_words() -> anyhow::Result<()> {
    let mut settings = settings()?;
    settings.access_key_id = Some(SecretString::from("nobody"));
    let error = refused(&settings).await?;
    assert!(matches!(error, RepositoryError::Denied { .. }), "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains("InvalidAccessKeyId: ") && said.ends_with("(403)"),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_is_refused_in_the_servers_words() -> anyhow::Result<()> {
    let mut settings = settings()?;
    settings.secret_access_key = Some(SecretString::from("something else"));
    let error = refused(&settings).await?;
    assert!(matches!(error, RepositoryError::Denied { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("SignatureDoesNotMatch: "), "{said}");
    assert!(!said.contains("something else"), "{said}");
    Ok(())
}

#[tokio::test]
async fn without_a_key_nothing_is_asked() -> anyhow::Result<()> {
    let server = Between::start(None).await?;
    let mut settings = settings()?;
    settings.endpoint = Some(format!("http://{}", server.address));
    settings.secret_access_key = None;
    let error = refused(&settings).await?.to_string();
    assert!(error.contains("no access key is configured"), "{error}");
    assert!(server.seen.lock().unwrap().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_missing_bucket_is_not_made_unless_it_may_be() -> anyhow::Result<()> {
    let mut settings = settings()?;
    settings.bucket = format!("typo-{:08x}", rand::random::<u32>());
    settings.create_bucket = false;
    for _ in 0..2 {
        let error = refused(&settings).await?;
        let named = matches!(&error, RepositoryError::NoBucket { bucket, .. } if *bucket == settings.bucket);
        assert!(named, "{error:?}");
    }
    settings.create_bucket = true;
    S3Repository::open(&settings, None).await?;
    settings.create_bucket = false;
    S3Repository::open(&settings, None).await?;
    server::remove_bucket(&settings.bucket)
}

#[tokio::test]
async fn a_bucket_that_may_not_be_made_says_why() -> anyhow::Result<()> {
    let mut settings = settings()?;
    settings.bucket = "not-ours".into();
    settings.access_key_id = Some(SecretString::from("testbed-backup"));
    settings.secret_access_key = Some(SecretString::from("testbed-backup-secret"));
    let error = refused(&settings).await?.to_string();
    assert!(error.contains("AccessDenied"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() -> anyhow::Result<()> {
    let mut settings = settings()?;
    for (endpoint, cause) in [
        ("http://127.0.0.1:9", "Connection refused"),
        ("http://nowhere.invalid:8333", "lookup"),
    ] {
        settings.endpoint = Some(endpoint.into());
        let error = refused(&settings).await?;
        assert!(matches!(error, RepositoryError::Unreachable { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(cause) && said.len() < 160, "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() -> anyhow::Result<()> {
    type Spoil = fn(&mut S3Settings);
    let spoilt: [(Spoil, &str); 6] = [
        (
            |settings| settings.endpoint = Some("seaweed:8333".into()),
            "the endpoint",
        ),
        (
            |settings| settings.endpoint = Some("http://me:pass@host".into()),
            "the access key apart",
        ),
        (|settings| settings.bucket = "a/b".into(), "`a/b`"),
        (|settings| settings.prefix = "a//b".into(), "`a//b`"),
        (
            |settings| settings.ca_file = Some("/nowhere.pem".into()),
            "/nowhere.pem",
        ),
        (|settings| settings.ca_file = Some("/dev/null".into()), "no certificate"),
    ];
    for (spoil, named) in spoilt {
        let mut settings = settings()?;
        spoil(&mut settings);
        let error = refused(&settings).await?.to_string();
        assert!(error.contains(named) && !error.contains("pass@"), "{error}");
    }
    Ok(())
}

/// The server without an object store behind it, and settings that lead to it.
async fn actor() -> anyhow::Result<(Between, S3Settings)> {
    let server = Between::start(None).await?;
    let mut settings = settings()?;
    settings.endpoint = Some(format!("http://{}", server.address));
    Ok((server, settings))
}

#[tokio::test]
async fn a_bucket_of_another_region_names_it() -> anyhow::Result<()> {
    let (server, settings) = actor().await?;
    let answer = "301 Moved Permanently\r\nx-amz-bucket-region: eu-central-1";
    server.next("HEAD /backups ", 1, Deed::Answer(answer.into()));
    let error = refused(&settings).await?.to_string();
    assert!(error.contains("set BACKUP_S3_REGION=eu-central-1"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_malformed_region_is_told_as_the_server_tells_it() -> anyhow::Result<()> {
    let (server, settings) = actor().await?;
    server.next("HEAD ", 1, Deed::Answer("400 Bad Request".into()));
    let answer = "400 Bad Request\n\n<Error><Code>AuthorizationHeaderMalformed</Code>\
                  <Message>The region 'us-east-1' is wrong; expecting 'eu-west-1'</Message></Error>";
    server.next("GET ", 1, Deed::Answer(answer.into()));
    let error = refused(&settings).await?.to_string();
    assert!(error.contains("expecting 'eu-west-1'"), "{error}");
    Ok(())
}

#[tokio::test]
async fn clocks_that_differ_are_named() -> anyhow::Result<()> {
    let (server, settings) = actor().await?;
    server.next("HEAD ", 1, Deed::Answer("403 Forbidden".into()));
    let answer = "403 Forbidden\n\n<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the \
                  request time and the server's time is too large.</Message></Error>";
    server.next("GET ", 1, Deed::Answer(answer.into()));
    let error = refused(&settings).await?;
    assert!(matches!(error, RepositoryError::Denied { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("the clocks of this host and of the server differ"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_server_that_cannot_answer_is_asked_again() -> anyhow::Result<()> {
    let (server, settings) = actor().await?;
    server.next("HEAD ", 2, Deed::Answer("503 Slow Down".into()));
    server.next("HEAD ", 1, Deed::Answer("200 OK".into()));
    S3Repository::open(&settings, None).await?;
    assert_eq!(server.seen.lock().unwrap().len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_server_is_reached_where_it_is_dialled_and_keeps_its_name() -> anyhow::Result<()> {
    let store = server::address()?;
    let between = Between::start(Some(store)).await?;
    let mut settings = settings()?;
    settings.endpoint = Some("http://seaweedfs.platform:8333".into());
    let repository = S3Repository::open(&settings, Some(between.address)).await?;
    let key = Key::product("instance.json");
    repository.create(&key, "x".into()).await?;
    assert_eq!(repository.open(&key).await?.size, 1);
    let seen = between.seen.lock().unwrap().clone();
    let host = |head: &String| head.to_lowercase().contains("\r\nhost: seaweedfs.platform:8333\r\n");
    assert!(seen.len() >= 3 && seen.iter().all(host), "{seen:?}");
    let place = repository.place();
    let expected = format!("s3://backups/{} at http://seaweedfs.platform:8333", settings.prefix);
    assert_eq!(place, expected);
    Ok(())
}
