//! A wire between the product and an object store that can be cut, slowed and made to lie: an HTTP proxy
//! on a port of its own, with rules for single requests. It passes requests on as they came, `Host` and
//! signature included, and never retries. It knows of S3 only what an error, an `ETag` and a date look
//! like. For the wire to the engine see [`crate::proxy`].

mod answer;
mod body;
mod pass;
mod picky;
mod record;
mod rule;
mod tls;
mod wire;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

pub use record::Seen;
use record::State;
pub use rule::{Match, Rule, What};
use wire::Wire;

/// A running proxy, on a thread of its own: a test that blocks may use it. It ends when it is dropped.
pub struct S3Proxy {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
    /// Dropped with the proxy, which ends its thread.
    _alive: oneshot::Sender<()>,
    /// Holds the authority's certificate.
    _folder: Option<tempfile::TempDir>,
}

impl S3Proxy {
    /// In front of a server such as `http://172.17.0.2:8333`.
    pub fn start(upstream: &str) -> Result<Self> {
        Self::listen(upstream, None, None)
    }

    /// The same with TLS towards the client, by an authority made for this proxy that nobody knows; also the file with the authority's
    /// certificate (PEM), which is there as long as the proxy. The certificate is for `127.0.0.1` and `localhost`.
    pub fn start_tls(upstream: &str) -> Result<(Self, PathBuf)> {
        let folder = tempfile::tempdir()?;
        let (acceptor, authority) = tls::prepare(folder.path())?;
        Ok((Self::listen(upstream, Some(acceptor), Some(folder))?, authority))
    }

    fn listen(upstream: &str, tls: Option<TlsAcceptor>, folder: Option<tempfile::TempDir>) -> Result<Self> {
        let state = Arc::new(State::new(upstream)?);
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (alive, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = state.clone();
        thread::Builder::new().name("s3-proxy".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // The sender is dropped: nothing is ever sent.
                    _ = ended => {}
                    _ = accept(listener, tls, shared) => {}
                }
            });
        })?;
        Ok(Self {
            address,
            scheme,
            state,
            _alive: alive,
            _folder: folder,
        })
    }

    /// What the client takes for the server: `http://127.0.0.1:PORT`, or `https` with TLS.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// From now on requests go to another server: one that was started again may have another address.
    pub fn redirect(&self, upstream: &str) -> Result<()> {
        self.state.redirect(upstream)
    }

    /// Adds a rule behind those that are there. Of several that fit a request the first one acts.
    pub fn fault(&self, rule: Rule) {
        self.state.add(rule);
    }

    /// Forgets all rules. What they have begun goes on: a request that hangs hangs until its client leaves.
    pub fn clear(&self) {
        self.state.clear();
    }

    /// Every request since the start, in the order in which they came, as far as they have got.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen()
    }

    /// Waits until the requests are such as `there` wants; an error that shows them if they are not within the limit. Blocks.
    pub fn wait_until(&self, there: impl Fn(&[Seen]) -> bool, limit: Duration) -> Result<()> {
        self.state.wait_until(there, limit)
    }
}

/// The authority's certificate is written here.
fn authority_file(folder: &Path) -> PathBuf {
    folder.join("authority.pem")
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        let (tls, state) = (tls.clone(), state.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(client, state).await,
                // A client that does not trust the authority leaves here.
                Some(tls) => {
                    if let Ok(client) = tls.accept(client).await {
                        serve(client, state).await;
                    }
                }
            }
        });
    }
}

async fn serve(client: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) {
    let client = Wire::new(client);
    let scissors = client.scissors();
    let service = service_fn(|request| pass::pass(request, state.clone(), scissors.clone()));
    // A fault ends the connection with an error: that is its purpose.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(client), service)
        .await;
}
