//! What every [`Reach`] promises. The fixtures' own server echoes.
#![expect(missing_docs, reason = "each name is the sentence that it checks")]

use std::net::Ipv4Addr;

use anyhow::ensure;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{ByteStream, EngineError, Reach};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bench::{Behaviour, Fixture, Subject, eventually, soon};

/// The port under test.
pub type Reaches = Subject<dyn Reach>;

const PORT: u16 = 7000;

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! reach_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::reach,
            $make,
            [
                a_port_that_is_not_published_is_reached,
                bytes_go_both_ways,
                the_stream_ends_with_its_server,
                a_refused_connection_may_be_tried_again,
                what_does_not_run_is_refused,
                what_was_removed_is_gone,
                a_forwarded_port_leads_there_until_it_is_dropped,
                a_forwarded_port_survives_its_server,
            ]
        );
    };
}

/// A stream to the fixture's server, once it listens.
pub async fn dialled(subject: &Reaches, id: &WorkloadId, port: u16) -> anyhow::Result<Box<dyn ByteStream>> {
    let mut stream = None;
    eventually("the server to listen", async || {
        match subject.port.dial(id, port).await {
            Ok(dialled) => {
                stream = Some(dialled);
                Ok(true)
            }
            Err(EngineError::Refused { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    stream.ok_or_else(|| anyhow::anyhow!("no stream"))
}

/// Sends a few bytes and awaits them back.
pub async fn echoes(stream: &mut dyn ByteStream) -> anyhow::Result<()> {
    let mut back = [0; 6];
    stream.write_all(b"hello\n").await?;
    soon("the echo", stream.read_exact(&mut back)).await??;
    ensure!(back == *b"hello\n");
    Ok(())
}

async fn server(subject: &Reaches) -> anyhow::Result<WorkloadId> {
    subject.bench.make(&Fixture::running(Behaviour::Echoing(PORT))).await
}

pub async fn a_port_that_is_not_published_is_reached(subject: &Reaches) -> anyhow::Result<()> {
    let id = server(subject).await?;
    let mut first = dialled(subject, &id, PORT).await?;
    let mut second = dialled(subject, &id, PORT).await?;
    echoes(&mut first).await?;
    echoes(&mut second).await
}

pub async fn bytes_go_both_ways(subject: &Reaches) -> anyhow::Result<()> {
    let id = server(subject).await?;
    let stream = dialled(subject, &id, PORT).await?;
    let (mut from, mut to) = tokio::io::split(stream);
    let sent: Vec<u8> = (0..4_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let mut back = vec![0; sent.len()];
    let (written, read) = tokio::join!(to.write_all(&sent), soon("the echo", from.read_exact(&mut back)));
    written?;
    read??;
    ensure!(sent == back);
    Ok(())
}

pub async fn the_stream_ends_with_its_server(subject: &Reaches) -> anyhow::Result<()> {
    let id = server(subject).await?;
    let mut stream = dialled(subject, &id, PORT).await?;
    echoes(&mut stream).await?;
    subject.bench.kill(&id).await?;
    let read = soon("the stream's end", stream.read(&mut [0; 10])).await?;
    ensure!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    Ok(())
}

pub async fn a_refused_connection_may_be_tried_again(subject: &Reaches) -> anyhow::Result<()> {
    let id = server(subject).await?;
    for _ in 0..2 {
        let refused = subject.port.dial(&id, 7999).await.map(drop);
        ensure!(matches!(refused, Err(EngineError::Refused { .. })), "{refused:?}");
    }
    dialled(subject, &id, PORT).await.map(drop)
}

pub async fn what_does_not_run_is_refused(subject: &Reaches) -> anyhow::Result<()> {
    let id = server(subject).await?;
    subject.bench.kill(&id).await?;
    let refused = subject.port.dial(&id, PORT).await.map(drop);
    ensure!(matches!(refused, Err(EngineError::Refused { .. })), "{refused:?}");
    Ok(())
}

pub async fn what_was_removed_is_gone(subject: &Reaches) -> anyhow::Result<()> {
    let id = server(subject).await?;
    subject.bench.remove(&id).await?;
    let gone = subject.port.dial(&id, PORT).await.map(drop);
    ensure!(matches!(gone, Err(EngineError::Gone { .. })), "{gone:?}");
    Ok(())
}

async fn local(port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
}

pub async fn a_forwarded_port_leads_there_until_it_is_dropped(subject: &Reaches) -> anyhow::Result<()> {
    let id = server(subject).await?;
    dialled(subject, &id, PORT).await.map(drop)?;
    let forward = subject.port.forward(&id, PORT).await?;
    let (mut first, mut second) = (local(forward.port()).await?, local(forward.port()).await?);
    echoes(&mut first).await?;
    echoes(&mut second).await?;
    let port = forward.port();
    drop(forward);
    let read = soon("the stream's end", first.read(&mut [0; 10])).await?;
    ensure!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    eventually("the port to be closed", async || Ok(local(port).await.is_err())).await
}

pub async fn a_forwarded_port_survives_its_server(subject: &Reaches) -> anyhow::Result<()> {
    let id = server(subject).await?;
    dialled(subject, &id, PORT).await.map(drop)?;
    let forward = subject.port.forward(&id, PORT).await?;
    subject.bench.kill(&id).await?;
    let read = soon("the stream's end", local(forward.port()).await?.read(&mut [0; 10])).await?;
    ensure!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    subject.bench.start(&id).await?;
    dialled(subject, &id, PORT).await.map(drop)?;
    echoes(&mut local(forward.port()).await?).await
}
