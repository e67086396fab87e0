//! Many clients at once, and clients and gateways that end in the middle.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use object_store::ObjectStoreExt;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bench::{Bench, PREFIX, path, pattern};
use crate::wire;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_mins(2);

pub(crate) async fn three_hundred_uploads_at_once_hold_bounded_memory(bench: Bench) -> Result<()> {
    let client = bench.client()?;
    // Four large uploads that stand hold all the memory that there is.
    let mut large = Vec::new();
    for number in 0..4 {
        large.push(half_an_upload(&bench, &format!("large-{number}")).await?);
    }
    let full = || bench.gateway.memory().held == bench.gateway.memory().limit;
    until("the memory is full", full).await?;
    let sizes = [100, 70_000, 300_000, 1_300_000_usize];
    let mut uploads = JoinSet::new();
    for number in 0..300_usize {
        let (client, content) = (
            client.clone(),
            pattern(u32::try_from(number)?, sizes[number % sizes.len()]),
        );
        uploads.spawn(async move {
            client
                .put(&path(&number.to_string())?, content.into())
                .await
                .context("put")
        });
    }
    let early = timeout(Duration::from_millis(500), uploads.join_next()).await;
    ensure!(early.is_err(), "it did not wait for memory: {early:?}");
    drop(large);
    while let Some(uploaded) = uploads.join_next().await {
        uploaded??;
    }
    until("the memory comes back", || bench.gateway.memory().held == 0).await?;
    let memory = bench.gateway.memory();
    ensure!(memory.most == memory.limit, "{memory:?}");
    let (_, recorded) = bench.finish().await?;
    ensure!(recorded.len() == 300, "{}", recorded.len());
    Ok(())
}

async fn half_an_upload(bench: &Bench, name: &str) -> Result<TcpStream> {
    let access = bench.access();
    let target = format!("/stillpoint/{PREFIX}/{name}");
    let head = wire::sign(access, "PUT", &target, "UNSIGNED-PAYLOAD", &[]).head;
    let body = pattern(1, 6 << 20);
    wire::begin(access, &format!("{head}content-length: {}\r\n", body.len() + 1), &body).await
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, wait).await.with_context(|| what.to_owned())
}

pub(crate) async fn a_client_that_dies_commits_nothing(bench: Bench) -> Result<()> {
    let client = bench.client()?;
    client.put(&path("a")?, "before".into()).await?;
    let stream = half_an_upload(&bench, "a").await?;
    until("it is read", || bench.gateway.memory().held > 0).await?;
    drop(stream);
    until("its memory comes back", || bench.gateway.memory().held == 0).await?;
    ensure!(bench.read("a").await? == "before");
    let (_, recorded) = bench.finish().await?;
    ensure!(recorded.len() == 1, "{recorded:?}");
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_ends_cuts_every_connection_and_closes_its_port() -> Result<()> {
    let bench = Bench::directory().await?;
    let address = bench.gateway.address();
    let mut half = half_an_upload(&bench, "a").await?;
    let mut idle = TcpStream::connect(address).await?;
    until("it is read", || bench.gateway.memory().held > 0).await?;
    let (_, recorded) = timeout(LIMIT, bench.finish()).await??;
    ensure!(recorded.is_empty(), "{recorded:?}");
    for stream in [&mut half, &mut idle] {
        let mut read = Vec::new();
        // Cut, or ended.
        let _ = timeout(LIMIT, stream.read_to_end(&mut read)).await?;
        ensure!(read.is_empty(), "{}", String::from_utf8_lossy(&read));
    }
    ensure!(TcpStream::connect(address).await.is_err(), "the port is open");
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_is_dropped_closes_its_port() -> Result<()> {
    let bench = Bench::directory().await?;
    let address = bench.gateway.address();
    let mut idle = TcpStream::connect(address).await?;
    drop(bench);
    let _ = timeout(LIMIT, idle.read_to_end(&mut Vec::new())).await?;
    let closed = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(LIMIT, closed).await.context("the port is open")
}
