//! The two sides of every comparison: the product's repository, and the crate below it as its own manual says
//! to use it. Both sign, and both reach the same bucket.

use std::sync::Arc;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Location;
use secrecy::SecretString;
use stillpoint_adapters::clock::SystemClock;
use stillpoint_adapters::repository::s3::{S3Repository, S3Settings};
use stillpoint_adapters::workers::Threads;
use stillpoint_core::backups::Backups;
use stillpoint_core::events::{Event, Listener, Reporter};
use stillpoint_core::manifest::{Artifact, FORMAT, RunRecord};
use stillpoint_core::names::{ArtifactName, BackupId, Project, RunId, StoreName};
use stillpoint_core::ports::RepositoryError;
use stillpoint_core::sink::{ArtifactWriter, Sink};
use stillpoint_testkit::seaweed::{ADMIN, BUCKET, REGION};

use super::source::Source;
use super::step::Asked;

pub(super) async fn repository(asked: &Asked) -> Result<S3Repository> {
    let settings = S3Settings {
        endpoint: Some(asked.endpoint.clone()),
        region: REGION.to_owned(),
        bucket: BUCKET.to_owned(),
        prefix: asked.prefix.clone(),
        access_key_id: Some(SecretString::from(ADMIN.id)),
        secret_access_key: Some(SecretString::from(ADMIN.secret)),
        ca_file: None,
        path_style: true,
        create_bucket: false,
        conditional_writes: true,
        part: 0,
    };
    Ok(S3Repository::open(&settings, None).await?)
}

pub(super) async fn backups(asked: &Asked) -> Result<Backups> {
    Ok(Backups::new(Arc::new(repository(asked).await?), Arc::new(Threads)))
}

pub(super) fn bare(asked: &Asked) -> Result<AmazonS3> {
    // The crate's own client asks for one even where nothing is encrypted. It fails only if there is one already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let bare = AmazonS3Builder::new()
        .with_endpoint(&asked.endpoint)
        .with_allow_http(true)
        .with_region(REGION)
        .with_bucket_name(BUCKET)
        .with_access_key_id(ADMIN.id)
        .with_secret_access_key(ADMIN.secret)
        .build();
    Ok(bare?)
}

/// A place below the prefix.
pub(super) fn location(asked: &Asked, name: &str) -> Result<Location> {
    Ok(Location::parse(format!("{}/{name}", asked.prefix))?)
}

/// The backup to which a measurement writes.
pub(super) fn backup() -> BackupId {
    BackupId::at(Timestamp::UNIX_EPOCH)
}

pub(super) fn store() -> StoreName {
    StoreName::new("postgres-main")
}

pub(super) fn artifact(name: &str) -> ArtifactName {
    ArtifactName::of(&["postgres-main", name])
}

struct Nobody;

impl Listener for Nobody {
    fn hear(&self, _: &Event) {}
}

/// Writes an artifact of these pieces, as a store does.
pub(super) async fn put(sink: &Sink, name: ArtifactName, pieces: Source) -> Result<Artifact> {
    let write = async |writer: &mut ArtifactWriter| {
        for piece in pieces {
            writer.write(piece).await?;
        }
        Ok::<_, RepositoryError>(())
    };
    Ok(sink.put(&store(), name, ("database", None), write).await?.0)
}

/// The intake of a backup that has begun, as a run has it.
pub(super) async fn sink(asked: &Asked) -> Result<Sink> {
    let run = RunId::new("bench");
    let report = Reporter::new(run.clone(), Arc::new(SystemClock::new()), Arc::new(Nobody));
    let record = RunRecord {
        format: FORMAT,
        platform: Project::new("bench"),
        run,
        host: "bench".to_owned(),
        process: std::process::id(),
        began: Timestamp::UNIX_EPOCH,
    };
    Ok(backups(asked).await?.begin(backup(), &record, &report).await?)
}

pub(super) fn must_be(what: &str, found: u64, expected: u64) -> Result<()> {
    ensure!(found == expected, "{what}: {found}, expected {expected}");
    Ok(())
}
