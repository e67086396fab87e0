//! The way to the server: HTTP by reqwest, under the requests that `object_store` and
//! [`super::bucket`] sign. Every request ends: by an answer, or by a limit of [`super::limits`].
//! Redirects are not followed: a signed request is for the host that it was signed for.
//!
//! What a bucket wants is learned from what it answers: one with Object Lock refuses an object without a checksum, and
//! gets `Content-MD5` from then on. Not from the beginning: it costs time, and every server knows what it is but few want it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::BodyExt;
use md5::{Digest, Md5};
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use object_store::client::{HttpResponseBody, HttpService};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Url};

use super::request_error::NOT_IMPLEMENTED;
use super::{limits, tls};
use crate::awake::timeout;

/// A pool of connections, cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    /// For whatever answers in one piece.
    client: reqwest::Client,
    /// For answers that are read at the reader's own speed: limited is each wait, not the whole.
    reading: reqwest::Client,
    dialled: Option<Dialled>,
    learned: Arc<Learned>,
}

/// What the server's answers have told.
#[derive(Debug, Default)]
struct Learned {
    /// It wants a checksum with every object.
    wants_checksum: AtomicBool,
    /// It keeps what is overwritten or deleted.
    keeps_versions: AtomicBool,
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
            learned: Arc::default(),
        })
    }

    /// Whether an answer so far has named the version of an object.
    pub(super) fn keeps_versions(&self) -> bool {
        self.learned.keeps_versions.load(Ordering::Relaxed)
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

/// An answer that has come to its end.
type Whole = http::Response<Bytes>;

impl Wire {
    async fn whole(&self, request: HttpRequest) -> Result<Whole, HttpError> {
        let limit = match (request.method(), request.body().content_length()) {
            (&Method::POST, 1..) => limits::COMPLETE,
            (_, bytes) => limits::of_bytes(bytes),
        };
        let answer = async {
            let (parts, body) = self.client.call(request).await?.into_parts();
            Ok(Whole::from_parts(parts, body.bytes().await?))
        };
        let answer = timeout(limit, answer).await;
        answer.unwrap_or_else(|_| Err(HttpError::new(HttpErrorKind::Timeout, NoAnswer(limit.as_secs()))))
    }

    /// Sends an object, with its checksum once the bucket has asked for one.
    async fn write(&self, request: HttpRequest) -> Result<Whole, HttpError> {
        let wants = &self.learned.wants_checksum;
        if !wants.load(Ordering::Relaxed) {
            let answer = self.whole(request.clone()).await?;
            if !asks_for_checksum(&answer) {
                return Ok(answer);
            }
            wants.store(true, Ordering::Relaxed);
        }
        self.whole(with_checksum(request).await?).await
    }

    fn learn(&self, headers: &http::HeaderMap) {
        if headers.get(VERSION).is_some_and(|version| version != "null") {
            self.learned.keeps_versions.store(true, Ordering::Relaxed);
        }
    }
}

/// Where buckets that keep versions name that of an object.
const VERSION: &str = "x-amz-version-id";

/// Amazon: "Content-MD5 OR x-amz-checksum- HTTP header is required"; `MinIO`: "Missing required header for this request: Content-Md5".
fn asks_for_checksum(answer: &Whole) -> bool {
    let says = String::from_utf8_lossy(answer.body()).to_ascii_lowercase();
    answer.status() == StatusCode::BAD_REQUEST && says.contains("content-md5")
}

/// The signature stays: it covers the host and what begins with `x-amz-`.
async fn with_checksum(mut request: HttpRequest) -> Result<HttpRequest, HttpError> {
    let mut body = request.body().clone();
    let mut hash = Md5::new();
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data() {
            hash.update(&piece);
        }
    }
    let sum = BASE64_STANDARD.encode(hash.finalize());
    let sum = HeaderValue::try_from(sum).map_err(|cause| HttpError::new(HttpErrorKind::Unknown, cause))?;
    request
        .headers_mut()
        .insert(HeaderName::from_static("content-md5"), sum);
    Ok(request)
}

/// What a server does not know today it does not know in a second: as a 501 `object_store` would ask again and again.
fn final_refusal(answer: Whole) -> Whole {
    if answer.status() != StatusCode::NOT_IMPLEMENTED {
        return answer;
    }
    let (mut parts, mut body) = answer.into_parts();
    parts.status = StatusCode::BAD_REQUEST;
    if body.is_empty() {
        body = Bytes::from(format!(
            "<Error><Code>{NOT_IMPLEMENTED}</Code><Message>501</Message></Error>"
        ));
    }
    Whole::from_parts(parts, body)
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = self.outgoing(request)?;
        if *request.method() == Method::GET {
            let answer = self.reading.call(request).await?;
            self.learn(answer.headers());
            return Ok(answer);
        }
        let answer = if *request.method() == Method::PUT {
            self.write(request).await?
        } else {
            self.whole(request).await?
        };
        self.learn(answer.headers());
        Ok(final_refusal(answer).map(HttpResponseBody::from))
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
