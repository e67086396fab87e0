//! The way to the server: HTTP by reqwest, under the requests that `object_store` and
//! [`super::bucket`] sign. Every request ends: by an answer, or by a limit of [`super::limits`].
//! Redirects are not followed: a signed request is for the host that it was signed for.

use std::net::SocketAddr;
use std::path::Path;

use async_trait::async_trait;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, Uri, header};
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use object_store::client::{HttpResponseBody, HttpService};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Url};
use tokio::time::timeout;

use super::{limits, tls};

/// A pool of connections, cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    /// For whatever answers in one piece.
    client: reqwest::Client,
    /// For answers that are read at the reader's own speed: limited is each wait, not the whole.
    reading: reqwest::Client,
    dialled: Option<Dialled>,
}

/// The server is reached by another address than its name's.
#[derive(Clone, Debug)]
struct Dialled {
    /// Its name with the port to connect to. The name is resolved to the address by the client.
    authority: Authority,
    /// Its name as it is configured and signed.
    host: HeaderValue,
}

impl Wire {
    /// To the server of `url`; over `dial`, if given, whatever the name stands for.
    pub(super) fn new(url: &Url, dial: Option<SocketAddr>, ca_file: Option<&Path>) -> Result<Self, String> {
        let tls = tls::config(ca_file)?;
        let build = |builder: ClientBuilder| {
            let mut builder = builder
                .tls_backend_preconfigured(tls.clone())
                .http1_only()
                .redirect(Policy::none())
                .connect_timeout(limits::CONNECT)
                .tcp_keepalive(limits::SILENT_HOST / 2)
                .tcp_user_timeout(limits::SILENT_HOST);
            if let (Some(dial), Some(host)) = (dial, url.host_str()) {
                builder = builder.resolve(host, dial).no_proxy();
            }
            builder.build().map_err(|cause| cause.to_string())
        };
        Ok(Self {
            client: build(reqwest::Client::builder())?,
            reading: build(reqwest::Client::builder().read_timeout(limits::IDLE))?,
            dialled: dial.map(|dial| dialled(url, dial)).transpose()?,
        })
    }

    pub(super) fn client(&self) -> HttpClient {
        HttpClient::new(self.clone())
    }

    /// The request as it goes out. The port of a URL is also the one that is connected to, so it
    /// is exchanged there; `Host` keeps the name that was signed.
    fn outgoing(&self, mut request: HttpRequest) -> Result<HttpRequest, HttpError> {
        let Some(dialled) = &self.dialled else {
            return Ok(request);
        };
        let mut parts = request.uri().clone().into_parts();
        parts.authority = Some(dialled.authority.clone());
        parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
        let uri = Uri::from_parts(parts).map_err(|cause| HttpError::new(HttpErrorKind::Unknown, cause))?;
        *request.uri_mut() = uri;
        request.headers_mut().insert(header::HOST, dialled.host.clone());
        Ok(request)
    }
}

fn dialled(url: &Url, dial: SocketAddr) -> Result<Dialled, String> {
    let host = url.host_str().unwrap_or_default();
    let authority = format!("{host}:{}", dial.port()).parse();
    let named = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    Ok(Dialled {
        authority: authority.map_err(|cause| format!("{cause}"))?,
        host: named.parse().map_err(|cause| format!("{cause}"))?,
    })
}

async fn whole(client: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let (parts, body) = client.call(request).await?.into_parts();
    let body: HttpResponseBody = body.bytes().await?.into();
    Ok(HttpResponse::from_parts(parts, body))
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = self.outgoing(request)?;
        if *request.method() == Method::GET {
            return self.reading.call(request).await;
        }
        let limit = match (request.method(), request.body().content_length()) {
            (&Method::POST, 1..) => limits::COMPLETE,
            (_, bytes) => limits::of_bytes(bytes),
        };
        match timeout(limit, whole(&self.client, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::new(HttpErrorKind::Timeout, NoAnswer(limit.as_secs()))),
        }
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.client())
    }
}

#[derive(Debug)]
struct NoAnswer(u64);

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no answer within {} s", self.0)
    }
}

impl std::error::Error for NoAnswer {}
