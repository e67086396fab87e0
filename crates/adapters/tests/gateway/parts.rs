//! Objects in parts.

use anyhow::{Result, ensure};
use object_store::multipart::{MultipartStore, PartId};
use object_store::{ObjectStoreExt, PutPayload};

use crate::bench::{Bench, path, pattern};
use crate::wire;

const MIB: usize = 1 << 20;

pub(crate) async fn parts_count_in_the_order_of_their_numbers(bench: Bench) -> Result<()> {
    let (client, name) = (bench.client()?, path("whole")?);
    let whole = pattern(1, 16 * MIB + 5);
    let id = client.create_multipart(&name).await?;
    let mut parts: Vec<PartId> = Vec::new();
    let part = |number: usize| PutPayload::from(whole.slice(number * 6 * MIB..whole.len().min((number + 1) * 6 * MIB)));
    let stale = client.put_part(&name, &id, 1, pattern(2, 6 * MIB).into()).await?;
    let sent =
        futures::future::join_all([2, 1, 0].map(|number| client.put_part(&name, &id, number, part(number)))).await;
    for sent in sent {
        parts.insert(0, sent?);
    }
    // One that nobody names is left out.
    client.put_part(&name, &id, 7, pattern(3, MIB).into()).await?;
    let wrong = vec![parts[0].clone(), stale, parts[2].clone()];
    ensure!(
        client.complete_multipart(&name, &id, wrong).await.is_err(),
        "a stale part was taken"
    );
    client.complete_multipart(&name, &id, parts.clone()).await?;
    ensure!(bench.read("whole").await? == whole);
    // A client whose answer was lost asks again.
    client.complete_multipart(&name, &id, parts).await?;
    let late = client.put_part(&name, &id, 0, pattern(4, MIB).into()).await;
    ensure!(late.is_err(), "a part after the end");
    let (_, recorded) = bench.finish().await?;
    ensure!(recorded.len() == 1, "{recorded:?}");
    Ok(())
}

pub(crate) async fn an_abort_leaves_nothing(bench: Bench) -> Result<()> {
    let client = bench.client()?;
    let id = client.create_multipart(&path("a")?).await?;
    client.put_part(&path("a")?, &id, 0, pattern(1, MIB).into()).await?;
    ensure!(bench.stored().await?.len() == 1);
    let elsewhere = client.put_part(&path("b")?, &id, 0, pattern(1, MIB).into()).await;
    ensure!(elsewhere.is_err(), "the upload is of another name");
    client.abort_multipart(&path("a")?, &id).await?;
    ensure!(bench.stored().await?.is_empty(), "{:?}", bench.stored().await?);
    let late = client.put_part(&path("a")?, &id, 1, pattern(1, MIB).into()).await;
    ensure!(late.is_err(), "a part of an upload that was given up");
    // What nobody ends is removed with the gateway.
    let id = client.create_multipart(&path("c")?).await?;
    client.put_part(&path("c")?, &id, 0, pattern(1, MIB).into()).await?;
    let (_, recorded) = bench.finish().await?;
    ensure!(recorded.is_empty(), "{recorded:?}");
    Ok(())
}

pub(crate) async fn the_last_of_two_uploads_counts(bench: Bench) -> Result<()> {
    let (client, name) = (bench.client()?, path("a")?);
    let begin = || client.put_multipart(&name);
    let (mut one, mut other) = (begin().await?, begin().await?);
    one.put_part(pattern(1, MIB).into()).await?;
    other.put_part(pattern(2, MIB).into()).await?;
    other.complete().await?;
    ensure!(bench.read("a").await? == pattern(2, MIB));
    one.complete().await?;
    ensure!(bench.read("a").await? == pattern(1, MIB));
    // A body that is still on its way when another was completed.
    let access = bench.access();
    let head = wire::sign(access, "PUT", &format!("/stillpoint/{name}"), "UNSIGNED-PAYLOAD", &[]).head;
    let mut slow = wire::begin(access, &format!("{head}content-length: 4\r\n"), b"la").await?;
    client.put(&name, "first".into()).await?;
    tokio::io::AsyncWriteExt::write_all(&mut slow, b"st").await?;
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut slow, &mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    ensure!(bench.read("a").await? == "last");
    let (_, recorded) = bench.finish().await?;
    ensure!(recorded.len() == 1 && recorded[0].size == 4, "{recorded:?}");
    Ok(())
}
