//! The listening socket and its connections. When it stops, the port is closed and every connection is cut at once: a key
//! that is still around opens nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use stillpoint_core::ports::gateway::Access;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tracing::debug;

use super::access::{Keys, access};
use super::filter::{self, Guarded};
use super::service::Service;

/// Connections that are served at the same time; others wait to be accepted. Each has a buffer of [`BUFFER`].
const CONNECTIONS: usize = 512;

/// Bytes that are read of a connection before somebody takes them.
const BUFFER: usize = 32 << 10;

/// A connection on which no request begins for so long is closed.
const IDLE: Duration = Duration::from_mins(1);

/// The largest document: it names a thousand objects to delete.
const LARGEST_XML: usize = 2 << 20;

/// After a failure to accept: no file number may be left.
const PAUSE: Duration = Duration::from_millis(100);

/// A server that listens.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    access: Access,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(ip: IpAddr, service: Service, prefix: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        let access = access(address, prefix);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, build(service, access.clone()), stopped));
        let stop = Some(stop);
        Ok(Self {
            address,
            access,
            stop,
            task,
        })
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns when the port is closed and no connection is left.
    pub(super) async fn stop(&mut self) {
        drop(self.stop.take());
        if let Err(error) = (&mut self.task).await {
            debug!(target: "stillpoint::gateway", %error, "the server ended badly");
        }
    }
}

/// The task ends by itself when the sender is gone.
impl Drop for Server {
    fn drop(&mut self) {
        if self.stop.is_some() {
            debug!(target: "stillpoint::gateway", "dropped without a stop");
        }
    }
}

fn build(service: Service, access: Access) -> S3Service {
    let mut config = S3Config::default();
    config.xml_max_body_size = LARGEST_XML;
    let mut builder = S3ServiceBuilder::new(service);
    builder.set_auth(Keys(access));
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.build()
}

async fn serve(listener: TcpListener, service: S3Service, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(stream, service.clone()))),
                Err(error) => {
                    debug!(target: "stillpoint::gateway", %error, "not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, service: S3Service) {
    // Answers are small and waited for.
    drop(stream.set_nodelay(true));
    let answer = service_fn(move |request| answer(request, service.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        debug!(target: "stillpoint::gateway", %error, "a connection broke off");
    }
}

/// A client reads an answer after it has sent all; one that cannot send the rest may not read it.
async fn answer(request: Request<Incoming>, service: S3Service) -> Result<Response<Body>, HttpError> {
    let (head, body) = request.into_parts();
    let body = Guarded::new(&head.headers, body);
    let answer = match filter::admit(&head.headers) {
        Ok(()) => {
            let body = Body::http_body(body.clone());
            service.call(Request::from_parts(head, body)).await?
        }
        Err(refused) => refused
            .to_http_response()
            .map_err(|error| HttpError::new(Box::new(error)))?,
    };
    if !answer.status().is_success() {
        body.drain().await;
    }
    Ok(answer)
}
