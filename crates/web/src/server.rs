//! Serves connections of a network port within limits: so many at once, each with so long for the head of a request. Whoever
//! opens connections and sends nothing holds up nobody for long.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::auth::Peer;

/// What may be had.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So many connections at once; the next wait with the kernel.
    pub connections: usize,
    /// How long the head of a request may take, from the end of the one before.
    pub head: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: Duration::from_secs(15),
        }
    }
}

/// After an error of accepting, as with too many open files, before it is tried again.
const BREATHER: Duration = Duration::from_millis(200);

/// So long answers may take to come to their end, when the service ends.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Serves until it is told to end.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, end: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut end = pin!(end.cancelled_owned());
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
            listener.accept().await.map(|connection| (place, connection))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            () = &mut end => break,
        };
        match accepted {
            Ok((place, (stream, peer))) => serve_one(stream, peer, place, &router, limits, &graceful),
            Err(_) => tokio::time::sleep(BREATHER).await,
        }
    }
    drop(listener);
    // Who listens to a run without end is not waited for.
    let _ = tokio::time::timeout(LAST_WORDS, graceful.shutdown()).await;
}

fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
    router: &Router,
    limits: Limits,
    graceful: &GracefulShutdown,
) {
    let _ = stream.set_nodelay(true);
    let told = move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        request
    };
    let service = TowerToHyperService::new(router.clone().map_request(told));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // That somebody goes away in the middle is his business.
        let _ = connection.await;
        drop(place);
    });
}
