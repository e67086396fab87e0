//! Reading back for a restore.

use anyhow::{Result, ensure};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use stillpoint_adapters::gateway::Serving;
use stillpoint_core::ports::Key;
use stillpoint_core::ports::gateway::{Place, Recorded, Serving as _, Verified};

use crate::bench::{Bench, LOCALHOST, PREFIX, client, path, pattern, verify};
use crate::wire;

async fn written(bench: Bench) -> Result<(Bench, Vec<Recorded>)> {
    let client = bench.client()?;
    client.put(&path("a")?, pattern(1, 3 << 20).into()).await?;
    client.put(&path("b/c")?, "small".into()).await?;
    client.put(&path("empty")?, Vec::new().into()).await?;
    client.put(&path("unlisted")?, "x".into()).await?;
    let recorded = [
        ("a", pattern(1, 3 << 20)),
        ("b/c", "small".into()),
        ("empty", "".into()),
    ];
    let recorded = recorded.map(|(name, content)| Recorded {
        name: format!("{PREFIX}/{name}"),
        size: content.len() as u64,
        sha256: crate::bench::sha256(&content),
    });
    Ok((bench, recorded.into()))
}

async fn verified(place: &Place, recorded: &[Recorded]) -> Result<Vec<Verified>> {
    let mut verified = Vec::new();
    for object in recorded {
        verified.push(verify(place, object.clone()).await?);
    }
    Ok(verified)
}

pub(crate) async fn exactly_what_was_recorded_is_served(bench: Bench) -> Result<()> {
    let (bench, recorded) = written(bench).await?;
    let place = bench.place.clone();
    let serving = Serving::start(LOCALHOST, place.clone(), verified(&place, &recorded).await?).await?;
    let client = client(serving.access())?;
    ensure!(client.get(&path("a")?).await?.bytes().await? == pattern(1, 3 << 20));
    ensure!(client.get(&path("empty")?).await?.bytes().await?.is_empty());
    ensure!(client.get_range(&path("a")?, 1_000_000..2_500_000).await? == pattern(1, 3 << 20)[1_000_000..2_500_000]);
    let listed: Vec<_> = client.list(Some(&Path::parse(PREFIX)?)).try_collect().await?;
    let names: Vec<_> = listed.iter().map(|found| found.location.to_string()).collect();
    let known: Vec<_> = recorded.iter().map(|object| object.name.clone()).collect();
    ensure!(names == known, "{names:?}");
    let unlisted = client.get(&path("unlisted")?).await;
    ensure!(
        matches!(unlisted, Err(object_store::Error::NotFound { .. })),
        "{unlisted:?}"
    );
    for method in ["PUT", "DELETE"] {
        let answer = wire::ask(serving.access(), method, &format!("/stillpoint/{PREFIX}/a")).await?;
        ensure!(
            (answer.status, answer.code()) == (403, "AccessDenied".into()),
            "{method}: {answer:?}"
        );
    }
    ensure!(client.copy(&path("a")?, &path("d")?).await.is_err(), "it copies");
    ensure!(client.put_multipart(&path("d")?).await.is_err(), "it takes parts");
    let address = serving.address();
    Box::new(serving).stop().await;
    ensure!(
        tokio::net::TcpStream::connect(address).await.is_err(),
        "the port is open"
    );
    Ok(())
}

pub(crate) async fn what_has_changed_is_not_served(bench: Bench) -> Result<()> {
    let (bench, recorded) = written(bench).await?;
    let place = &bench.place;
    let mut wrong = recorded[0].clone();
    wrong.sha256 = recorded[1].sha256.clone();
    ensure!(verify(place, wrong).await.is_err(), "another hash was verified");
    let mut short = recorded[0].clone();
    short.size -= 1;
    ensure!(verify(place, short).await.is_err(), "another size was verified");
    let serving = Serving::start(LOCALHOST, place.clone(), verified(place, &recorded).await?).await?;
    let key = Key::of(place.backup, &recorded[1].name);
    place.repository.delete(&key).await?;
    place.repository.create(&key, "SMALL".into()).await?;
    let target = format!("/stillpoint/{}", recorded[1].name);
    let answer = wire::ask(serving.access(), "GET", &target).await?;
    ensure!(answer.status == 412, "{answer:?}");
    place.repository.delete(&key).await?;
    let answer = wire::ask(serving.access(), "GET", &target).await?;
    ensure!(answer.status == 412, "{answer:?}");
    Ok(())
}

/// The version of a file is its number, size and time: bytes that change and leave these as they were are found by
/// their hash, while they are sent.
#[tokio::test]
async fn a_file_whose_bytes_have_changed_ends_the_answer_in_the_middle() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let repository = stillpoint_adapters::repository::LocalRepository::open(dir.path())?;
    let bench = Bench::directory().await?;
    let place = Place {
        repository: std::sync::Arc::new(repository),
        ..bench.place.clone()
    };
    let content = pattern(1, 3 << 20);
    let recorded = Recorded {
        name: format!("{PREFIX}/a"),
        size: content.len() as u64,
        sha256: crate::bench::sha256(&content),
    };
    let key = Key::of(place.backup, &recorded.name);
    place.repository.create(&key, content.clone()).await?;
    let serving = Serving::start(LOCALHOST, place.clone(), verified(&place, &[recorded]).await?).await?;
    let target = format!("/stillpoint/{PREFIX}/a");
    let answer = wire::ask(serving.access(), "GET", &target).await?;
    ensure!(
        answer.status == 200 && answer.is_whole() && answer.body == content,
        "{}",
        answer.head
    );
    let file = dir.path().join(key.as_str());
    let written = std::fs::metadata(&file)?.modified()?;
    let mut bytes = content.to_vec();
    bytes[1_500_000] ^= 1;
    let opened = std::fs::File::options().write(true).open(&file)?;
    std::os::unix::fs::FileExt::write_all_at(&opened, &bytes, 0)?;
    opened.set_modified(written)?;
    let answer = wire::ask(serving.access(), "GET", &target).await?;
    ensure!(answer.status == 200 && !answer.is_whole(), "{}", answer.head);
    Ok(())
}
