//! An artifact exists once whoever writes it has ended well, and never otherwise.

use std::sync::Arc;

use bytes::Bytes;
use stillpoint_core::events::Reporter;
use stillpoint_core::manifest::{FORMAT, RunRecord};
use stillpoint_core::names::{ArtifactName, BackupId, Project, RunId, StoreName};
use stillpoint_core::ports::RepositoryError;
use stillpoint_core::sink::{ArtifactWriter, Sink};
use stillpoint_core::stores::StoreError;
use stillpoint_testkit::recorder::Recorder;
use stillpoint_testkit::sample::{self, PLATFORM};
use stillpoint_testkit::{Method, World};

const OF: (&str, Option<&str>) = ("data", Some("orders"));

async fn begin(world: &World) -> anyhow::Result<Sink> {
    let site = world.site();
    let report = Reporter::new(
        RunId::new("run"),
        site.machine.clock.clone(),
        Arc::new(Recorder::default()),
    );
    let first = RunRecord {
        format: FORMAT,
        platform: Project::new(PLATFORM),
        run: RunId::new("run"),
        host: "here".into(),
        process: 1,
        began: site.machine.clock.now(),
    };
    Ok(site.backups.begin(id(), &first, &report).await?)
}

fn id() -> BackupId {
    BackupId::at(jiff::Timestamp::UNIX_EPOCH)
}

fn artifacts(world: &World) -> Vec<String> {
    let mut keys = world.repository.keys();
    keys.retain(|key| key.ends_with("db/data.dump"));
    keys
}

async fn put<T, E: From<RepositoryError>>(
    sink: &Sink,
    write: impl AsyncFnOnce(&mut ArtifactWriter) -> Result<T, E>,
) -> Result<T, E> {
    let name = ArtifactName::of(&["db", "data.dump"]);
    let (artifact, found) = sink.put(&StoreName::new("db"), name, OF, write).await?;
    assert_eq!((artifact.content.as_str(), artifact.of.as_deref()), OF);
    assert_eq!(artifact.size, 6);
    // SHA-256 of "abcdef".
    assert!(artifact.sha256.starts_with("bef57ec7f53a6d40"), "{}", artifact.sha256);
    Ok(found)
}

#[tokio::test(start_paused = true)]
async fn what_was_written_to_its_end_exists() -> anyhow::Result<()> {
    let world = sample::world();
    let sink = begin(&world).await?;
    let found = put(&sink, async |writer| {
        writer.write(Bytes::from("abc")).await?;
        writer.write(Bytes::from("def")).await?;
        Ok::<_, StoreError>(7)
    });
    assert_eq!(found.await?, 7);
    assert_eq!(artifacts(&world).len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn of_what_its_producer_gives_up_nothing_is_left() -> anyhow::Result<()> {
    let world = sample::world();
    let sink = begin(&world).await?;
    let given_up = put(&sink, async |writer| {
        writer.write(Bytes::from("abcdef")).await?;
        Err::<(), _>(StoreError::Cancelled)
    });
    assert!(matches!(given_up.await, Err(StoreError::Cancelled)));
    assert_eq!(artifacts(&world), Vec::<String>::new());
    assert_eq!(world.repository.unfinished(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_the_repository_refuses_ends_its_producer() -> anyhow::Result<()> {
    let world = sample::world();
    let sink = begin(&world).await?;
    for method in [Method::RepositoryUpload, Method::UploadWrite, Method::UploadComplete] {
        world.faults.on(method).fails();
        let mut goes_on = true;
        let refused = put(&sink, async |writer| {
            let written = writer.write(Bytes::from("abcdef")).await;
            goes_on = written.is_ok();
            written
        });
        assert!(refused.await.is_err(), "{method:?}");
        assert_eq!(goes_on, method == Method::UploadComplete, "{method:?}");
        assert_eq!(artifacts(&world), Vec::<String>::new());
        assert_eq!(world.repository.unfinished(), Vec::<String>::new());
    }
    Ok(())
}
